//! W1 and W2: roles that grant permissions, and attributes on top of them.
//!
//! W1: 10 roles; 100 permissions, each an action on a type of resource; 20 permissions a role; a user has one to three
//! roles; allow where one of them grants the permission. W2: as W1, and `clearance >= sensitivity`; for writes the
//! owner only; deny from 8 blocked networks, and outside business hours. The hour is an attribute and not `now`, so
//! that the decision stays cacheable and every engine reads the same number.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::random::Random;
use crate::{REQUESTS, SEED};

/// The actions. The first five read, the others write.
pub const ACTIONS: [&str; 10] = [
    "records:view",
    "records:list",
    "records:search",
    "records:export",
    "records:print",
    "records:create",
    "records:update",
    "records:delete",
    "records:share",
    "records:approve",
];

/// How many of [`ACTIONS`] read.
pub const READS: usize = 5;

/// The types of resource.
pub const RESOURCES: [&str; 10] =
    ["document", "folder", "invoice", "payment", "project", "report", "ticket", "account", "device", "site"];

/// The blocked networks of W2: address and prefix length.
pub const BLOCKED: [(Ipv4Addr, u32); 8] = [
    (Ipv4Addr::new(10, 66, 0, 0), 16),
    (Ipv4Addr::new(10, 99, 128, 0), 17),
    (Ipv4Addr::new(172, 20, 0, 0), 14),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 64), 26),
    (Ipv4Addr::new(203, 0, 113, 192), 28),
];

/// The first hour of business, and the first after it.
pub const BUSINESS: (i64, i64) = (8, 18);

const ROLES: usize = 10;

/// W1, or W2 with its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// W1.
    Roles,
    /// W2.
    Attributes,
}

/// Which permissions each role grants: the same facts from which every engine's policy is written.
#[derive(Clone, Debug)]
pub struct Grants {
    /// For each role its name and its permissions, as an index into [`ACTIONS`] and one into [`RESOURCES`].
    pub roles: Vec<(String, Vec<(usize, usize)>)>,
}

impl Grants {
    /// The grants that every run uses.
    #[must_use]
    pub fn seeded() -> Self {
        let mut random = Random::seeded(SEED);
        let roles = (0..ROLES)
            .map(|role| {
                let granted = random.distinct(20, ACTIONS.len() * RESOURCES.len());
                let permissions = granted.into_iter().map(|at| (at / RESOURCES.len(), at % RESOURCES.len()));
                (format!("role-{role}"), permissions.collect())
            })
            .collect();
        Self { roles }
    }
}

/// A request as a host would hold it: the hand-written floor's input, and what every engine's own form is made from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Request {
    pub subject_id: String,
    pub roles: Vec<String>,
    pub clearance: i64,
    pub action: String,
    pub resource_type: String,
    pub resource_id: String,
    pub owner: String,
    pub sensitivity: i64,
    pub ip: Ipv4Addr,
    pub hour: i64,
}

impl Request {
    /// The seeded requests. Those of W1 and W2 are the same people doing the same things.
    #[must_use]
    pub fn seeded() -> Vec<Self> {
        let mut random = Random::seeded(SEED ^ 1);
        (0..REQUESTS).map(|_| Self::any(&mut random)).collect()
    }

    fn any(random: &mut Random) -> Self {
        let user = format!("user-{}", random.below(5_000));
        let roles = 1 + random.below(3);
        let owner = if random.chance(70) { user.clone() } else { format!("user-{}", random.below(5_000)) };
        let resource_type = *random.pick(&RESOURCES);
        let ip = if random.chance(15) {
            let (network, length) = *random.pick(&BLOCKED);
            let host = random.below(1 << (32 - length)) as u32;
            Ipv4Addr::from_bits(network.to_bits() | host)
        } else {
            Ipv4Addr::new(10, random.below(60) as u8, random.below(256) as u8, random.below(256) as u8)
        };
        Self {
            roles: random.distinct(roles, ROLES).into_iter().map(|role| format!("role-{role}")).collect(),
            clearance: 1 + random.below(5) as i64,
            action: (*random.pick(&ACTIONS)).to_owned(),
            resource_id: format!("{resource_type}-{}", random.below(100_000)),
            resource_type: resource_type.to_owned(),
            owner,
            sensitivity: 1 + random.below(4) as i64,
            ip,
            hour: if random.chance(90) { 8 + random.below(10) } else { random.below(24) } as i64,
            subject_id: user,
        }
    }

