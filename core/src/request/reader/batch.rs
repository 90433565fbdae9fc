//! Several requests in one JSON text, as AuthZEN's evaluations have them.

use bumpalo::Bump;
use smallvec::SmallVec;

use super::seen::Seen;
use super::text::Cursor;
use super::{LEVELS_MAX, Portions, Reader, once};
use crate::limits::Limits;
use crate::request::{Action, ActionView, Attributes, Party, PartyView, RequestError, RequestView};
use crate::value::Map;

/// The parts of a request, as far as they are given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parts<'a> {
    subject: Option<PartyView<'a>>,
    action: Option<ActionView<'a>>,
    resource: Option<PartyView<'a>>,
    context: Option<Attributes<'a>>,
}

impl<'a> Parts<'a> {
    /// These parts.
    pub(crate) fn of(
        subject: Option<&'a Party>,
        action: Option<&'a Action>,
        resource: Option<&'a Party>,
        context: Option<&'a Map>,
    ) -> Self {
        Self {
            subject: subject.map(PartyView::from),
            action: action.map(ActionView::from),
            resource: resource.map(PartyView::from),
            context: context.map(Attributes::from),
        }
    }

    /// The request of these parts, with those of `shared` for what they lack.
    ///
    /// # Errors
    /// [`RequestError::Member`] for the first part that neither of them has.
    pub(crate) fn request(&self, shared: &Self) -> Result<RequestView<'a>, RequestError> {
        let missing = |member, expected| move || RequestError::Member { member, expected };
        let subject = self.subject.or(shared.subject);
        let action = self.action.or(shared.action);
        let resource = self.resource.or(shared.resource);
        Ok(RequestView {
            subject: subject.ok_or_else(missing("subject", "an object with `type` and `id`"))?,
            action: action.ok_or_else(missing("action", "an object with `name`"))?,
            resource: resource.ok_or_else(missing("resource", "an object with `type` and `id`"))?,
            context: self.context.or(shared.context).unwrap_or(Attributes::NONE),
        })
    }
}

/// How many values and bytes of the text something took: no less than it brings.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    values: usize,
    bytes: usize,
}

impl Taken {
    const fn and(self, other: Self) -> Self {
        let values = self.values.saturating_add(other.values);
        Self { values, bytes: self.bytes.saturating_add(other.bytes) }
    }
}

/// One of several requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    parts: Parts<'a>,
    taken: Taken,
}

/// Several requests, as they were read.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    /// What `options` say of when they end.
    pub(crate) semantic: Option<&'a str>,
    shared: Parts<'a>,
    shared_taken: Taken,
    items: Vec<Item<'a>>,
}

impl<'a> Batch<'a> {
    /// Reads AuthZEN evaluations, and keeps of the attributes no more than these portions; `limits` are those of a batch, and
    /// those of each request are held as far as depth goes. Nothing where there is anything that the other reader should
    /// see: what is refused, what has no items, and an item whose parts are none.
    pub(crate) fn from_json(bytes: &'a [u8], limits: &Limits, portions: &Portions, arena: &'a Bump) -> Option<Self> {
        if bytes.len() > limits.batch_bytes_max {
            return None;
        }
        let mut reader = Reader {
            cursor: Cursor::new(bytes, arena)?,
            values_left: limits.batch_values_max,
            fields: SmallVec::new(),
            items: SmallVec::new(),
            names: SmallVec::new(),
            fields_room: &mut [],
            items_room: &mut [],
            arena,
        };
        let batch = reader.batch(limits, portions)?;
        (reader.cursor.peek().is_none() && !batch.items.is_empty()).then_some(batch)
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.items.len()
    }

    /// Each of them, with what is shared, and whether it is known to be within the limits of a request by itself: it took no
    /// more of the text. Names are still to be checked.
    pub(crate) fn requests(
        &self,
        limits: &Limits,
    ) -> impl Iterator<Item = (Result<RequestView<'a>, RequestError>, bool)> {
        let (values_max, bytes_max) = (limits.request_values_max, limits.request_bytes_max);
        self.items.iter().map(move |item| {
            let taken = item.taken.and(self.shared_taken);
            (item.parts.request(&self.shared), taken.values <= values_max && taken.bytes <= bytes_max)
        })
    }

