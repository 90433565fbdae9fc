//! A request as packed bytes: what `lib/packing.js` writes of a plain request, in one buffer that it keeps.
//!
//! Reading properties through Node's interface costs more than deciding, and so does a text that has to be parsed. The
//! bytes are ASCII texts with their length before them, tags and numbers; a request that does not fit this form comes as
//! JSON instead. The bytes are made by the package itself; what cannot be read is a deny all the same.
//!
//! | what | bytes |
//! |---|---|
//! | request | subject, action, resource, context |
//! | subject, resource | type, id, attributes; the action: name, attributes; the context: attributes |
//! | attributes | how many (1), and of each its name and its value |
//! | an attribute's name | a text; or its number in the table of names (2), with the highest bit set |
//! | text | how long (2), its bytes |
//! | value | a tag (1), and what follows from it |

use std::collections::HashMap;

use bumpalo::Bump;
use fallgate::request::{ActionView, Attributes, PartyView, RequestView};
use fallgate::value::View;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
/// A whole number within ±(2⁵³ - 1), as a double in little endian.
const WHOLE: u8 = 3;
/// Another finite number, in the same way.
const DOUBLE: u8 = 4;
const TEXT: u8 = 5;
/// How many (2), and the values.
const LIST: u8 = 6;
/// A whole number of one byte.
const SMALL: u8 = 7;
/// The bit that says that a name is a number.
const NUMBERED: usize = 0x8000;
/// How many names a table holds.
const NAMES_MAX: usize = 0x7fff;

/// The names of attributes that JavaScript says by number: those that the active bundle looks at.
#[derive(Default)]
pub(crate) struct Names {
    numbers: HashMap<Box<str>, usize, foldhash::fast::FixedState>,
    names: Vec<Box<str>>,
}

impl Names {
    /// The number of a name; nothing where the table is full.
    pub(crate) fn number(&mut self, name: &str) -> Option<u32> {
        let number = match self.numbers.get(name) {
            Some(number) => *number,
            None if self.names.len() >= NAMES_MAX => return None,
            None => {
                let number = self.names.len();
                self.numbers.insert(name.into(), number);
                self.names.push(name.into());
                number
            }
        };
        u32::try_from(number).ok()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The largest number that a double of JavaScript counts to.
const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;

/// The request that the bytes hold; nothing where they hold none, or more than one.
pub(crate) fn request<'a>(bytes: &'a [u8], names: &'a Names, arena: &'a Bump) -> Option<RequestView<'a>> {
    let mut packed = Packed { rest: bytes, names, arena };
    let subject = packed.party()?;
    let action = ActionView { name: packed.text()?, properties: packed.attributes()? };
    let resource = packed.party()?;
    let context = packed.attributes()?;
    packed.rest.is_empty().then_some(RequestView { subject, action, resource, context })
}

struct Packed<'a> {
    rest: &'a [u8],
    names: &'a Names,
    arena: &'a Bump,
}

impl<'a> Packed<'a> {
    fn party(&mut self) -> Option<PartyView<'a>> {
        Some(PartyView { party_type: self.text()?, id: self.text()?, properties: self.attributes()? })
    }

    fn attributes(&mut self) -> Option<Attributes<'a>> {
        let count = usize::from(self.byte()?);
        if count == 0 {
            return Some(Attributes::NONE);
        }
        // Each takes three bytes or more: a count beyond the bytes asks for no memory.
        if count > self.rest.len() / 3 {
            return None;
        }
        let entries = self.arena.alloc_slice_fill_copy(count, ("", View::Null));
        for entry in entries.iter_mut() {
            *entry = (self.name()?, self.value(true)?);
        }
        Attributes::new(entries).ok()
    }

    fn value(&mut self, lists: bool) -> Option<View<'a>> {
        Some(match self.byte()? {
            NULL => View::Null,
            FALSE => View::Bool(false),
            TRUE => View::Bool(true),
            WHOLE => View::Int(whole(self.double()?)?),
            SMALL => View::Int(self.byte()?.into()),
            DOUBLE => View::Double(self.double()?),
            TEXT => View::Str(self.text()?),
            LIST if lists => {
                let count = self.length()?;
                if count > self.rest.len() {
                    return None;
                }
                let items = self.arena.alloc_slice_fill_copy(count, View::Null);
                for item in items.iter_mut() {
                    *item = self.value(false)?;
                }
                View::Items(items)
            }
            _ => return None,
        })
    }

    fn name(&mut self) -> Option<&'a str> {
        let length = self.length()?;
        match length.checked_sub(NUMBERED) {
            Some(number) => self.names.names.get(number).map(|name| &**name),
            None => std::str::from_utf8(self.take(length)?).ok(),
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    fn double(&mut self) -> Option<f64> {
        let bytes = self.take(8)?.try_into().ok()?;
        Some(f64::from_le_bytes(bytes)).filter(|number| number.is_finite())
    }

    fn length(&mut self) -> Option<usize> {
        let bytes = self.take(2)?.try_into().ok()?;
        Some(usize::from(u16::from_be_bytes(bytes)))
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }
}

/// A double that is a whole number, exactly.
fn whole(number: f64) -> Option<i64> {
    let fits = number.abs() <= WHOLE_MAX && number.fract() == 0.0;
    // Within ±(2⁵³ - 1) and whole: nothing is cut off.
    fits.then_some(number as i64)
}