    /// The request in the AuthZEN shape, with only what the workload's policy may read.
    #[must_use]
    pub fn to_json(&self, kind: Kind) -> Value {
        match kind {
            Kind::Roles => json!({
                "subject": { "type": "user", "id": self.subject_id, "properties": { "roles": self.roles } },
                "action": { "name": self.action },
                "resource": { "type": self.resource_type, "id": self.resource_id },
            }),
            Kind::Attributes => json!({
                "subject": {
                    "type": "user", "id": self.subject_id,
                    "properties": { "roles": self.roles, "clearance": self.clearance },
                },
                "action": { "name": self.action },
                "resource": {
                    "type": self.resource_type, "id": self.resource_id,
                    "properties": { "owner": self.owner, "sensitivity": self.sensitivity },
                },
                "context": { "ip": self.ip.to_string(), "hour": self.hour },
            }),
        }
    }
}

/// Fallgate's bundle for the workload, with cached decisions or without.
#[must_use]
pub fn document(kind: Kind, grants: &Grants, cached: bool) -> Value {
    let subject = match kind {
        Kind::Roles => json!({ "roles": ["string"] }),
        Kind::Attributes => json!({ "roles": ["string"], "clearance": "int" }),
    };
    let resource = match kind {
        Kind::Roles => json!({}),
        Kind::Attributes => json!({ "owner": "string", "sensitivity": "int" }),
    };
    let resources: serde_json::Map<String, Value> =
        RESOURCES.iter().map(|name| ((*name).to_owned(), resource.clone())).collect();
    let context = match kind {
        Kind::Roles => json!({}),
        Kind::Attributes => json!({ "ip": "ip", "hour": "int" }),
    };
    let actions: serde_json::Map<String, Value> = ACTIONS
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let mut action = json!({ "class": if at < READS { "read" } else { "write" } });
            if cached {
                action["cache"] = json!({ "allow": "1h", "deny": "1h" });
            }
            ((*name).to_owned(), action)
        })
        .collect();
    json!({
        "fallgate": 1,
        "name": if kind == Kind::Roles { "w1-roles" } else { "w2-attributes" },
        "revision": 1,
        "schema": { "subject": { "user": subject }, "resource": resources, "context": context },
        "actions": actions,
        "rules": rules(kind, grants),
    })
}

/// One allow rule for each role and type of resource, with its list of actions; in W2 one for reads and one for writes.
fn rules(kind: Kind, grants: &Grants) -> Vec<Value> {
    let clearance = "subject.clearance >= resource.sensitivity";
    let owner = "subject.clearance >= resource.sensitivity && resource.owner == subject.id";
    let conditions: &[(&str, std::ops::Range<usize>, Option<&str>)] = match kind {
        Kind::Roles => &[("uses", 0..ACTIONS.len(), None)],
        Kind::Attributes => &[("reads", 0..READS, Some(clearance)), ("writes", READS..ACTIONS.len(), Some(owner))],
    };
    let mut rules = Vec::new();
    for (role, permissions) in &grants.roles {
        for (at, resource) in RESOURCES.iter().enumerate() {
            for (verb, range, when) in conditions {
                let actions: Vec<&str> = permissions
                    .iter()
                    .filter(|(action, on)| *on == at && range.contains(action))
                    .map(|(action, _)| ACTIONS[*action])
                    .collect();
                if actions.is_empty() {
                    continue;
                }
                let mut rule = json!({
                    "id": format!("{role}-{verb}-{resource}"),
                    "effect": "allow",
                    "action": actions,
                    "subject": { "type": "user", "roles": role },
                    "resource": { "type": resource },
                });
                if let Some(when) = when {
                    rule["when"] = json!(when);
                }
                rules.push(rule);
            }
        }
    }
    if kind == Kind::Attributes {
        let blocked: Vec<String> = BLOCKED
            .iter()
            .map(|(network, length)| format!("cidr('{network}/{length}').containsIP(context.ip)"))
            .collect();
        let (open, close) = BUSINESS;
        rules.push(json!({ "id": "blocked-networks", "effect": "deny", "when": blocked.join(" || ") }));
        rules.push(json!({
            "id": "outside-business-hours", "effect": "deny",
            "when": format!("context.hour < {open} || context.hour >= {close}"),
        }));
    }
    rules
}
