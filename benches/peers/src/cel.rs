//! The cel crate: one expression, its data as a variable, indexed as far as maps can.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;

use cel::{Context, Program, Value};
use fallgate_benches::contest::{Contest, Label};
use fallgate_benches::{many_rules, roles};
use serde_json::{Value as Json, json};

use crate::Failure;

const VERSION: &str = "0.15.0";

/// Adds the lanes for W1 or W2.
///
/// # Errors
///
/// Where the expression does not compile.
pub fn roles<'a>(
    contest: &mut Contest<'a>,
    kind: roles::Kind,
    grants: &roles::Grants,
    requests: &'a [Vec<u8>],
) -> Result<(), Failure> {
    let mut table = json!({});
    for (role, permissions) in &grants.roles {
        for (action, resource) in permissions {
            table[role][roles::ACTIONS[*action]][roles::RESOURCES[*resource]] = json!(true);
        }
    }
    let granted = "subject.type == 'user' && subject.properties.roles.exists(role, role in grants \
                   && action.name in grants[role] && resource.type in grants[role][action.name])";
    let expression = match kind {
        roles::Kind::Roles => granted.to_owned(),
        roles::Kind::Attributes => {
            let (open, close) = roles::BUSINESS;
            format!(
                "{granted} && subject.properties.clearance >= resource.properties.sensitivity \
                 && (action.name in reads || resource.properties.owner == subject.id) \
                 && !blocked(context.ip) && context.hour >= {open} && context.hour < {close}"
            )
        }
    };
    let reads: HashMap<String, Value> =
        roles::ACTIONS[..roles::READS].iter().map(|action| ((*action).to_owned(), true.into())).collect();
    lanes(contest, &expression, [("grants", value(&table)), ("reads", reads.into())], requests)
}

/// Adds the lanes for W3: the rules are data, by group and action.
///
/// # Errors
///
/// Where the expression does not compile.
pub fn many_rules<'a>(
    contest: &mut Contest<'a>,
    rules: &[many_rules::Rule],
    requests: &'a [Vec<u8>],
) -> Result<(), Failure> {
    let [mut allows, mut denies] = [json!({}), json!({})];
    for rule in rules {
        let table = if rule.allow { &mut allows } else { &mut denies };
        let listed = &mut table[&rule.group][many_rules::ACTIONS[rule.action]];
        if listed.is_null() {
            *listed = json!([]);
        }
        if let Some(listed) = listed.as_array_mut() {
            listed.push(json!(rule.prefix));
        }
    }
    let under = |table: &str| {
        format!(
            "subject.properties.groups.exists(group, group in {table} && action.name in {table}[group] \
             && {table}[group][action.name].exists(prefix, resource.properties.path.startsWith(prefix)))"
        )
    };
    let kinds = "subject.type == 'user' && resource.type == 'file'";
    let expression = format!("{kinds} && {} && !{}", under("allows"), under("denies"));
    lanes(contest, &expression, [("allows", value(&allows)), ("denies", value(&denies))], requests)
}

fn lanes<'a>(
    contest: &mut Contest<'a>,
    expression: &str,
    data: [(&str, Value); 2],
    requests: &'a [Vec<u8>],
) -> Result<(), Failure> {
    let program = Rc::new(Program::compile(expression)?);
    let mut root = Context::default();
    root.add_function("blocked", |address: Arc<String>| blocked(&address))?;
    for (name, value) in data {
        root.add_variable_from_value(name, value);
    }
    // The requests' contexts have it for a parent as long as the program runs.
    let root: &'static Context<'static, 'static> = Box::leak(Box::new(root));
    let prepared = requests.iter().map(|bytes| scope(root, bytes)).collect::<Result<Vec<_>, _>>()?;
    let decides = Rc::clone(&program);
    let timed = "the evaluation; the program compiled, and the request's variables bound before";
    contest.lane(Label::new("cel", VERSION, "prepared", timed), move |at| allows(&decides, &prepared[at]));
    let timed = "parsing the JSON, binding the request's variables, and the evaluation";
    contest.lane(Label::new("cel", VERSION, "bytes", timed), move |at| {
        scope(root, &requests[at]).is_ok_and(|scope| allows(&program, &scope))
    });
    Ok(())
}

fn scope(
    root: &'static Context<'static, 'static>,
    bytes: &[u8],
) -> Result<Context<'static, 'static>, serde_json::Error> {
    let request: Json = serde_json::from_slice(bytes)?;
    let mut scope = root.new_inner_scope();
    for (name, of_name) in request.as_object().into_iter().flatten() {
        scope.add_variable_from_value(name.as_str(), value(of_name));
    }
    Ok(scope)
}

fn allows(program: &Program, scope: &Context<'_, '_>) -> bool {
    matches!(program.execute(scope), Ok(Value::Bool(true)))
}

/// JSON as CEL has it: a whole number is an `int`.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or(f64::NAN)), Value::Int)
        }
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => items.iter().map(value).collect::<Vec<_>>().into(),
        Json::Object(members) => {
            members.iter().map(|(name, of_name)| (name.clone(), value(of_name))).collect::<HashMap<_, _>>().into()
        }
    }
}

/// The crate has no networks: what a host would add.
fn blocked(address: &str) -> bool {
    let Ok(address) = address.parse::<Ipv4Addr>() else { return true };
    roles::BLOCKED.iter().any(|(network, length)| (address.to_bits() ^ network.to_bits()) >> (32 - length) == 0)
}
