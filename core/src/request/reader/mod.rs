//! The reader of AuthZEN JSON on the path of a decision: one walk over the bytes, without a copy of what can be borrowed.
//!
//! [`Request::from_json`] says what is right; this reader is quick. It takes the same bytes for the same request, and what
//! it takes for none the other one explains. What is not kept (see [`Portions`]) is checked as all else is: its grammar, its
//! limits, and that no name stands twice.

mod batch;
mod portion;
mod seen;
mod text;

use bumpalo::Bump;
use smallvec::SmallVec;

use super::view::{ActionView, Attributes, PartyView, RequestView};
use super::{Request, RequestError, parse_strict};
use crate::limits::Limits;
use crate::value::{Fields, Value, View};

pub(crate) use batch::{Batch, Parts};
pub use portion::{Named, Portion, Portions};
use seen::Seen;
use text::Cursor;

/// How deep the other reader goes at most, whatever the limits say: its parser has a limit of its own.
const LEVELS_MAX: usize = 127;

/// Places for what a small request holds, so that it needs no allocation.
pub(crate) struct Room<'a> {
    fields: [(&'a str, View<'a>); 12],
    items: [View<'a>; 12],
}

impl Default for Room<'_> {
    fn default() -> Self {
        Self { fields: [("", View::Null); 12], items: [View::Null; 12] }
    }
}

impl<'a> RequestView<'a> {
    /// Reads an AuthZEN evaluation request as [`Request::from_json`] does, and borrows from the bytes what it can; `arena`
    /// takes the rest.
    ///
    /// # Errors
    /// Those of [`Request::from_json`].
    pub fn from_json(bytes: &'a [u8], limits: &Limits, arena: &'a Bump) -> Result<Self, RequestError> {
        let request = read(bytes, limits, &Portions::WHOLE, arena, (&mut [], &mut []));
        let request = request.ok_or_else(|| why(bytes, limits))?;
        request.check_names(limits).map(|()| request)
    }

    /// Likewise, but keeps of the attributes no more than these portions, and leaves the names to be checked
    /// ([`RequestView::check_names`]); `room` is filled before the arena.
    pub(crate) fn portions_from_json(
        bytes: &'a [u8],
        limits: &Limits,
        portions: &Portions,
        arena: &'a Bump,
        room: &'a mut Room<'a>,
    ) -> Result<Self, RequestError> {
        let room = (&mut room.fields[..], &mut room.items[..]);
        read(bytes, limits, portions, arena, room).ok_or_else(|| why(bytes, limits))
    }
}

/// The request that the bytes are, with names that are still to be checked; nothing where they are none.
fn read<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    portions: &Portions,
    arena: &'a Bump,
    (fields_room, items_room): (&'a mut [(&'a str, View<'a>)], &'a mut [View<'a>]),
) -> Option<RequestView<'a>> {
    if bytes.len() > limits.request_bytes_max {
        return None;
    }
    let mut reader = Reader {
        cursor: Cursor::new(bytes, arena)?,
        values_left: limits.request_values_max,
        fields: SmallVec::new(),
        items: SmallVec::new(),
        names: SmallVec::new(),
        fields_room,
        items_room,
        arena,
    };
    reader.request(limits.request_depth_max.min(LEVELS_MAX), portions)
}

/// What is wrong with bytes that are no request, in the words of the reader that says what is right.
#[cold]
fn why(bytes: &[u8], limits: &Limits) -> RequestError {
    match Request::from_json(bytes, limits) {
        Err(error) => error,
        // The two take the same bytes for requests. Were it otherwise, what one of them refuses is refused.
        Ok(_) => RequestError::Syntax("it is malformed".to_owned()),
    }
}

/// A request while it is read. Nothing, of anything that is read, is a refusal.
struct Reader<'a> {
    cursor: Cursor<'a>,
    values_left: usize,
    /// The members of the maps that are being read, the outermost first.
    fields: SmallVec<[(&'a str, View<'a>); 16]>,
    /// Likewise the items of lists.
    items: SmallVec<[View<'a>; 16]>,
    /// Likewise the names of members that are not kept.
    names: SmallVec<[&'a str; 32]>,
    fields_room: &'a mut [(&'a str, View<'a>)],
    items_room: &'a mut [View<'a>],
    arena: &'a Bump,
}

