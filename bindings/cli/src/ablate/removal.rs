//! What can be taken away: a member of the request, of the data or of the input at any depth, or a signal.

use serde_json::Value;

/// From what something is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Root {
    /// A pack's request.
    Request,
    /// The input of a lone Rego policy.
    Input,
    /// The data.
    Data,
    /// What was observed of signals.
    Signals,
}

/// One step down: into a map or into a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The member of that name.
    Member(String),
    /// The item of that number.
    Item(usize),
}

/// One thing to take away, with everything below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Removal {
    /// From what.
    pub root: Root,
    /// The way there; at least one step.
    pub path: Vec<Step>,
}

impl Removal {
    /// What was observed of a signal.
    #[must_use]
    pub fn signal(name: &str) -> Self {
        Self { root: Root::Signals, path: vec![Step::Member(name.to_owned())] }
    }

    /// Whether taking this away takes the other away too.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.root == other.root && other.path.starts_with(&self.path)
    }

    /// The JSON Pointer of what is taken away, in what it is taken from.
    #[must_use]
    pub fn pointer(&self) -> String {
        let part = |step: &Step| match step {
            Step::Member(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
            Step::Item(number) => format!("/{number}"),
        };
        self.path.iter().map(part).collect()
    }

    /// The names on the way, as a policy writes them: `subject.suspended`, `input.user.roles[0]`, `data.limits["a-b"]`.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut path = self.path.as_slice();
        let mut text = match self.root {
            Root::Request => String::new(),
            Root::Input => "input".to_owned(),
            Root::Data => "data".to_owned(),
            Root::Signals => "signals".to_owned(),
        };
        // A condition reads an entity's properties as its own.
        if let (Root::Request, [Step::Member(entity), Step::Member(properties), rest @ ..]) = (self.root, path)
            && properties == "properties"
        {
            text.push_str(entity);
            path = rest;
        }
        for step in path {
            match step {
                Step::Item(number) => text.push_str(&format!("[{number}]")),
                Step::Member(name) if !is_plain(name) => text.push_str(&format!("[{}]", Value::from(name.as_str()))),
                Step::Member(name) if text.is_empty() => text.push_str(name),
                Step::Member(name) => text.push_str(&format!(".{name}")),
            }
        }
        text
    }

    /// The names on the way, without the numbers of items.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.path
            .iter()
            .filter_map(|step| match step {
                Step::Member(name) => Some(name.as_str()),
                Step::Item(_) => None,
            })
            .collect()
    }

    /// Whether an item of a list is on the way, or is what is taken away.
    #[must_use]
    pub fn has_items(&self) -> bool {
        self.path.iter().any(|step| matches!(step, Step::Item(_)))
    }

    /// The names on the way, from the root that a Rego module reads, up to the first number.
    #[must_use]
    pub fn rego_path(&self) -> Vec<String> {
        let root: &[&str] = match self.root {
            Root::Request | Root::Input => &["input"],
            Root::Data => &["data"],
            Root::Signals => &["input", "signals"],
        };
        let names = self.path.iter().map_while(|step| match step {
            Step::Member(name) => Some(name.clone()),
            Step::Item(_) => None,
        });
        root.iter().map(|name| (*name).to_owned()).chain(names).collect()
    }
}

fn is_plain(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// How far to look.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// Whether the items of lists are taken away too. Else a list is whole or gone; what is inside its items is not.
    pub items: bool,
    /// How many levels below the start.
    pub levels: usize,
}

/// Everything below `path` in `value` that can be taken away, what is inside before what it is in.
#[must_use]
pub fn removals(root: Root, path: &[Step], value: &Value, reach: Reach) -> Vec<Removal> {
    let mut found = Vec::new();
    below(root, path, value, reach, &mut found);
    found
}

