//! A request as a decision reads it: borrowed from the host's own values, or from an owned [`Request`].
//!
//! A host that has its attributes in memory already (a C struct, a Python dict) hands them over as they are: nothing is
//! copied, and a decision that needs no arena allocates nothing.

use super::{Action, Party, Request, RequestError, Terms};
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
pub struct Attributes<'a>(Source<'a>);

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
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

    /// The value of that name, looked for from the place `at` on, which moves behind it: who asks for names in byte order
    /// walks the attributes once.
    #[inline]
    pub(crate) fn next_named(&self, at: &mut usize, name: &str) -> Option<View<'a>> {
        match self.0 {
            Source::Map(map) => find_next(map.entries(), at, name).map(View::from),
            Source::Fields(fields) => find_next(fields.entries(), at, name).copied(),
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

#[inline]
fn find_next<'a, N: AsRef<str>, V>(entries: &'a [(N, V)], at: &mut usize, name: &str) -> Option<&'a V> {
    while let Some((known, value)) = entries.get(*at) {
        let known = known.as_ref();
        // Mostly it is the very next one: to see that texts are equal costs less than to see which comes first.
        if known == name {
            *at = at.saturating_add(1);
            return Some(value);
        }
        if known > name {
            return None;
        }
        *at = at.saturating_add(1);
    }
    None
}

impl<'a> From<&'a Map> for Attributes<'a> {
    fn from(map: &'a Map) -> Self {
        Self(Source::Map(map))
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
        let own = match self.context.get("fallgate") {
            None => return Ok(Terms::default()),
            Some(View::Map(map)) => Attributes(Source::Map(map)),
            Some(View::Fields(fields)) => Attributes(Source::Fields(fields)),
            Some(_) => return Err(RequestError::Member { member: "context.fallgate", expected: "an object" }),
        };
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

    /// Refuses names that no schema can declare: empty, too long, or with a NUL that a C host would cut them at.
    ///
    /// # Errors
    /// [`RequestError`] for the first such name.
    pub fn check_names(&self, limits: &Limits) -> Result<(), RequestError> {
        let names = [
            ("subject.type", self.subject.party_type),
            ("subject.id", self.subject.id),
            ("action.name", self.action.name),
            ("resource.type", self.resource.party_type),
            ("resource.id", self.resource.id),
        ];
        for (member, name) in names {
            if name.is_empty() || has_nul(name.as_bytes()) {
                return Err(RequestError::Member { member, expected: "text, not empty, without NUL" });
            }
            if name.len() > limits.id_bytes_max {
                return Err(RequestError::Limit { max: limits.id_bytes_max, unit: "bytes in an id, type or name" });
            }
        }
        Ok(())
    }

    /// Refuses attributes that no JSON could bring: beyond a limit, not finite, or made by an evaluation.
    ///
    /// # Errors
    /// [`RequestError`] for the first such value.
    pub fn check_values(&self, limits: &Limits) -> Result<(), RequestError> {
        let below = |levels: usize| limits.request_depth_max.saturating_sub(levels);
        // In JSON, `properties` is the third level from the top, and `context` the second.
        let members = [
            ("subject.properties", &self.subject.properties, below(3)),
            ("action.properties", &self.action.properties, below(3)),
            ("resource.properties", &self.resource.properties, below(3)),
            ("context", &self.context, below(2)),
        ];
        let mut left = Left { values: limits.request_values_max, bytes: limits.request_bytes_max };
        members.into_iter().try_for_each(|(member, attributes, levels)| {
            left.attributes(attributes, levels).map_err(|beyond| beyond.error(member, limits))
        })
    }
}