    /// One of them; nothing where there are not so many.
    pub(crate) fn request(&self, at: usize) -> Option<Result<RequestView<'a>, RequestError>> {
        self.items.get(at).map(|item| item.parts.request(&self.shared))
    }
}

impl<'a> Reader<'a> {
    fn batch(&mut self, limits: &Limits, portions: &Portions) -> Option<Batch<'a>> {
        // A list and an item stand around what a request has at its top.
        let levels = self.open(limits.request_depth_max.saturating_add(2).min(LEVELS_MAX))?;
        let own_levels = levels.min(limits.request_depth_max.saturating_sub(1));
        let (mut semantic, mut items) = (None, None);
        let (mut shared, mut shared_taken) = (Parts::default(), Taken::default());
        let mut others = Seen::NONE;
        self.members(|reader, name| match name {
            "options" => once(&mut semantic, reader.semantic(levels)?),
            "evaluations" => once(&mut items, reader.evaluations(levels, limits.batch_max, portions)?),
            "subject" | "action" | "resource" | "context" => {
                let before = reader.left();
                reader.part(&mut shared, &mut others, name, own_levels, portions)?;
                shared_taken = shared_taken.and(reader.taken_since(before));
                Some(())
            }
            _ => reader.other(&mut others, name, levels),
        })?;
        others.close(&mut self.names)?;
        Some(Batch { semantic: semantic.flatten(), shared, shared_taken, items: items? })
    }

    /// The member `options`, as far as it says when a batch ends.
    fn semantic(&mut self, levels: usize) -> Option<Option<&'a str>> {
        let levels = self.open(levels)?;
        let mut semantic = None;
        let mut others = Seen::NONE;
        self.members(|reader, name| match name {
            "evaluations_semantic" => once(&mut semantic, reader.text()?),
            _ => reader.other(&mut others, name, levels),
        })?;
        others.close(&mut self.names)?;
        Some(semantic)
    }

    fn evaluations(&mut self, levels: usize, items_max: usize, portions: &Portions) -> Option<Vec<Item<'a>>> {
        self.count()?;
        self.cursor.expect(b'[')?;
        let levels = levels.checked_sub(1)?;
        let mut items = Vec::new();
        self.elements(|reader| {
            if items.len() >= items_max {
                return None;
            }
            items.push(reader.item(levels, portions)?);
            Some(())
        })?;
        Some(items)
    }

    fn item(&mut self, levels: usize, portions: &Portions) -> Option<Item<'a>> {
        let before = self.left();
        let levels = self.open(levels)?;
        let mut parts = Parts::default();
        let mut others = Seen::NONE;
        self.members(|reader, name| reader.part(&mut parts, &mut others, name, levels, portions))?;
        others.close(&mut self.names)?;
        Some(Item { parts, taken: self.taken_since(before) })
    }

    /// A member of a request, which is one of its parts or ignored.
    fn part(
        &mut self,
        parts: &mut Parts<'a>,
        others: &mut Seen,
        name: &'a str,
        levels: usize,
        portions: &Portions,
    ) -> Option<()> {
        match name {
            "subject" => once(&mut parts.subject, self.party(levels, &portions.subject)?),
            "action" => once(&mut parts.action, self.action(levels, &portions.action)?),
            "resource" => once(&mut parts.resource, self.party(levels, &portions.resource)?),
            "context" => once(&mut parts.context, self.attributes(levels, &portions.context)?),
            _ => self.other(others, name, levels),
        }
    }

    /// How many values may still be read, and how many bytes were.
    const fn left(&self) -> (usize, usize) {
        (self.values_left, self.cursor.place())
    }

    const fn taken_since(&self, (values_left, place): (usize, usize)) -> Taken {
        let values = values_left.saturating_sub(self.values_left);
        Taken { values, bytes: self.cursor.place().saturating_sub(place) }
    }
}
