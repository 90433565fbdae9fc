//! W1 and W2 by hand.

use std::net::Ipv4Addr;

use serde::Deserialize;

use crate::roles::{ACTIONS, BLOCKED, BUSINESS, Grants, Kind, READS, RESOURCES, Request};
use crate::text::Text;

/// The floor: the same policy as a careful programmer would write it by hand, for this one purpose.
#[derive(Debug)]
pub struct Floor {
    kind: Kind,
    actions: hashbrown::HashMap<&'static str, usize, foldhash::fast::FixedState>,
    resources: hashbrown::HashMap<&'static str, usize, foldhash::fast::FixedState>,
    /// A bit for each permission.
    roles: hashbrown::HashMap<String, u128, foldhash::fast::FixedState>,
}

/// The request's members that the floor reads from JSON.
#[derive(Debug, Deserialize)]
struct Parsed<'a> {
    #[serde(borrow)]
    subject: Subject<'a>,
    #[serde(borrow)]
    action: Action<'a>,
    #[serde(borrow)]
    resource: Resource<'a>,
    #[serde(borrow, default)]
    context: Context<'a>,
}

#[derive(Debug, Deserialize)]
struct Subject<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    properties: SubjectProperties<'a>,
}

#[derive(Debug, Deserialize)]
struct SubjectProperties<'a> {
    #[serde(borrow)]
    roles: Vec<Text<'a>>,
    clearance: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Action<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

#[derive(Debug, Deserialize)]
struct Resource<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    properties: Option<ResourceProperties<'a>>,
}

#[derive(Debug, Deserialize)]
struct ResourceProperties<'a> {
    #[serde(borrow)]
    owner: Option<Text<'a>>,
    sensitivity: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
struct Context<'a> {
    #[serde(borrow)]
    ip: Option<Text<'a>>,
    hour: Option<i64>,
}

impl Floor {
    /// Tables for the grants.
    #[must_use]
    pub fn new(kind: Kind, grants: &Grants) -> Self {
        let numbered = |names: &[&'static str]| names.iter().enumerate().map(|(at, name)| (*name, at)).collect();
        let roles = grants.roles.iter().map(|(role, permissions)| {
            let bits = permissions.iter().fold(0u128, |bits, (action, resource)| bits | bit(*action, *resource));
            (role.clone(), bits)
        });
        Self { kind, actions: numbered(&ACTIONS), resources: numbered(&RESOURCES), roles: roles.collect() }
    }

    /// Decides on a request in memory.
    #[must_use]
    pub fn decide(&self, request: &Request) -> bool {
        let roles = request.roles.iter().map(String::as_str);
        let Some(action) = self.granted(roles, &request.action, &request.resource_type) else {
            return false;
        };
        self.kind == Kind::Roles
            || (request.clearance >= request.sensitivity
                && (action < READS || request.owner == request.subject_id)
                && permitted(request.ip, request.hour))
    }

    /// Decides on an AuthZEN request in JSON.
    #[must_use]
    pub fn decide_bytes(&self, bytes: &[u8]) -> bool {
        serde_json::from_slice(bytes).ok().and_then(|parsed| self.decide_parsed(&parsed)).unwrap_or(false)
    }

    fn decide_parsed(&self, request: &Parsed<'_>) -> Option<bool> {
        let roles = request.subject.properties.roles.iter().map(|role| &**role);
        let action = self.granted(roles, &request.action.name, &request.resource.kind)?;
        if &*request.subject.kind != "user" {
            return None;
        }
        if self.kind == Kind::Roles {
            return Some(true);
        }
        let resource = request.resource.properties.as_ref()?;
        let ip = request.context.ip.as_ref()?.parse().ok()?;
        Some(
            request.subject.properties.clearance? >= resource.sensitivity?
                && (action < READS || **resource.owner.as_ref()? == *request.subject.id)
                && permitted(ip, request.context.hour?),
        )
    }

    /// The action's index where one of the roles grants it on the type of resource.
    fn granted<'a>(&self, roles: impl Iterator<Item = &'a str>, action: &str, resource: &str) -> Option<usize> {
        let action = *self.actions.get(action)?;
        let wanted = bit(action, *self.resources.get(resource)?);
        let mut granted = roles.filter_map(|role| self.roles.get(role));
        granted.any(|bits| bits & wanted != 0).then_some(action)
    }
}

fn bit(action: usize, resource: usize) -> u128 {
    1 << (action * RESOURCES.len() + resource)
}

fn permitted(ip: Ipv4Addr, hour: i64) -> bool {
    let blocked = |(network, length): &(Ipv4Addr, u32)| (ip.to_bits() ^ network.to_bits()) >> (32 - length) == 0;
    hour >= BUSINESS.0 && hour < BUSINESS.1 && !BLOCKED.iter().any(blocked)
}
