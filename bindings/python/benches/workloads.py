"""W1 and W2: roles that grant permissions, and attributes on top of them, seeded.

W1: 10 roles; 100 permissions, each an action on a type of resource; 20 permissions a role; a user has one to three roles.
W2: as W1, and a clearance that reaches the sensitivity; for writes the owner only; deny from 8 blocked networks, and
outside business hours.
"""

from __future__ import annotations

import ipaddress
import random
from dataclasses import dataclass
from typing import Any

ACTIONS = [f"records:{verb}" for verb in "view list search export print create update delete share approve".split()]
READS = ACTIONS[:5]
RESOURCES = "document folder invoice payment project report ticket account device site".split()
BLOCKED = [
    "10.66.0.0/16", "10.99.128.0/17", "172.20.0.0/14", "192.0.2.0/24",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.64/26", "203.0.113.192/28",
]  # fmt: skip
OPEN, CLOSE = 8, 18
SEED = 20_260_101


#: The permissions of each role: an action and a type of resource.
Grants = dict[str, list[tuple[str, str]]]


@dataclass(frozen=True)
class Request:
    """A request as every engine's own form is made from."""

    subject_id: str
    roles: list[str]
    clearance: int
    action: str
    resource_type: str
    resource_id: str
    owner: str
    sensitivity: int
    ip: str
    hour: int


def grants() -> Grants:
    """The permissions of each role."""
    chance = random.Random(SEED)
    permissions = [(action, resource) for action in ACTIONS for resource in RESOURCES]
    return {f"role-{number}": chance.sample(permissions, 20) for number in range(10)}


def requests(number: int) -> list[Request]:
    chance = random.Random(SEED + 1)
    roles = list(grants())

    def one() -> Request:
        user = f"user-{chance.randrange(5_000)}"
        resource = chance.choice(RESOURCES)
        if chance.random() < 0.15:
            network = ipaddress.ip_network(chance.choice(BLOCKED))
            ip = str(network[chance.randrange(network.num_addresses)])
        else:
            ip = f"10.{chance.randrange(60)}.{chance.randrange(256)}.{chance.randrange(256)}"
        return Request(
            subject_id=user,
            roles=chance.sample(roles, chance.randint(1, 3)),
            clearance=chance.randint(1, 5),
            action=chance.choice(ACTIONS),
            resource_type=resource,
            resource_id=f"{resource}-{chance.randrange(100_000)}",
            owner=user if chance.random() < 0.7 else f"user-{chance.randrange(5_000)}",
            sensitivity=chance.randint(1, 4),
            ip=ip,
            hour=chance.randrange(8, 18) if chance.random() < 0.9 else chance.randrange(24),
        )

    return [one() for _ in range(number)]


def allowed(request: Request, attributes: bool, granted: Grants) -> bool:
    """The decision by hand: what every engine must agree with."""
    permission = (request.action, request.resource_type)
    if not any(permission in granted[role] for role in request.roles):
        return False
    if not attributes:
        return True
    address = ipaddress.ip_address(request.ip)
    if any(address in ipaddress.ip_network(network) for network in BLOCKED) or not OPEN <= request.hour < CLOSE:
        return False
    owns = request.action in READS or request.owner == request.subject_id
    return request.clearance >= request.sensitivity and owns


def parts(request: Request, attributes: bool) -> dict[str, Any]:
    """The request as Fallgate's `decide` takes it."""
    subject: dict[str, Any] = {"roles": request.roles}
    resource: dict[str, Any] = {}
    if attributes:
        subject["clearance"] = request.clearance
        resource.update(owner=request.owner, sensitivity=request.sensitivity)
    made: dict[str, Any] = {
        "subject": {"type": "user", "id": request.subject_id, "properties": subject},
        "action": request.action,
        "resource": {"type": request.resource_type, "id": request.resource_id, "properties": resource},
    }
    if attributes:
        made["context"] = {"ip": request.ip, "hour": request.hour}
    return made


def pack(attributes: bool, granted: Grants, cached: bool) -> dict[str, Any]:
    """The workload as a pack."""
    clearance = "subject.clearance >= resource.sensitivity"
    kinds = [("reads", READS, clearance), ("writes", ACTIONS[5:], f"{clearance} && resource.owner == subject.id")]
    if not attributes:
        kinds = [("uses", ACTIONS, "true")]
    rules: list[dict[str, Any]] = []
    for role, permissions in granted.items():
        for resource in RESOURCES:
            for kind, among, when in kinds:
                actions = [action for action, on in permissions if on == resource and action in among]
                if actions:
                    rule: dict[str, Any] = {
                        "id": f"{role}-{kind}-{resource}",
                        "effect": "allow",
                        "action": actions,
                        "subject": {"type": "user", "roles": role},
                        "resource": {"type": resource},
                    }
                    rules.append(rule if when == "true" else {**rule, "when": when})
    if attributes:
        blocked = " || ".join(f"cidr('{network}').containsIP(context.ip)" for network in BLOCKED)
        rules.append({"id": "blocked-networks", "effect": "deny", "when": blocked})
        hours = f"context.hour < {OPEN} || context.hour >= {CLOSE}"
        rules.append({"id": "outside-business-hours", "effect": "deny", "when": hours})
    cache = {"cache": {"allow": "1h", "deny": "1h"}} if cached else {}
    user: dict[str, Any] = {"roles": ["string"], **({"clearance": "int"} if attributes else {})}
    resource_schema = {"owner": "string", "sensitivity": "int"} if attributes else {}
    return {
        "fallgate": 1,
        "name": "w2-attributes" if attributes else "w1-roles",
        "revision": 1,
        "schema": {
            "subject": {"user": user},
            "resource": {name: resource_schema for name in RESOURCES},
            "context": {"ip": "ip", "hour": "int"} if attributes else {},
        },
        "actions": {name: {"class": "read" if name in READS else "write", **cache} for name in ACTIONS},
        "rules": rules,
    }
