//! `json.filter` and `json.remove`: an object cut to some paths, or without them (spec 1.10).

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use regorus::Value;

/// Paths as a tree: where nothing follows, the path ends.
#[derive(Default)]
struct Tree {
    below: BTreeMap<String, Tree>,
    ends: bool,
}

/// The object with nothing but what is at the paths.
pub(super) fn filter(arguments: &[Value]) -> Result<Value> {
    let (object, tree) = object_and_tree(arguments)?;
    kept(object, &tree)
}

/// The object without what is at the paths.
pub(super) fn remove(arguments: &[Value]) -> Result<Value> {
    let (object, tree) = object_and_tree(arguments)?;
    without(object, &tree)
}

fn object_and_tree(arguments: &[Value]) -> Result<(&Value, Tree)> {
    let Some(object @ Value::Object(_)) = arguments.first() else { bail!("the first argument is not an object") };
    let paths: Vec<&Value> = match arguments.get(1) {
        Some(Value::Array(paths)) => paths.iter().collect(),
        Some(Value::Set(paths)) => paths.iter().collect(),
        _ => bail!("the second argument is not a list or a set of paths"),
    };
    let mut tree = Tree::default();
    for path in paths {
        let mut at = &mut tree;
        for name in names(path)? {
            at = at.below.entry(name).or_default();
        }
        at.ends = true;
    }
    Ok((object, tree))
}

fn names(path: &Value) -> Result<Vec<String>> {
    let names: Vec<String> = match path {
        Value::String(text) => {
            let text = text.trim_start_matches('/');
            text.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect()
        }
        Value::Array(names) => {
            let name = |name: &Value| match name {
                Value::String(name) => Ok(name.to_string()),
                _ => bail!("a path has a part that is not a string"),
            };
            names.iter().map(name).collect::<Result<_>>()?
        }
        _ => bail!("a path is not a string or a list"),
    };
    if names.iter().all(String::is_empty) {
        bail!("a path is empty");
    }
    Ok(names)
}

fn kept(value: &Value, tree: &Tree) -> Result<Value> {
    if tree.ends {
        return Ok(value.clone());
    }
    match value {
        Value::Object(entries) => {
            let mut result = BTreeMap::new();
            for (key, value) in entries.iter() {
                if let Some(tree) = below(tree, key) {
                    result.insert(key.clone(), kept(value, tree)?);
                }
            }
            Ok(Value::from(result))
        }
        Value::Array(items) => {
            let mut result = Vec::new();
            for (index, item) in items.iter().enumerate() {
                if let Some(tree) = tree.below.get(&index.to_string()) {
                    result.push(kept(item, tree)?);
                }
            }
            Ok(Value::from(result))
        }
        Value::Set(_) => bail!("a path goes through a set"),
        other => Ok(other.clone()),
    }
}

fn without(value: &Value, tree: &Tree) -> Result<Value> {
    match value {
        Value::Object(entries) => {
            let mut result = BTreeMap::new();
            for (key, value) in entries.iter() {
                match below(tree, key) {
                    None => drop(result.insert(key.clone(), value.clone())),
                    Some(tree) if tree.ends => {}
                    Some(tree) => drop(result.insert(key.clone(), without(value, tree)?)),
                }
            }
            Ok(Value::from(result))
        }
        Value::Array(items) => {
            let mut result = Vec::new();
            for (index, item) in items.iter().enumerate() {
                match tree.below.get(&index.to_string()) {
                    None => result.push(item.clone()),
                    Some(tree) if tree.ends => {}
                    Some(tree) => result.push(without(item, tree)?),
                }
            }
            Ok(Value::from(result))
        }
        Value::Set(_) => bail!("a path goes through a set"),
        other => Ok(other.clone()),
    }
}

fn below<'a>(tree: &'a Tree, key: &Value) -> Option<&'a Tree> {
    match key {
        Value::String(name) => tree.below.get(&**name),
        _ => None,
    }
}
