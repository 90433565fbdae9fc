//! cedar-policy: a policy for each role, or for each rule.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    RestrictedExpression,
};
use fallgate_benches::contest::{Contest, Label};
use fallgate_benches::{many_rules, roles};

use crate::Failure;

/// A request and the entities that it needs, built before.
type Prepared = (Request, Entities);

/// Adds the lane for W1 or W2: permissions are actions, roles are groups of users.
///
/// # Errors
///
/// Where a policy does not parse or an entity cannot be made.
pub fn roles<'a>(
    contest: &mut Contest<'a>,
    kind: roles::Kind,
    grants: &roles::Grants,
    requests: &[roles::Request],
) -> Result<(), Failure> {
    let policies = roles_policies(kind, grants)?.parse()?;
    let prepared = requests.iter().map(|request| role_request(kind, request)).collect::<Result<_, _>>()?;
    lane(contest, policies, prepared);
    Ok(())
}

fn roles_policies(kind: roles::Kind, grants: &roles::Grants) -> Result<String, Failure> {
    let mut text = String::new();
    for (role, permissions) in &grants.roles {
        for (range, condition) in conditions(kind) {
            let actions: Vec<String> = permissions
                .iter()
                .filter(|(action, _)| range.contains(action))
                .map(|(action, resource)| permission(roles::ACTIONS[*action], roles::RESOURCES[*resource]))
                .collect();
            let actions = actions.join(", ");
            writeln!(text, "permit(principal in Role::\"{role}\", action in [{actions}], resource) {condition};")?;
        }
    }
    if kind == roles::Kind::Attributes {
        let blocked: Vec<String> = roles::BLOCKED
            .iter()
            .map(|(network, length)| format!("context.ip.isInRange(ip(\"{network}/{length}\"))"))
            .collect();
        let (open, close) = roles::BUSINESS;
        writeln!(text, "forbid(principal, action, resource) when {{ {} }};", blocked.join(" || "))?;
        writeln!(
            text,
            "forbid(principal, action, resource) when {{ context.hour < {open} || context.hour >= {close} }};"
        )?;
    }
    Ok(text)
}

fn conditions(kind: roles::Kind) -> Vec<(std::ops::Range<usize>, &'static str)> {
    match kind {
        roles::Kind::Roles => vec![(0..roles::ACTIONS.len(), "")],
        roles::Kind::Attributes => vec![
            (0..roles::READS, "when { principal.clearance >= resource.sensitivity }"),
            (
                roles::READS..roles::ACTIONS.len(),
                "when { principal.clearance >= resource.sensitivity && resource.owner == principal }",
            ),
        ],
    }
}

fn permission(action: &str, resource: &str) -> String {
    format!("Action::\"{action} {resource}\"")
}

fn role_request(kind: roles::Kind, request: &roles::Request) -> Result<Prepared, Failure> {
    let parents: HashSet<EntityUid> =
        request.roles.iter().map(|role| uid("Role", role)).collect::<Result<_, Failure>>()?;
    let principal = uid("user", &request.subject_id)?;
    let resource = uid(&request.resource_type, &request.resource_id)?;
    let action = format!("{} {}", request.action, request.resource_type);
    let (mut of_principal, mut of_resource, mut context) = (HashMap::new(), HashMap::new(), Context::empty());
    if kind == roles::Kind::Attributes {
        of_principal.insert("clearance".to_owned(), RestrictedExpression::new_long(request.clearance));
        of_resource.insert("sensitivity".to_owned(), RestrictedExpression::new_long(request.sensitivity));
        let owner = RestrictedExpression::new_entity_uid(uid("user", &request.owner)?);
        of_resource.insert("owner".to_owned(), owner);
        context = Context::from_pairs([
            ("ip".to_owned(), RestrictedExpression::new_ip(request.ip.to_string())),
            ("hour".to_owned(), RestrictedExpression::new_long(request.hour)),
        ])?;
    }
    let entities = Entities::from_entities(
        [
            Entity::new(principal.clone(), of_principal, parents)?,
            Entity::new(resource.clone(), of_resource, HashSet::new())?,
        ],
        None,
    )?;
    Ok((Request::new(principal, uid("Action", &action)?, resource, context, None)?, entities))
}

/// Adds the lane for W3: a policy for each rule.
///
/// # Errors
///
/// Where a policy does not parse or an entity cannot be made.
pub fn many_rules<'a>(
    contest: &mut Contest<'a>,
    rules: &[many_rules::Rule],
    requests: &[many_rules::Request],
) -> Result<(), Failure> {
    let mut text = String::new();
    for rule in rules {
        let effect = if rule.allow { "permit" } else { "forbid" };
        let action = many_rules::ACTIONS[rule.action];
        let many_rules::Rule { group, prefix, .. } = rule;
        writeln!(
            text,
            "{effect}(principal in Group::\"{group}\", action == Action::\"{action}\", resource is file) \
             when {{ resource.path like \"{prefix}*\" }};"
        )?;
    }
    let prepared = requests.iter().map(file_request).collect::<Result<_, _>>()?;
    lane(contest, text.parse()?, prepared);
    Ok(())
}

fn file_request(request: &many_rules::Request) -> Result<Prepared, Failure> {
    let parents: HashSet<EntityUid> =
        request.groups.iter().map(|group| uid("Group", group)).collect::<Result<_, Failure>>()?;
    let (principal, resource) = (uid("user", &request.subject_id)?, uid("file", &request.path)?);
    let path = RestrictedExpression::new_string(request.path.clone());
    let entities = Entities::from_entities(
        [
            Entity::new(principal.clone(), HashMap::new(), parents)?,
            Entity::new(resource.clone(), HashMap::from([("path".to_owned(), path)]), HashSet::new())?,
        ],
        None,
    )?;
    Ok((Request::new(principal, uid("Action", &request.action)?, resource, Context::empty(), None)?, entities))
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, Failure> {
    Ok(EntityUid::from_type_name_and_id(kind.parse::<EntityTypeName>()?, EntityId::new(id)))
}

fn lane(contest: &mut Contest<'_>, policies: PolicySet, prepared: Vec<Prepared>) {
    let authorizer = Authorizer::new();
    let version = cedar_policy::get_sdk_version().to_string();
    let timed = "the call; policies parsed, request and entities built before";
    contest.lane(Label::new("cedar-policy", &version, "prepared", timed), move |at| {
        let (request, entities) = &prepared[at];
        authorizer.is_authorized(request, &policies, entities).decision() == Decision::Allow
    });
}
