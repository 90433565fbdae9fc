//! A request as Python has it, read into the engine's.
//!
//! Each entity is an AuthZEN object in a dict or another mapping, an object with `type`, `id` and `properties`, or a
//! dataclass whose own fields are its properties. Of the properties only what the policy wants is asked for, and each is
//! read once.

use bumpalo::collections::Vec as ArenaVec;
use fallgate::condition::Entity;
use fallgate::request::{Action, ActionView, Attributes, Party, PartyView, Request, RequestView};
use fallgate::value::{Map, View};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyMapping, PyString};

use crate::special;
use crate::value::{Entries, Fault, Reader, owned};
use crate::wants::{Want, Wants};

/// The four parts of a request, as they were passed, or not.
pub(crate) struct Parts<'p, 'py> {
    pub(crate) subject: Option<&'p Bound<'py, PyAny>>,
    pub(crate) action: Option<&'p Bound<'py, PyAny>>,
    pub(crate) resource: Option<&'p Bound<'py, PyAny>>,
    pub(crate) context: Option<&'p Bound<'py, PyAny>>,
}

/// How the members of an entity are called in a fault.
struct Members {
    entity: Entity,
    whole: &'static str,
    party_type: &'static str,
    id: &'static str,
    properties: &'static str,
}

const SUBJECT: &Members = &Members {
    entity: Entity::Subject,
    whole: "subject",
    party_type: "subject.type",
    id: "subject.id",
    properties: "subject.properties",
};

const RESOURCE: &Members = &Members {
    entity: Entity::Resource,
    whole: "resource",
    party_type: "resource.type",
    id: "resource.id",
    properties: "resource.properties",
};

const A_PARTY: &str = "an object with `type` and `id`";
const AN_ACTION: &str = "an object with `name`";
const TEXT: &str = "text, not empty, without NUL";
const ATTRIBUTES: &str = "an object, or left out";

impl Parts<'_, '_> {
    /// Reads what the policy wants of the request.
    pub(crate) fn read<'a>(&self, reader: &mut Reader<'a>, wants: &'a Wants) -> Result<RequestView<'a>, Fault> {
        // The levels above the attributes are those of the request in JSON: three to a property, two to the context.
        let (properties, context) = (reader.depth().saturating_sub(3), reader.depth().saturating_sub(2));
        // One after the other, so that of several mistakes the first is named, as it is of JSON.
        let missing = |member, expected| move || Fault::Member { member, expected };
        let subject = self.subject.ok_or_else(missing("subject", A_PARTY))?;
        let subject = party(reader, subject, SUBJECT, wants, properties)?;
        let asked = self.action.ok_or_else(missing("action", AN_ACTION))?;
        let action = action(reader, asked, wants, properties)?;
        let resource = self.resource.ok_or_else(missing("resource", A_PARTY))?;
        let resource = party(reader, resource, RESOURCE, wants, properties)?;
        let context = match self.context {
            Some(given) => {
                let read = attributes(reader, given, wants.of_type(Entity::Context, ""), "context", context);
                read.map_err(|fault| fault.within("context"))?
            }
            None => Attributes::NONE,
        };
        Ok(RequestView { subject, action, resource, context })
    }
}

/// A request as one AuthZEN object.
pub(crate) fn read_whole<'a>(
    reader: &mut Reader<'a>,
    request: &Bound<'_, PyAny>,
    wants: &'a Wants,
) -> Result<RequestView<'a>, Fault> {
    let py = request.py();
    let holder = Holder::of(request);
    let subject = holder.named(intern!(py, "subject"))?;
    if subject.is_none() && matches!(holder, Holder::Object(_)) {
        return Err(Fault::Member { member: "", expected: "a JSON object" });
    }
    let action = holder.named(intern!(py, "action"))?;
    let resource = holder.named(intern!(py, "resource"))?;
    let context = holder.named(intern!(py, "context"))?;
    let parts = Parts {
        subject: subject.as_ref(),
        action: action.as_ref(),
        resource: resource.as_ref(),
        context: context.as_ref(),
    };
    parts.read(reader, wants)
}

/// A request that stands by itself.
pub(crate) fn standing(view: &RequestView<'_>) -> Request {
    let map = |attributes: Attributes<'_>| {
        let entries = attributes.iter().map(|(name, value)| (name.into(), owned(value)));
        // The names differ: that is what attributes are.
        Map::from_entries(entries.collect()).unwrap_or_default()
    };
    let party = |party: &PartyView<'_>| Party {
        party_type: party.party_type.into(),
        id: party.id.into(),
        properties: map(party.properties),
    };
    Request {
        subject: party(&view.subject),
        action: Action { name: view.action.name.into(), properties: map(view.action.properties) },
        resource: party(&view.resource),
        context: map(view.context),
    }
}

