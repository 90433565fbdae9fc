//! The requests about one action, one type of subject and one of resource: every attribute that either policy knows, with
//! the values that stand for all others.

use std::collections::BTreeMap;

use fallgate::condition::Entity;
use fallgate::policy::rule::Rule;
use fallgate::value_type::{Field, ValueType};
use serde_json::{Map, Value, json};

use super::bounds::{About, Bounds, Place, Side};
use super::domain::{Domain, Held};

/// A value that an attribute has in a request, or none where the request lacks it.
pub type Given = Option<Value>;

/// One attribute, or a field of one, and what it is tried with.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Which it is.
    pub place: Place,
    /// Whether it is the id of the subject or of the resource, and no property.
    pub is_id: bool,
    /// What it is tried with, the plainest first.
    pub values: Vec<Given>,
}

/// The requests about one thing.
#[derive(Clone, Debug)]
pub struct Space {
    action: String,
    subject: String,
    resource: String,
    /// What differs between them.
    pub axes: Vec<Axis>,
    /// Why they do not stand for all requests; nothing where they do.
    pub gaps: Vec<String>,
    /// Of which type those are that are held against one another, by the number of their group.
    grouped: BTreeMap<usize, ValueType>,
}

/// The attribute in both policies: its type, and whether a request may lack it; nothing where a policy knows none.
type Declared<'a> = [Option<(&'a ValueType, bool)>; 2];

impl Space {
    /// The requests about one thing, as far as these rules of both policies can tell them apart.
    #[must_use]
    pub fn of(sides: &[Side<'_>; 2], rules: &[Vec<&Rule>; 2], about: About<'_>, instants: &[i128]) -> Self {
        let bounds = Bounds::of(sides, rules, about, instants);
        let mut space = Self {
            action: about.action.to_owned(),
            subject: about.subject.to_owned(),
            resource: about.resource.to_owned(),
            axes: Vec::new(),
            gaps: bounds.loose.iter().cloned().collect(),
            grouped: BTreeMap::new(),
        };
        for entity in [Entity::Subject, Entity::Resource] {
            space.id(entity, &bounds);
        }
        for (entity, type_name) in [
            (Entity::Subject, about.subject),
            (Entity::Action, about.action),
            (Entity::Resource, about.resource),
            (Entity::Context, ""),
        ] {
            let mut names: BTreeMap<&str, Declared<'_>> = BTreeMap::new();
            let [old, new] = sides.map(|side| side.policy);
            for (name, value_type, may_lack) in old.schema.attributes(entity, type_name) {
                names.entry(name).or_default()[0] = Some((value_type, may_lack));
            }
            for (name, value_type, may_lack) in new.schema.attributes(entity, type_name) {
                names.entry(name).or_default()[1] = Some((value_type, may_lack));
            }
            for (name, declared) in names {
                space.attribute((entity, vec![name.to_owned()]), declared, &bounds);
            }
        }
        space
    }

    /// The action.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.action
    }

