//! A request as a decision reads it: borrowed from the host's own values, or from an owned [`Request`].
//!
//! A host that has its attributes in memory already (a C struct, a Python dict) hands them over as they are: nothing is
//! copied, and a decision that needs no arena allocates nothing.

use super::spelling::Spelling;
use super::{Action, Party, Request, RequestError, Terms, within};
use crate::limits::Limits;
use crate::value::{DuplicateName, Fields, Map, View};

/// A request whose parts are borrowed.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// Who asks.
    pub subject: PartyView<'a>,
    /// What they ask to do.
    pub action: ActionView<'a>,
    /// What they ask to do it to.
    pub resource: PartyView<'a>,
    /// The circumstances. The member `fallgate` is the engine's own: see [`RequestView::terms`].
    pub context: Attributes<'a>,
}

/// A subject or a resource, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct PartyView<'a> {
    /// The kind of thing, as the schema declares it.
    pub party_type: &'a str,
    /// Which one of its kind. Compared byte by byte.
    pub id: &'a str,
    /// What is known of it.
    pub properties: Attributes<'a>,
}

/// What the subject asks to do, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct ActionView<'a> {
    /// The action's name, as the pack declares it.
    pub name: &'a str,
    /// What is known of it.
    pub properties: Attributes<'a>,
}

/// Attributes by name, borrowed; in byte order of their names, each name once.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a>(pub(super) Source<'a>);

#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    Map(&'a Map),
    Fields(Fields<'a>),
}

impl<'a> Attributes<'a> {
    /// No attributes.
    pub const NONE: Self = Self(Source::Fields(Fields::NONE));

    /// These attributes, sorted in place. Inside them, a map is [`View::Fields`] and a list [`View::Items`].
    ///
    /// # Errors
    /// [`DuplicateName`] for a name that stands twice: which of the two would count is anybody's guess, so neither does.
    pub fn new(attributes: &'a mut [(&'a str, View<'a>)]) -> Result<Self, DuplicateName> {
        Fields::new(attributes).map(|fields| Self(Source::Fields(fields)))
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.0 {
            Source::Map(map) => map.len(),
            Source::Fields(fields) => fields.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<View<'a>> {
        match self.0 {
            Source::Map(map) => map.get(name).map(View::from),
            Source::Fields(fields) => fields.get(name),
        }
    }

    /// The attribute at that place in byte order of the names.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<(&'a str, View<'a>)> {
        match self.0 {
            Source::Map(map) => map.entries().get(index).map(|(name, value)| (&**name, View::from(value))),
            Source::Fields(fields) => fields.entries().get(index).copied(),
        }
    }

    /// All of them, in byte order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, View<'a>)> + use<'a> {
        let this = *self;
        (0..this.len()).filter_map(move |index| this.at(index))
    }

    /// All of them as one value, as a condition sees a map.
    #[must_use]
    pub const fn view(&self) -> View<'a> {
        match self.0 {
            Source::Map(map) => View::Map(map),
            Source::Fields(fields) => View::Fields(fields),
        }
    }
}

impl<'a> From<&'a Map> for Attributes<'a> {
    fn from(map: &'a Map) -> Self {
        Self(Source::Map(map))
    }
}

impl<'a> From<Fields<'a>> for Attributes<'a> {
    fn from(fields: Fields<'a>) -> Self {
        Self(Source::Fields(fields))
    }
}

impl<'a> From<&'a Party> for PartyView<'a> {
    fn from(party: &'a Party) -> Self {
        Self { party_type: &party.party_type, id: &party.id, properties: Attributes::from(&party.properties) }
    }
}

impl<'a> From<&'a Action> for ActionView<'a> {
    fn from(action: &'a Action) -> Self {
        Self { name: &action.name, properties: Attributes::from(&action.properties) }
    }
}

impl<'a> From<&'a Request> for RequestView<'a> {
    fn from(request: &'a Request) -> Self {
        Self {
            subject: PartyView::from(&request.subject),
            action: ActionView::from(&request.action),
            resource: PartyView::from(&request.resource),
            context: Attributes::from(&request.context),
        }
    }
}

impl<'a> RequestView<'a> {
    /// What the request demands of the decision itself.
    ///
    /// # Errors
    /// [`RequestError::Member`] where `context.fallgate` is not of its form: a demand that cannot be read is not ignored.
    pub fn terms(&self) -> Result<Terms, RequestError> {
        let own = match self.demands() {
            None => return Ok(Terms::default()),
            Some(View::Map(map)) => Attributes(Source::Map(map)),
            Some(View::Fields(fields)) => Attributes(Source::Fields(fields)),
            Some(_) => return Err(RequestError::Member { member: "context.fallgate", expected: "an object" }),
        };
        // A demand that nobody knows is no reason to go on as if it had not been made.
        if own.iter().any(|(name, _)| !OWN_MEMBERS.contains(&name)) {
            return Err(RequestError::Member {
                member: "context.fallgate",
                expected: "`min_revision`, `expires_at`, `request_id` and `traceparent`, and no other member",
            });
        }
        let min_revision = match own.get("min_revision") {
            None => None,
            Some(View::Int(revision)) if revision >= 0 => Some(revision.unsigned_abs()),
            Some(View::UInt(revision)) => Some(revision),
            Some(_) => {
                return Err(RequestError::Member {
                    member: "context.fallgate.min_revision",
                    expected: "a whole number, zero or more",
                });
            }
        };
        let expires_at = match own.get("expires_at") {
            None => None,
            Some(View::Str(text)) => Some(text.parse().map_err(|_| EXPIRES_AT)?),
            Some(_) => return Err(EXPIRES_AT),
        };
        Ok(Terms { min_revision, expires_at })
    }

    /// The member of the context that is the engine's own. Mostly there are so few members that to look at each costs less
    /// than a search in their order.
    #[inline]
    fn demands(&self) -> Option<View<'a>> {
        match self.context.0 {
            Source::Map(map) if map.len() <= FEW => {
                map.entries().iter().find(|(name, _)| **name == *OWN).map(|(_, value)| View::from(value))
            }
            Source::Fields(fields) if fields.len() <= FEW => {
                fields.entries().iter().find(|(name, _)| *name == OWN).map(|(_, value)| *value)
            }
            _ => self.context.get(OWN),
        }
    }

    /// Refuses names that no schema can declare: empty, too long, or with a NUL that a C host would cut them at.
    ///
    /// # Errors
    /// [`RequestError`] for the first such name.
    pub fn check_names(&self, limits: &Limits) -> Result<(), RequestError> {
        Spelling::of(self).check(self, limits)
    }

    /// Refuses attributes that no JSON could bring: beyond a limit, not finite, or made by an evaluation.
    ///
    /// # Errors
    /// [`RequestError`] for the first such value.
    #[inline]
    pub fn check_values(&self, limits: &Limits) -> Result<(), RequestError> {
        within::check(self, limits)
    }
}

/// The name of the member of the context that is the engine's own.
const OWN: &str = "fallgate";

/// What may stand in it: demands, and what the host calls the request.
const OWN_MEMBERS: [&str; 4] = ["min_revision", "expires_at", "request_id", "traceparent"];

/// Up to how many members are looked at one by one.
const FEW: usize = 8;

const EXPIRES_AT: RequestError =
    RequestError::Member { member: "context.fallgate.expires_at", expected: "an RFC 3339 timestamp" };
