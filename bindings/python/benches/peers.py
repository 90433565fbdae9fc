"""The same work in cedarpy and casbin, each as its own documents would have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import casbin
import cedarpy
from workloads import ACTIONS, BLOCKED, CLOSE, OPEN, READS, Grants, Request


def cedar_text(attributes: bool, granted: Grants) -> str:
    """A policy for each role, where it grants anything; permissions are actions, roles are groups of users."""
    clearance = "principal.clearance >= resource.sensitivity"
    kinds = [(READS, f"when {{ {clearance} }}"), (ACTIONS[5:], f"when {{ {clearance} && resource.owner == principal }}")]
    if not attributes:
        kinds = [(ACTIONS, "")]
    lines = []
    for role, permissions in granted.items():
        for among, condition in kinds:
            actions = ", ".join(f'Action::"{action} {on}"' for action, on in permissions if action in among)
            if actions:
                lines.append(f'permit(principal in Role::"{role}", action in [{actions}], resource) {condition};')
    if attributes:
        blocked = " || ".join(f'context.ip.isInRange(ip("{network}"))' for network in BLOCKED)
        lines.append(f"forbid(principal, action, resource) when {{ {blocked} }};")
        hours = f"context.hour < {OPEN} || context.hour >= {CLOSE}"
        lines.append(f"forbid(principal, action, resource) when {{ {hours} }};")
    return "\n".join(lines)


def cedar_request(request: Request, attributes: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    principal = {"type": "user", "id": request.subject_id}
    resource = {"type": request.resource_type, "id": request.resource_id}
    asked: dict[str, Any] = {
        "principal": principal,
        "action": {"type": "Action", "id": f"{request.action} {request.resource_type}"},
        "resource": resource,
        "context": {},
    }
    of_principal: dict[str, Any] = {}
    of_resource: dict[str, Any] = {}
    if attributes:
        asked["context"] = {"ip": {"__extn": {"fn": "ip", "arg": request.ip}}, "hour": request.hour}
        of_principal["clearance"] = request.clearance
        of_resource.update(sensitivity=request.sensitivity, owner={"__entity": {"type": "user", "id": request.owner}})
    parents = [{"type": "Role", "id": role} for role in request.roles]
    entities = [
        {"uid": principal, "attrs": of_principal, "parents": parents},
        {"uid": resource, "attrs": of_resource, "parents": []},
    ]
    return asked, entities


def cedar(attributes: bool, granted: Grants, requests: list[Request]) -> Callable[[int], bool]:
    """cedarpy with its policies parsed before; the request and its two entities are dicts."""
    policies = cedarpy.PolicySet.from_str(cedar_text(attributes, granted))
    asked = [cedar_request(request, attributes) for request in requests]

    def decide(at: int) -> bool:
        request, entities = asked[at]
        return bool(cedarpy.is_authorized(request, policies, entities).allowed)

    return decide


CASBIN = """
[request_definition]
r = sub, roles, clearance, act, type, owner, sensitivity, ip, hour
[policy_definition]
p = kind, role, type, act, net, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = {matcher}
"""


def casbin_model(attributes: bool) -> str:
    grant = "p.role in r.roles && p.type == r.type && p.act == r.act"
    if not attributes:
        return CASBIN.format(matcher=grant)
    grant += ' && r.clearance >= r.sensitivity && (p.kind == "read" || r.owner == r.sub)'
    networks = 'p.kind == "net" && ipMatch(r.ip, p.net)'
    hours = f'p.kind == "hours" && (r.hour < {OPEN} || r.hour >= {CLOSE})'
    return CASBIN.format(matcher=f"({grant}) || ({networks}) || ({hours})")


def casbin_peer(attributes: bool, granted: Grants, requests: list[Request]) -> Callable[[int], bool]:
    """casbin with a policy line for each permission of each role."""
    model = casbin.Model()
    model.load_model_from_text(casbin_model(attributes))
    enforcer = casbin.Enforcer(model)
    for role, permissions in granted.items():
        for action, resource in permissions:
            enforcer.add_policy("read" if action in READS else "write", role, resource, action, "0.0.0.0/32", "allow")
    if attributes:
        for network in BLOCKED:
            enforcer.add_policy("net", "-", "-", "-", network, "deny")
        enforcer.add_policy("hours", "-", "-", "-", "0.0.0.0/32", "deny")
    asked = [
        (one.subject_id, tuple(one.roles), one.clearance, one.action, one.resource_type, one.owner, one.sensitivity, one.ip, one.hour)
        for one in requests
    ]

    def decide(at: int) -> bool:
        return bool(enforcer.enforce(*asked[at]))

    return decide