    /// How many requests there are; nothing for more than can be counted.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.axes.iter().try_fold(1_u64, |size, axis| size.checked_mul(u64::try_from(axis.values.len()).ok()?))
    }

    /// The plainest request: the first value of each.
    #[must_use]
    pub fn plainest(&self) -> Vec<Given> {
        self.axes.iter().map(|axis| axis.values.first().cloned().flatten()).collect()
    }

    /// The values of the request of that number, and of a base where there is only one value.
    #[must_use]
    pub fn number_on(&self, number: u64, base: &[Given]) -> Vec<Given> {
        let mut given = self.number(number);
        for ((axis, value), of_base) in self.axes.iter().zip(&mut given).zip(base) {
            if axis.values.len() == 1 {
                value.clone_from(of_base);
            }
        }
        given
    }

    /// The values of the request of that number; every number below the size is another one, the plainest first.
    #[must_use]
    pub fn number(&self, number: u64) -> Vec<Given> {
        let mut rest = number;
        let mut given = Vec::with_capacity(self.axes.len());
        for axis in &self.axes {
            let count = u64::try_from(axis.values.len()).unwrap_or(u64::MAX).max(1);
            let at = rest.checked_rem(count).and_then(|at| usize::try_from(at).ok()).unwrap_or_default();
            rest = rest.checked_div(count).unwrap_or_default();
            given.push(axis.values.get(at).cloned().flatten());
        }
        given
    }

    /// Whether a request is about this: its action and its types.
    #[must_use]
    pub fn is_about(&self, request: &Value) -> bool {
        let is = |pointer: &str, text: &str| request.pointer(pointer).and_then(Value::as_str) == Some(text);
        is("/action/name", &self.action) && is("/subject/type", &self.subject) && is("/resource/type", &self.resource)
    }

    /// What a request has of each that differs.
    #[must_use]
    pub fn project(&self, request: &Value) -> Vec<Given> {
        let value = |axis: &Axis| {
            let (entity, path) = &axis.place;
            let root = request.get(entity.name());
            let root = if axis.is_id || *entity == Entity::Context { root } else { root?.get("properties") };
            let found = path.iter().try_fold(root?, |at, name| at.get(name)).cloned();
            // Of a record that is taken apart only that it is there.
            let apart = self.axes.iter().any(|other| is_below(&axis.place, &other.place));
            if apart { found.map(|_| json!({})) } else { found }
        };
        self.axes.iter().map(value).collect()
    }

    /// The request with these values.
    #[must_use]
    pub fn request(&self, given: &[Given]) -> Value {
        let mut ids = [Value::from("x"), Value::from("x")];
        let mut properties: [Map<String, Value>; 4] = Default::default();
        let [subject, action, resource, context] = &mut properties;
        for (axis, value) in self.axes.iter().zip(given) {
            let Some(value) = value else { continue };
            let (entity, path) = &axis.place;
            let members = match entity {
                Entity::Subject if axis.is_id => {
                    ids[0] = value.clone();
                    continue;
                }
                Entity::Resource if axis.is_id => {
                    ids[1] = value.clone();
                    continue;
                }
                Entity::Subject => &mut *subject,
                Entity::Action => &mut *action,
                Entity::Resource => &mut *resource,
                Entity::Context => &mut *context,
            };
            put(members, path, value);
        }
        let [subject_id, resource_id] = ids;
        let [subject, action, resource, context] = properties;
        let party = |type_name: &str, id: Value, properties: Map<String, Value>| {
            let mut party = json!({ "type": type_name, "id": id });
            add(&mut party, "properties", properties);
            party
        };
        let mut request = json!({
            "subject": party(&self.subject, subject_id, subject),
            "action": { "name": self.action },
            "resource": party(&self.resource, resource_id, resource),
        });
        if let Some(of) = request.get_mut("action") {
            add(of, "properties", action);
        }
        add(&mut request, "context", context);
        request
    }

    fn id(&mut self, entity: Entity, bounds: &Bounds) {
        let place = (entity, vec!["id".to_owned()]);
        let domain = self.domain(&place, &ValueType::String, &bounds.held(&place));
        let values = domain.into_iter().map(Some).collect();
        self.axes.push(Axis { place, is_id: true, values });
    }

    fn attribute(&mut self, place: Place, declared: Declared<'_>, bounds: &Bounds) {
        let is_apart = declared[0].is_none() || declared[1].is_none();
        let may_lack = is_apart || declared.iter().flatten().any(|(_, may_lack)| *may_lack);
        let may_lack_changed = !is_apart && declared[0].map(|(_, lack)| lack) != declared[1].map(|(_, lack)| lack);
        let mut types: Vec<&ValueType> = declared.iter().flatten().map(|(value_type, _)| *value_type).collect();
        types.dedup();
        let held = bounds.held(&place);
        let is_below = bounds.is_read_below(&place);
        // What nothing reads makes a difference only where one policy refuses what the other takes.
        let is_optional = declared.iter().flatten().all(|(_, may_lack)| *may_lack);
        let is_plain =
            !held.is_read && !is_below && types.len() == 1 && !may_lack_changed && (!is_apart || is_optional);
        if is_plain && may_lack {
            self.axes.push(Axis { place, is_id: false, values: vec![None] });
            return;
        }
        let records = declared.map(|one| match one {
            Some((ValueType::Record(fields), _)) => Some(fields),
            _ => None,
        });
        let is_record = declared.iter().zip(&records).all(|(one, record)| one.is_none() || record.is_some());
        if is_record && !is_plain {
            if held.is_loose || held.group > 0 || !held.constants.is_empty() {
                self.gap(&place);
            }
            let mut values = vec![Some(json!({}))];
            values.extend(may_lack.then_some(None));
            self.axes.push(Axis { place: place.clone(), is_id: false, values });
            let mut names: BTreeMap<&str, Declared<'_>> = BTreeMap::new();
            for (side, record) in records.into_iter().enumerate() {
                for (name, Field { value_type, optional }) in record.into_iter().flatten() {
                    if let Some(at) = names.entry(name).or_default().get_mut(side) {
                        *at = Some((value_type, *optional));
                    }
                }
            }
            for (name, declared) in names {
                let (entity, mut path) = place.clone();
                path.push(name.to_owned());
                self.attribute((entity, path), declared, bounds);
            }
            return;
        }
        if is_below {
            self.gap(&place);
        }
        let mut values = Vec::new();
        for value_type in &types {
            values.extend(self.domain(&place, value_type, &held));
        }
        if types.len() > 1 && (held.is_read || is_below) {
            let (entity, path) = &place;
            self.gaps.push(format!("the type of `{}.{}` changes", entity.name(), path.join(".")));
        }
        let mut given: Vec<Given> = Vec::new();
        for value in values.into_iter().map(Some).chain(may_lack.then_some(None)) {
            if !given.contains(&value) {
                given.push(value);
            }
        }
        self.axes.push(Axis { place, is_id: false, values: given });
    }

    fn domain(&mut self, place: &Place, value_type: &ValueType, held: &Held) -> Vec<Value> {
        let domain = Domain::of(value_type, held);
        let one = if let ValueType::List(item) = value_type { item } else { value_type };
        // Between two numbers of one type may lie one of another.
        let is_alike = held.group == 0 || self.grouped.entry(held.group).or_insert_with(|| one.clone()) == one;
        if domain.has_many {
            let (entity, path) = place;
            let gap =
                format!("`{}.{}` is asked for more values than all sets of are tried", entity.name(), path.join("."));
            if !self.gaps.contains(&gap) {
                self.gaps.push(gap);
            }
        } else if !domain.is_exact || !is_alike {
            self.gap(place);
        }
        domain.values
    }

    fn gap(&mut self, (entity, path): &Place) {
        let gap = format!("`{}.{}` is not only compared with constants", entity.name(), path.join("."));
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }
}

fn is_below((entity, path): &Place, (of, names): &Place) -> bool {
    entity == of && names.len() > path.len() && names.starts_with(path)
}

/// Puts a value where the names lead; a field of a record that is not there goes with it.
fn put(members: &mut Map<String, Value>, path: &[String], value: &Value) {
    let Some((name, above)) = path.split_last() else { return };
    let mut at = members;
    for step in above {
        match at.get_mut(step) {
            Some(Value::Object(below)) => at = below,
            _ => return,
        }
    }
    at.insert(name.clone(), value.clone());
}

fn add(to: &mut Value, name: &str, members: Map<String, Value>) {
    if let Some(of) = to.as_object_mut().filter(|_| !members.is_empty()) {
        of.insert(name.to_owned(), Value::Object(members));
    }
}
