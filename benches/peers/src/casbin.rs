//! casbin: a policy line for each permission of each role, or for each rule; attributes in the matcher.

use casbin::function_map::OperatorFunction;
use casbin::prelude::{CachedEnforcer, CoreApi, DefaultModel, Enforcer, MemoryAdapter, MgmtApi};
use casbin::rhai::Dynamic;
use casbin::{CachedApi, DefaultCache};
use fallgate_benches::contest::{Contest, Label};
use fallgate_benches::{REQUESTS, many_rules, roles};

use crate::Failure;

const VERSION: &str = "2.20.0";

/// A model, its policy lines, and the requests as casbin's own values.
struct Policy {
    model: String,
    lines: Vec<Vec<String>>,
    requests: Vec<Vec<Dynamic>>,
}

/// Adds the lanes for W1 or W2, uncached and cached.
///
/// # Errors
///
/// Where the model or a policy is refused.
pub fn roles(
    contest: &mut Contest<'_>,
    kind: roles::Kind,
    grants: &roles::Grants,
    requests: &[roles::Request],
) -> Result<(), Failure> {
    let reads = &roles::ACTIONS[..roles::READS];
    let granted = "p.role in r.roles && p.type == r.type && p.act == r.act";
    let mut lines = Vec::new();
    for (role, permissions) in &grants.roles {
        for (action, resource) in permissions {
            let (action, resource) = (roles::ACTIONS[*action], roles::RESOURCES[*resource]);
            let verb = if reads.contains(&action) { "read" } else { "write" };
            lines.push([verb, role, resource, action, "0.0.0.0/32", "allow"].map(str::to_owned).to_vec());
        }
    }
    let matcher = match kind {
        roles::Kind::Roles => granted.to_owned(),
        roles::Kind::Attributes => {
            for (network, length) in roles::BLOCKED {
                let network = format!("{network}/{length}");
                lines.push(["net", "-", "-", "-", &network, "deny"].map(str::to_owned).to_vec());
            }
            lines.push(["hours", "-", "-", "-", "0.0.0.0/32", "deny"].map(str::to_owned).to_vec());
            let (open, close) = roles::BUSINESS;
            format!(
                "({granted} && r.clearance >= r.sensitivity && (p.kind == \"read\" || r.owner == r.sub)) \
                 || (p.kind == \"net\" && ipMatch(r.ip, p.net)) \
                 || (p.kind == \"hours\" && (r.hour < {open} || r.hour >= {close}))"
            )
        }
    };
    let model = model(
        "sub, roles, clearance, act, type, owner, sensitivity, ip, hour",
        "kind, role, type, act, net, eft",
        &matcher,
    );
    let prepared = |request: &roles::Request| -> Vec<Dynamic> {
        vec![
            request.subject_id.clone().into(),
            list(&request.roles),
            number(request.clearance),
            request.action.clone().into(),
            request.resource_type.clone().into(),
            request.owner.clone().into(),
            number(request.sensitivity),
            request.ip.to_string().into(),
            number(request.hour),
        ]
    };
    lanes(contest, Policy { model, lines, requests: requests.iter().map(prepared).collect() })
}

/// Adds the lanes for W3, uncached and cached.
///
/// # Errors
///
/// Where the model or a policy is refused.
pub fn many_rules(
    contest: &mut Contest<'_>,
    rules: &[many_rules::Rule],
    requests: &[many_rules::Request],
) -> Result<(), Failure> {
    // A number of its own keeps two rules that are otherwise the same apart: casbin's policy is a set.
    let line = |(at, rule): (usize, &many_rules::Rule)| {
        let eft = if rule.allow { "allow" } else { "deny" };
        let action = many_rules::ACTIONS[rule.action].to_owned();
        vec![at.to_string(), rule.group.clone(), action, rule.prefix.clone(), eft.to_owned()]
    };
    let matcher = "r.act == p.act && p.group in r.groups && under(r.path, p.prefix)";
    let model = model("sub, groups, act, path", "id, group, act, prefix, eft", matcher);
    let prepared = |request: &many_rules::Request| -> Vec<Dynamic> {
        let [subject, action, path] = [&request.subject_id, &request.action, &request.path];
        vec![subject.clone().into(), list(&request.groups), action.clone().into(), path.clone().into()]
    };
    let lines = rules.iter().enumerate().map(line).collect();
    lanes(contest, Policy { model, lines, requests: requests.iter().map(prepared).collect() })
}

/// casbin's numbers have 32 bits.
fn number(number: i64) -> Dynamic {
    i32::try_from(number).unwrap_or(i32::MAX).into()
}

fn list(texts: &[String]) -> Dynamic {
    Dynamic::from_array(texts.iter().map(|text| text.clone().into()).collect())
}

fn model(request: &str, policy: &str, matcher: &str) -> String {
    let effect = "some(where (p.eft == allow)) && !some(where (p.eft == deny))";
    format!(
        "[request_definition]\nr = {request}\n[policy_definition]\np = {policy}\n[policy_effect]\ne = {effect}\n\
         [matchers]\nm = {matcher}\n"
    )
}

/// Whether the path lies under the prefix.
fn under(path: Dynamic, prefix: Dynamic) -> Dynamic {
    let texts = path.into_immutable_string().ok().zip(prefix.into_immutable_string().ok());
    texts.is_some_and(|(path, prefix)| path.starts_with(prefix.as_str())).into()
}

fn lanes(contest: &mut Contest<'_>, policy: Policy) -> Result<(), Failure> {
    let Policy { model, lines, requests } = policy;
    let (plain, cached) = pollster::block_on(async {
        let model = DefaultModel::from_str(&model).await?;
        let mut plain = Enforcer::new(model.clone(), MemoryAdapter::default()).await?;
        plain.add_function("under", OperatorFunction::Arg2(under));
        plain.add_policies(lines.clone()).await?;
        let mut cached = CachedEnforcer::new(model, MemoryAdapter::default()).await?;
        cached.add_function("under", OperatorFunction::Arg2(under));
        cached.add_policies(lines).await?;
        Ok::<_, casbin::Error>((plain, cached))
    })?;
    let mut cached = cached;
    cached.set_cache(Box::new(DefaultCache::new(4 * REQUESTS)));
    let again = requests.clone();
    let timed = "`enforce`; the request's values made before, and cloned for the call, which takes them";
    contest.lane(Label::new("casbin", VERSION, "prepared", timed), move |at| {
        plain.enforce(requests[at].clone()).unwrap_or(false)
    });
    let timed = "`CachedEnforcer::enforce`; the request's values made before, and cloned for the call";
    contest.lane(Label::new("casbin", VERSION, "cached, prepared", timed), move |at| {
        cached.enforce(again[at].clone()).unwrap_or(false)
    });
    Ok(())
}