/// Where named things are looked up.
enum Holder<'p, 'py> {
    Dict(&'p Bound<'py, PyDict>),
    Mapping(&'p Bound<'py, PyMapping>),
    Object(&'p Bound<'py, PyAny>),
}

impl<'p, 'py> Holder<'p, 'py> {
    fn of(object: &'p Bound<'py, PyAny>) -> Self {
        if let Ok(dict) = object.cast_exact::<PyDict>() {
            return Self::Dict(dict);
        }
        match object.cast::<PyMapping>() {
            Ok(mapping) => Self::Mapping(mapping),
            Err(_) => Self::Object(object),
        }
    }

    fn member(&self, name: &Bound<'py, PyString>) -> Result<Option<Bound<'py, PyAny>>, Fault> {
        match self {
            Self::Dict(dict) => Ok(dict.get_item(name)?),
            Self::Mapping(mapping) => looked_up(mapping, name),
            Self::Object(object) => Ok(object.getattr_opt(name)?),
        }
    }

    /// The member, with a fault that names it.
    fn named(&self, name: &Bound<'py, PyString>) -> Result<Option<Bound<'py, PyAny>>, Fault> {
        self.member(name).map_err(|fault| fault.within(&name.to_string_lossy()))
    }
}

/// What a mapping has under that name. By `get`, which makes up no value where there is none, as `[]` of a `defaultdict`
/// does: what is absent must stay absent.
fn looked_up<'py>(
    mapping: &Bound<'py, PyMapping>,
    name: &Bound<'py, PyString>,
) -> Result<Option<Bound<'py, PyAny>>, Fault> {
    static ABSENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = mapping.py();
    let absent = ABSENT.get_or_try_init(py, || py.import("builtins")?.getattr("object")?.call0().map(Bound::unbind))?;
    let found = mapping.call_method1(intern!(py, "get"), (name, absent))?;
    Ok((!found.is(absent)).then_some(found))
}

fn party<'a>(
    reader: &mut Reader<'a>,
    object: &Bound<'_, PyAny>,
    members: &Members,
    wants: &'a Wants,
    depth: usize,
) -> Result<PartyView<'a>, Fault> {
    let py = object.py();
    let mut read = || -> Result<PartyView<'a>, Fault> {
        let holder = Holder::of(object);
        let party_type = match (holder.named(intern!(py, "type"))?, &holder) {
            (None, Holder::Object(_)) => return Err(Fault::Member { member: members.whole, expected: A_PARTY }),
            (found, _) => word(reader, found, members.party_type)?,
        };
        let id = word(reader, holder.named(intern!(py, "id"))?, members.id)?;
        let want = wants.of_type(members.entity, party_type);
        let properties = match properties(&holder)? {
            Properties::None => Attributes::NONE,
            Properties::Of(source) => {
                let read = attributes(reader, &source, want, members.properties, depth);
                read.map_err(|fault| fault.within("properties"))?
            }
            Properties::Own => own_fields(reader, object, want, depth)?,
        };
        Ok(PartyView { party_type, id, properties })
    };
    read().map_err(|fault| fault.within(members.whole))
}

fn action<'a>(
    reader: &mut Reader<'a>,
    object: &Bound<'_, PyAny>,
    wants: &'a Wants,
    depth: usize,
) -> Result<ActionView<'a>, Fault> {
    let py = object.py();
    let mut read = || -> Result<ActionView<'a>, Fault> {
        if let Ok(name) = object.cast::<PyString>() {
            return Ok(ActionView { name: reader.text(name)?, properties: Attributes::NONE });
        }
        let holder = Holder::of(object);
        let name = match (holder.named(intern!(py, "name"))?, &holder) {
            (None, Holder::Object(_)) => return Err(Fault::Member { member: "action", expected: AN_ACTION }),
            (found, _) => word(reader, found, "action.name")?,
        };
        let want = wants.of_type(Entity::Action, name);
        let properties = match properties(&holder)? {
            Properties::Of(source) => {
                let read = attributes(reader, &source, want, "action.properties", depth);
                read.map_err(|fault| fault.within("properties"))?
            }
            Properties::None | Properties::Own => Attributes::NONE,
        };
        Ok(ActionView { name, properties })
    };
    read().map_err(|fault| fault.within("action"))
}

/// A `type`, an `id` or a `name`.
fn word<'a>(reader: &mut Reader<'a>, found: Option<Bound<'_, PyAny>>, member: &'static str) -> Result<&'a str, Fault> {
    let wrong = || Fault::Member { member, expected: TEXT };
    let found = found.ok_or_else(wrong)?;
    let text = found.cast::<PyString>().map_err(|_| wrong())?;
    reader.text(text).map_err(|fault| fault.within(member.rsplit('.').next().unwrap_or(member)))
}

