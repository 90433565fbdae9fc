//! What two policies hold the attributes of a request against, for one action and one type of subject and resource.

use std::collections::{BTreeMap, BTreeSet};

use fallgate::condition::Entity;
use fallgate::condition::boundaries::{Boundaries, Cut, Leaf};
use fallgate::condition::program::Program;
use fallgate::policy::compile::Policy;
use fallgate::policy::format::{OneOrMany, Pack};
use fallgate::policy::rule::{Condition, Rule, Scalar, ScalarView, Test};
use fallgate::request::value_to_json;
use fallgate::value::View;
use fallgate::value_type::ValueType;
use serde_json::Value;

use super::domain::{Constant, Domain, Held};

/// An attribute, or a field of one: the entity, and the names down to it.
pub type Place = (Entity, Vec<String>);

/// What is asked about: the action, and the types of the subject and the resource.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The action.
    pub action: &'a str,
    /// The type of the subject.
    pub subject: &'a str,
    /// The type of the resource.
    pub resource: &'a str,
}

/// How two attributes are held against one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Equality,
    Order,
    /// The first is looked for in the second, a list.
    Member,
}

/// What attributes are held against.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// By attribute.
    held: BTreeMap<Place, Held>,
    /// Which attributes are held against one another.
    pairs: Vec<(Place, Place, Link)>,
    /// Which are held against the time.
    with_now: BTreeSet<Place>,
    /// Why not everything that is read can be followed.
    pub loose: BTreeSet<String>,
    /// Whether something reads the whole request, as Rego does.
    pub reads_everything: bool,
}

/// A policy, with the document that it was made of.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The document.
    pub pack: &'a Pack,
}