fn below(root: Root, path: &[Step], value: &Value, reach: Reach, found: &mut Vec<Removal>) {
    let Some(levels) = reach.levels.checked_sub(1) else { return };
    let inner = Reach { levels, ..reach };
    let mut take = |step: Step, value: &Value, is_taken: bool| {
        let path: Vec<Step> = path.iter().cloned().chain([step]).collect();
        below(root, &path, value, inner, found);
        if is_taken {
            found.push(Removal { root, path });
        }
    };
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| take(Step::Member(name.clone()), value, true));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(number, value)| take(Step::Item(number), value, reach.items));
        }
        _ => {}
    }
}

/// The value without those of `lost` that are taken from `root`.
#[must_use]
pub fn without(root: Root, value: &Value, lost: &[&Removal]) -> Value {
    let mut paths: Vec<&[Step]> = lost.iter().filter(|one| one.root == root).map(|one| one.path.as_slice()).collect();
    // The last item of a list first, so that the numbers of the others still hold.
    paths.sort_unstable_by(|a, b| b.cmp(a));
    let mut left = value.clone();
    for path in paths {
        remove(&mut left, path);
    }
    left
}

fn remove(value: &mut Value, path: &[Step]) {
    match (path, value) {
        ([Step::Member(name)], Value::Object(members)) => drop(members.remove(name)),
        ([Step::Item(number)], Value::Array(items)) if *number < items.len() => drop(items.remove(*number)),
        ([Step::Member(name), rest @ ..], Value::Object(members)) => {
            members.get_mut(name).into_iter().for_each(|value| remove(value, rest));
        }
        ([Step::Item(number), rest @ ..], Value::Array(items)) => {
            items.get_mut(*number).into_iter().for_each(|value| remove(value, rest));
        }
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use serde_json::json;

    use super::*;

    const DEEP: Reach = Reach { items: false, levels: 9 };

    #[test]
    fn what_is_inside_comes_before_what_it_is_in() {
        let input = json!({"user": {"id": "ann", "roles": ["a", {"b-c": 1}]}});
        let shown =
            |reach| -> Vec<String> { removals(Root::Input, &[], &input, reach).iter().map(Removal::shown).collect() };
        assert_eq!(shown(DEEP), ["input.user.id", "input.user.roles[1][\"b-c\"]", "input.user.roles", "input.user"]);
        assert_eq!(
            shown(Reach { items: true, ..DEEP }),
            [
                "input.user.id",
                "input.user.roles[0]",
                "input.user.roles[1][\"b-c\"]",
                "input.user.roles[1]",
                "input.user.roles",
                "input.user"
            ]
        );
        assert_eq!(shown(Reach { items: true, levels: 1 }), ["input.user"]);
    }

    #[test]
    fn two_items_of_one_list_are_those_that_were_meant() {
        let input = json!({"l": [1, 2, 3], "m": 4});
        let all = removals(Root::Input, &[], &input, Reach { items: true, levels: 9 });
        let named = |name: &str| all.iter().find(|one| one.shown() == name).unwrap();
        let left = without(Root::Input, &input, &[named("input.l[0]"), named("input.l[2]")]);
        assert_eq!(left, json!({"l": [2], "m": 4}));
        assert_eq!(without(Root::Data, &input, &[named("input.m")]), input);
        assert!(named("input.l").contains(named("input.l[1]")) && !named("input.l[1]").contains(named("input.l")));
    }

    #[test]
    fn an_entitys_properties_are_named_as_conditions_name_them() {
        let path = ["subject", "properties", "refund limit"].map(|name| Step::Member(name.to_owned())).to_vec();
        let removal = Removal { root: Root::Request, path };
        assert_eq!(removal.shown(), "subject[\"refund limit\"]");
        assert_eq!(removal.pointer(), "/subject/properties/refund limit");
        assert_eq!(Removal::signal("idp").shown(), "signals.idp");
        assert_eq!(Removal::signal("idp").rego_path(), ["input", "signals", "idp"]);
    }
}