/// Where the properties of an entity are.
enum Properties<'py> {
    /// It has none.
    None,
    /// Here.
    Of(Bound<'py, PyAny>),
    /// It is a dataclass without `properties`: its own fields.
    Own,
}

fn properties<'py>(holder: &Holder<'_, 'py>) -> Result<Properties<'py>, Fault> {
    let py = match holder {
        Holder::Dict(dict) => dict.py(),
        Holder::Mapping(mapping) => mapping.py(),
        Holder::Object(object) => object.py(),
    };
    let found = holder.named(intern!(py, "properties"))?;
    Ok(match (found, holder) {
        (Some(found), _) => Properties::Of(found),
        (None, Holder::Object(object)) if special::is_dataclass(object)? => Properties::Own,
        (None, _) => Properties::None,
    })
}

/// The attributes that are wanted of a dict, another mapping or a dataclass.
fn attributes<'a>(
    reader: &mut Reader<'a>,
    source: &Bound<'_, PyAny>,
    want: &'a Want,
    member: &'static str,
    depth: usize,
) -> Result<Attributes<'a>, Fault> {
    let none = || Fault::Member { member, expected: ATTRIBUTES };
    let entries = match want {
        Want::All => reader.entries(source, depth)?.ok_or_else(none)?,
        Want::Named(names) => {
            let py = source.py();
            let mut entries = ArenaVec::with_capacity_in(names.len(), reader.arena());
            match Holder::of(source) {
                Holder::Dict(dict) => {
                    // As many as this are refused in JSON too, whether anything reads them or not.
                    reader.admit(dict.len())?;
                    for (name, key) in names {
                        if let Some(value) =
                            dict.get_item(key.bind(py)).map_err(|error| Fault::from(error).within(name))?
                        {
                            entries.push(named(reader, name, &value, depth)?);
                        }
                    }
                }
                Holder::Mapping(mapping) => {
                    reader.admit(mapping.len()?)?;
                    for (name, key) in names {
                        if let Some(value) = looked_up(mapping, key.bind(py)).map_err(|fault| fault.within(name))? {
                            entries.push(named(reader, name, &value, depth)?);
                        }
                    }
                }
                Holder::Object(object) if special::is_dataclass(object)? => {
                    return fields(reader, object, names.iter().map(|(name, key)| (&**name, key)), depth);
                }
                Holder::Object(_) => return Err(none()),
            }
            entries
        }
    };
    sorted(entries)
}

/// The fields of a dataclass that is an entity itself: all that are wanted but those that say which entity it is.
fn own_fields<'a>(
    reader: &mut Reader<'a>,
    object: &Bound<'_, PyAny>,
    want: &'a Want,
    depth: usize,
) -> Result<Attributes<'a>, Fault> {
    let says_which = |name: &str| matches!(name, "type" | "id");
    match want {
        Want::All => {
            let all = reader.entries(object, depth)?.unwrap_or_else(|| ArenaVec::new_in(reader.arena()));
            let mut entries = ArenaVec::with_capacity_in(all.len(), reader.arena());
            entries.extend(all.into_iter().filter(|(name, _)| !says_which(name)));
            sorted(entries)
        }
        Want::Named(names) => {
            let names = names.iter().map(|(name, key)| (&**name, key)).filter(|(name, _)| !says_which(name));
            fields(reader, object, names, depth)
        }
    }
}

fn fields<'a>(
    reader: &mut Reader<'a>,
    object: &Bound<'_, PyAny>,
    names: impl Iterator<Item = (&'a str, &'a Py<PyString>)>,
    depth: usize,
) -> Result<Attributes<'a>, Fault> {
    let mut entries = ArenaVec::new_in(reader.arena());
    for (name, key) in names {
        let key = key.bind(object.py());
        if !special::has_field(object, key)? {
            continue;
        }
        if let Some(value) = object.getattr_opt(key).map_err(|error| Fault::from(error).within(name))? {
            entries.push(named(reader, name, &value, depth)?);
        }
    }
    sorted(entries)
}

fn named<'a>(
    reader: &mut Reader<'a>,
    name: &'a str,
    value: &Bound<'_, PyAny>,
    depth: usize,
) -> Result<(&'a str, View<'a>), Fault> {
    let value = reader.value(value, depth).map_err(|fault| fault.within(name))?;
    Ok((name, value))
}

fn sorted(entries: Entries<'_>) -> Result<Attributes<'_>, Fault> {
    Attributes::new(entries.into_bump_slice_mut()).map_err(|_| Fault::new("has two keys of one text"))
}