impl<'a> Side<'a> {
    /// The rules that may have a say in what is asked about.
    #[must_use]
    pub fn rules(&self, about: About<'_>) -> Vec<&'a Rule> {
        let admitted: BTreeSet<&str> = self
            .pack
            .rules
            .iter()
            .filter(|rule| admits(rule.action.as_ref(), about.action))
            .map(|rule| rule.id.as_str())
            .collect();
        let types = [(Entity::Subject, about.subject), (Entity::Resource, about.resource)];
        let has_say = |rule: &&Rule| {
            let of_type = |(entity, type_name): (Entity, &str)| {
                let mut clauses = rule.clauses.iter().filter(|clause| self.is_slot(clause.slot, entity, "type"));
                clauses.all(|clause| clause.test.holds(ScalarView::Str(type_name)))
            };
            admitted.contains(rule.id.as_str()) && types.into_iter().all(of_type)
        };
        self.policy.rules.iter().filter(has_say).collect()
    }

    fn is_slot(&self, slot: u16, entity: Entity, name: &str) -> bool {
        let found = self.policy.schema.slots().get(usize::from(slot));
        found.is_some_and(|(of, known)| *of == entity && **known == *name)
    }

    fn place(&self, leaf: &Leaf<'_>) -> Option<Place> {
        let (entity, name) = self.policy.schema.slots().get(usize::from(leaf.slot))?;
        let fields = leaf.fields.iter().map(|field| (*field).to_owned());
        Some((*entity, std::iter::once(name.to_string()).chain(fields).collect()))
    }

    /// The conditions that have a say, whatever the rules are: those of postures.
    fn programs(&self) -> impl Iterator<Item = &Program> {
        self.policy.postures.specs.iter().filter_map(|spec| spec.when.as_ref())
    }
}

/// Whether a rule is about an action.
#[must_use]
pub fn admits(patterns: Option<&OneOrMany>, action: &str) -> bool {
    let one = |pattern: &String| match pattern.strip_suffix('*') {
        Some(start) => action.starts_with(start),
        None => pattern == action,
    };
    match patterns {
        None => true,
        Some(OneOrMany::One(pattern)) => one(pattern),
        Some(OneOrMany::Many(patterns)) => patterns.iter().any(one),
    }
}

impl Bounds {
    /// What these rules of both policies hold attributes against.
    #[must_use]
    pub fn of(sides: &[Side<'_>; 2], rules: &[Vec<&Rule>; 2], about: About<'_>, instants: &[i128]) -> Self {
        let mut bounds = Self::default();
        for (side, rules) in sides.iter().zip(rules) {
            bounds.read(side, rules.iter().copied());
        }
        // What is asked about is fixed, and what is held against it is held against a constant.
        for (entity, name, text) in [
            (Entity::Subject, "type", about.subject),
            (Entity::Resource, "type", about.resource),
            (Entity::Action, "name", about.action),
        ] {
            let held = bounds.held.entry((entity, vec![name.to_owned()])).or_default();
            held.constants.push(Constant::Text(text.to_owned()));
        }
        bounds.join(instants);
        bounds
    }

    /// The types of subjects or resources that the rules of either policy can tell apart, declared or not.
    #[must_use]
    pub fn types(sides: &[Side<'_>; 2], entity: Entity) -> Domain {
        let mut bounds = Self::default();
        for side in sides {
            bounds.read(side, side.policy.rules.iter());
        }
        bounds.join(&[]);
        let held = bounds.held.get(&(entity, vec!["type".to_owned()])).cloned().unwrap_or_default();
        Domain::of(&ValueType::String, &Held { is_read: true, ..held })
    }

    /// What the attribute of that place is held against.
    #[must_use]
    pub fn held(&self, place: &Place) -> Held {
        let mut held = self.held.get(place).cloned().unwrap_or_default();
        if self.reads_everything {
            held.is_read = true;
            held.is_loose = true;
        }
        held
    }

    /// Whether something below this place is read.
    #[must_use]
    pub fn is_read_below(&self, (entity, path): &Place) -> bool {
        let below = |(of, names): &Place| of == entity && names.len() > path.len() && names.starts_with(path);
        self.held.iter().any(|(place, held)| held.is_read && below(place))
    }

    fn read<'r>(&mut self, side: &Side<'_>, rules: impl Iterator<Item = &'r Rule>) {
        for program in side.programs() {
            self.program(side, program);
        }
        for scope in &side.policy.postures.scopes {
            let leaf = Leaf { slot: scope.slot, fields: Vec::new() };
            self.at(side, &leaf, |held| held.is_read = true);
        }
        for rule in rules {
            for clause in &rule.clauses {
                let leaf = Leaf { slot: clause.slot, fields: Vec::new() };
                self.at(side, &leaf, |held| match &*clause.test {
                    Test::OneOf(scalars) => held.constants.extend(scalars.iter().map(of_scalar)),
                    Test::Prefix(prefix) => held.prefixes.push(prefix.to_string()),
                });
            }
            match &rule.condition {
                Condition::Always => {}
                Condition::Cel(program) => self.program(side, program),
                Condition::Rego(_) => {
                    self.reads_everything = true;
                    self.loose.insert(format!("the rule `{}` is in Rego", rule.id));
                }
            }
        }
        if self.reads_everything {
            let literals: Vec<Value> = side.pack.rego.values().flat_map(|text| literals(text)).collect();
            for held in self.held.values_mut() {
                held.hints.extend(literals.iter().cloned());
            }
        }
    }

    fn program(&mut self, side: &Side<'_>, program: &Program) {
        let Boundaries { leaves, cuts, pairs, members, with_now, loose, hints, reads_age } = program.boundaries();
        for leaf in &leaves {
            self.at(side, leaf, |_| {});
        }
        for (leaf, cut) in &cuts {
            self.at(side, leaf, |held| match cut {
                Cut::Is(value) | Cut::Holds(value) => held.constants.push(of_view(*value)),
                Cut::Order(value) => {
                    held.is_ordered = true;
                    held.constants.push(of_view(*value));
                }
                Cut::StartsWith(text) => held.prefixes.push((*text).to_owned()),
                Cut::Within(network) => held.networks.push(*network),
            });
        }
        for (leaf, value) in hints.iter().map(|(leaf, value)| (leaf, *value)).chain(cuts.iter().filter_map(of_cut)) {
            if let Some(hint) = hint(value) {
                self.at(side, leaf, |held| held.hints.push(hint));
            }
        }
        for leaf in &loose {
            self.at(side, leaf, |held| held.is_loose = true);
        }
        self.with_now.extend(with_now.iter().filter_map(|leaf| side.place(leaf)));
        let mut link = |one: &Leaf<'_>, other: &Leaf<'_>, link: Link| {
            if let (Some(one), Some(other)) = (side.place(one), side.place(other)) {
                self.pairs.push((one, other, link));
            }
        };
        for (one, other, ordered) in &pairs {
            link(one, other, if *ordered { Link::Order } else { Link::Equality });
        }
        for (one, list) in &members {
            link(one, list, Link::Member);
        }
        if reads_age {
            self.loose.insert("how long ago a signal was observed is read".to_owned());
        }
    }

    fn at(&mut self, side: &Side<'_>, leaf: &Leaf<'_>, tell: impl FnOnce(&mut Held)) {
        let Some(place) = side.place(leaf) else { return };
        let held = self.held.entry(place).or_default();
        held.is_read = true;
        tell(held);
    }

    /// Lets attributes that are held against one another share what each of them is held against, and the time.
    fn join(&mut self, instants: &[i128]) {
        for place in &self.with_now {
            if let Some(held) = self.held.get_mut(place) {
                held.is_ordered = true;
                held.constants.extend(instants.iter().map(|nanos| Constant::Whole(*nanos)));
            }
        }
        let pairs = std::mem::take(&mut self.pairs);
        let mut groups: Vec<BTreeSet<Place>> = Vec::new();
        for (one, other, _) in &pairs {
            let joins = |group: &BTreeSet<Place>| group.contains(one) || group.contains(other);
            let (joined, mut apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(joins);
            let mut all = BTreeSet::from([one.clone(), other.clone()]);
            all.extend(joined.into_iter().flatten());
            apart.push(all);
            groups = apart;
        }
        for (number, group) in (1..).zip(groups) {
            let within = || pairs.iter().filter(|(one, ..)| group.contains(one));
            let is_list = |place: &Place| within().any(|(_, list, link)| *link == Link::Member && list == place);
            let mut whole = Held { group: number, ..Held::default() };
            whole.together = group.iter().filter(|place| !is_list(place)).count();
            whole.is_ordered = within().any(|(_, _, link)| *link == Link::Order);
            for held in group.iter().filter_map(|place| self.held.get(place)) {
                whole.is_read = true;
                whole.is_loose |= held.is_loose;
                whole.is_ordered |= held.is_ordered;
                whole.constants.extend(held.constants.iter().cloned());
                whole.prefixes.extend(held.prefixes.iter().cloned());
                whole.networks.extend(held.networks.iter().copied());
                whole.hints.extend(held.hints.iter().cloned());
            }
            for place in &group {
                let is_one = |(one, other, link): &&(Place, Place, Link)| {
                    one == place || (other == place && *link != Link::Member)
                };
                let is_paired = within().any(|pair| is_one(&pair));
                self.held.insert(place.clone(), Held { is_paired, ..whole.clone() });
            }
        }
    }
}

fn of_cut<'l, 'p>((leaf, cut): &'l (Leaf<'p>, Cut<'p>)) -> Option<(&'l Leaf<'p>, View<'p>)> {
    match cut {
        Cut::Is(value) | Cut::Order(value) | Cut::Holds(value) => Some((leaf, *value)),
        Cut::StartsWith(_) | Cut::Within(_) => None,
    }
}

fn of_scalar(scalar: &Scalar) -> Constant {
    match scalar {
        Scalar::Bool(value) => Constant::Bool(*value),
        Scalar::Int(number) => Constant::Whole(i128::from(*number)),
        Scalar::Str(text) => Constant::Text(text.to_string()),
    }
}

fn of_view(view: View<'_>) -> Constant {
    match view {
        View::Bool(value) => Constant::Bool(value),
        View::Int(number) => Constant::Whole(i128::from(number)),
        View::UInt(number) => Constant::Whole(i128::from(number)),
        View::Double(number) => Constant::Double(number),
        View::Str(text) => Constant::Text(text.to_owned()),
        View::Timestamp(at) => Constant::Whole(at.as_nanosecond()),
        View::Duration(span) => Constant::Whole(span.as_nanos()),
        View::Ip(address) => Constant::Ip(address),
        _ => Constant::Other,
    }
}

/// A constant as a request would have it.
fn hint(view: View<'_>) -> Option<Value> {
    match view {
        View::Bool(value) => Some(Value::from(value)),
        View::Int(number) => Some(Value::from(number)),
        View::UInt(number) => Some(Value::from(number)),
        View::Double(number) => serde_json::Number::from_f64(number).map(Value::Number),
        View::Str(text) => Some(Value::from(text)),
        View::Timestamp(at) => Some(Value::from(at.to_string())),
        View::Ip(address) => Some(Value::from(address.to_string())),
        View::List(items) => Some(items.iter().map(value_to_json).collect()),
        _ => None,
    }
}

/// The texts and numbers that a Rego module holds its input against, among others: values worth trying.
fn literals(text: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for line in text.lines().map(|line| line.split(" #").next().unwrap_or_default()) {
        let parts: Vec<&str> = line.split('"').collect();
        for (number, part) in parts.into_iter().enumerate() {
            if number % 2 == 1 {
                found.push(Value::from(part));
                continue;
            }
            let numbers = part.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
            found.extend(numbers.filter_map(|word| word.parse::<i64>().ok()).map(Value::from));
        }
    }
    found
}