/// Whether a byte is NUL: eight at a time, since most names are shorter than what a search for one is made for.
#[inline]
fn has_nul(bytes: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let in_word = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS != 0;
    let (chunks, rest) = bytes.as_chunks::<8>();
    match (bytes.last_chunk::<8>(), bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // The last eight, of which some may have been among those before.
        (Some(last), ..) => {
            chunks.iter().any(|chunk| in_word(u64::from_ne_bytes(*chunk))) || in_word(u64::from_ne_bytes(*last))
        }
        (None, Some(first), Some(last)) => {
            in_word(u64::from(u32::from_ne_bytes(*first)) << 32 | u64::from(u32::from_ne_bytes(*last)))
        }
        _ => rest.contains(&0),
    }
}

const EXPIRES_AT: RequestError =
    RequestError::Member { member: "context.fallgate.expires_at", expected: "an RFC 3339 timestamp" };

/// How much a request may still bring.
struct Left {
    values: usize,
    bytes: usize,
}

/// What a value is beyond: small, since one is looked for in each value and hardly ever found.
#[derive(Clone, Copy)]
enum Beyond {
    Values,
    Bytes,
    Levels,
    Json,
}

impl Beyond {
    #[cold]
    const fn error(self, member: &'static str, limits: &Limits) -> RequestError {
        match self {
            Self::Values => RequestError::Limit { max: limits.request_values_max, unit: "values" },
            Self::Bytes => RequestError::Limit { max: limits.request_bytes_max, unit: "bytes" },
            Self::Levels => RequestError::Limit { max: limits.request_depth_max, unit: "levels" },
            Self::Json => {
                RequestError::Member { member, expected: "values that JSON has: numbers are finite, maps have names" }
            }
        }
    }
}

impl Left {
    fn attributes(&mut self, attributes: &Attributes<'_>, levels: usize) -> Result<(), Beyond> {
        match attributes.0 {
            Source::Map(map) => self.map(map, levels),
            Source::Fields(fields) => self.fields(fields, levels),
        }
    }

    fn map(&mut self, map: &Map, levels: usize) -> Result<(), Beyond> {
        map.entries().iter().try_for_each(|(name, value)| {
            self.text(name)?;
            self.value(View::from(value), levels)
        })
    }

    fn fields(&mut self, fields: Fields<'_>, levels: usize) -> Result<(), Beyond> {
        fields.entries().iter().try_for_each(|(name, value)| {
            self.text(name)?;
            self.value(*value, levels)
        })
    }

    #[inline]
    fn value(&mut self, value: View<'_>, levels: usize) -> Result<(), Beyond> {
        self.values = self.values.checked_sub(1).ok_or(Beyond::Values)?;
        match value {
            View::Null | View::Bool(_) | View::Int(_) | View::UInt(_) => Ok(()),
            View::Double(number) if number.is_finite() => Ok(()),
            View::Str(text) => self.text(text),
            _ => self.inside(value, levels),
        }
    }

    fn inside(&mut self, value: View<'_>, levels: usize) -> Result<(), Beyond> {
        if !matches!(value, View::List(_) | View::Items(_) | View::Map(_) | View::Fields(_)) {
            return Err(Beyond::Json);
        }
        let levels = levels.checked_sub(1).ok_or(Beyond::Levels)?;
        match value {
            View::List(items) => items.iter().try_for_each(|item| self.value(View::from(item), levels)),
            View::Items(items) => items.iter().try_for_each(|item| self.value(*item, levels)),
            View::Map(map) => self.map(map, levels),
            View::Fields(fields) => self.fields(fields, levels),
            _ => Err(Beyond::Json),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), Beyond> {
        self.bytes = self.bytes.checked_sub(text.len()).ok_or(Beyond::Bytes)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::has_nul;

    #[test]
    fn a_nul_is_found_wherever_it_stands() {
        for length in 0..40 {
            let mut bytes = vec![0x80_u8; length];
            for filler in [1, 0x7f, 0x80, 0x81, 0xff] {
                bytes.fill(filler);
                assert!(!has_nul(&bytes), "{length} of {filler}");
            }
            for at in 0..length {
                bytes.fill(1);
                bytes[at] = 0;
                assert!(has_nul(&bytes), "{at} of {length}");
            }
        }
    }
}