impl<'a> Reader<'a> {
    fn request(&mut self, levels: usize, portions: &Portions) -> Option<RequestView<'a>> {
        let levels = self.open(levels)?;
        let (mut subject, mut action, mut resource, mut context) = (None, None, None, None);
        let mut others = Seen::NONE;
        self.members(|reader, name| match name {
            "subject" => once(&mut subject, reader.party(levels, &portions.subject)?),
            "action" => once(&mut action, reader.action(levels, &portions.action)?),
            "resource" => once(&mut resource, reader.party(levels, &portions.resource)?),
            "context" => once(&mut context, reader.attributes(levels, &portions.context)?),
            _ => reader.other(&mut others, name, levels),
        })?;
        others.close(&mut self.names)?;
        if self.cursor.peek().is_some() {
            return None;
        }
        let context = context.unwrap_or(Attributes::NONE);
        Some(RequestView { subject: subject?, action: action?, resource: resource?, context })
    }

    fn party(&mut self, levels: usize, portion: &Portion) -> Option<PartyView<'a>> {
        let levels = self.open(levels)?;
        let (mut party_type, mut id, mut properties) = (None, None, None);
        let mut others = Seen::NONE;
        self.members(|reader, name| match name {
            "type" => once(&mut party_type, reader.text()?),
            "id" => once(&mut id, reader.text()?),
            "properties" => once(&mut properties, reader.attributes(levels, portion)?),
            _ => reader.other(&mut others, name, levels),
        })?;
        others.close(&mut self.names)?;
        Some(PartyView { party_type: party_type?, id: id?, properties: properties.unwrap_or(Attributes::NONE) })
    }

    fn action(&mut self, levels: usize, portion: &Portion) -> Option<ActionView<'a>> {
        let levels = self.open(levels)?;
        let (mut action, mut properties) = (None, None);
        let mut others = Seen::NONE;
        self.members(|reader, name| match name {
            "name" => once(&mut action, reader.text()?),
            "properties" => once(&mut properties, reader.attributes(levels, portion)?),
            _ => reader.other(&mut others, name, levels),
        })?;
        others.close(&mut self.names)?;
        Some(ActionView { name: action?, properties: properties.unwrap_or(Attributes::NONE) })
    }

    /// A member that a request need not have: checked, and ignored, as AuthZEN asks.
    fn other(&mut self, others: &mut Seen, name: &'a str, levels: usize) -> Option<()> {
        others.add(name, &mut self.names)?;
        self.skip(levels)
    }

    fn attributes(&mut self, levels: usize, portion: &Portion) -> Option<Attributes<'a>> {
        let levels = self.open(levels)?;
        self.fields(levels, portion).map(Attributes::from)
    }

    fn text(&mut self) -> Option<&'a str> {
        self.count()?;
        self.cursor.expect(b'"')?;
        self.cursor.string()
    }

    /// The beginning of a map; gives how many levels may be opened inside.
    fn open(&mut self, levels: usize) -> Option<usize> {
        self.count()?;
        self.cursor.expect(b'{')?;
        levels.checked_sub(1)
    }

    #[inline]
    fn count(&mut self) -> Option<()> {
        self.values_left = self.values_left.checked_sub(1)?;
        Some(())
    }

    /// The members of a map behind its opening brace; `each` reads a value.
    #[inline]
    fn members(&mut self, mut each: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        let mut next = self.cursor.next()?;
        if next == b'}' {
            return Some(());
        }
        loop {
            if next != b'"' {
                return None;
            }
            let name = self.cursor.string()?;
            self.cursor.expect(b':')?;
            each(self, name)?;
            match self.cursor.next()? {
                b',' => next = self.cursor.next()?,
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// The items of a list behind its opening bracket; `each` reads one.
    #[inline]
    fn elements(&mut self, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if self.cursor.peek()? == b']' {
            self.cursor.step(1);
            return Some(());
        }
        loop {
            each(self)?;
            match self.cursor.next()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    fn value(&mut self, levels: usize, portion: &Portion) -> Option<View<'a>> {
        self.count()?;
        match self.cursor.next()? {
            b'"' => self.cursor.string().map(View::Str),
            b'{' => self.fields(levels.checked_sub(1)?, portion).map(View::Fields),
            b'[' => self.list(levels.checked_sub(1)?, portion),
            b't' => self.cursor.word(b"rue").map(|()| View::Bool(true)),
            b'f' => self.cursor.word(b"alse").map(|()| View::Bool(false)),
            b'n' => self.cursor.word(b"ull").map(|()| View::Null),
            first @ (b'-' | b'0'..=b'9') => match self.cursor.whole(first) {
                Some(number) => Some(View::Int(number)),
                None => self.number(),
            },
            _ => None,
        }
    }

    /// Any number but a short whole one: what the other reader makes of it.
    #[cold]
    fn number(&mut self) -> Option<View<'a>> {
        match parse_strict(self.cursor.number()?, &Limits::DEFAULT).ok()? {
            Value::Int(number) => Some(View::Int(number)),
            Value::UInt(number) => Some(View::UInt(number)),
            Value::Double(number) => Some(View::Double(number)),
            _ => None,
        }
    }

    fn list(&mut self, levels: usize, portion: &Portion) -> Option<View<'a>> {
        let Some(portion) = portion.item() else {
            self.elements(|reader| reader.skip(levels))?;
            return Some(View::Items(&[]));
        };
        let before = self.items.len();
        self.elements(|reader| {
            let item = reader.value(levels, portion)?;
            reader.items.push(item);
            Some(())
        })?;
        let items = self.items.get(before..)?;
        let items = if items.len() <= self.items_room.len() {
            let (place, room) = core::mem::take(&mut self.items_room).split_at_mut_checked(items.len())?;
            self.items_room = room;
            place.copy_from_slice(items);
            place
        } else {
            self.arena.alloc_slice_copy(items)
        };
        self.items.truncate(before);
        Some(View::Items(items))
    }

    /// The members of a map behind its opening brace, as far as they are kept.
    fn fields(&mut self, levels: usize, portion: &Portion) -> Option<Fields<'a>> {
        let before = self.fields.len();
        let mut others = Seen::NONE;
        let mut last = None;
        let mut in_order = true;
        self.members(|reader, name| match portion.member(name) {
            Some(portion) => {
                let value = reader.value(levels, portion)?;
                in_order &= last.is_none_or(|last| last < name);
                last = Some(name);
                reader.fields.push((name, value));
                Some(())
            }
            None => reader.other(&mut others, name, levels),
        })?;
        others.close(&mut self.names)?;
        let fields = self.fields.get_mut(before..)?;
        let fields = if fields.len() <= self.fields_room.len() {
            let (place, room) = core::mem::take(&mut self.fields_room).split_at_mut_checked(fields.len())?;
            self.fields_room = room;
            place.copy_from_slice(fields);
            place
        } else {
            self.arena.alloc_slice_copy(fields)
        };
        self.fields.truncate(before);
        if in_order { Some(Fields::in_order(fields)) } else { Fields::new(fields).ok() }
    }

    /// A value that is not kept.
    fn skip(&mut self, levels: usize) -> Option<()> {
        self.count()?;
        match self.cursor.next()? {
            b'"' => self.cursor.skip_string(),
            b'{' => {
                let levels = levels.checked_sub(1)?;
                let mut names = Seen::NONE;
                self.members(|reader, name| reader.other(&mut names, name, levels))?;
                names.close(&mut self.names)
            }
            b'[' => {
                let levels = levels.checked_sub(1)?;
                self.elements(|reader| reader.skip(levels))
            }
            b't' => self.cursor.word(b"rue"),
            b'f' => self.cursor.word(b"alse"),
            b'n' => self.cursor.word(b"ull"),
            first @ (b'-' | b'0'..=b'9') => match self.cursor.whole(first) {
                Some(_) => Some(()),
                None => self.number().map(|_| ()),
            },
            _ => None,
        }
    }
}

/// Puts the value where there is none yet.
#[inline]
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}
