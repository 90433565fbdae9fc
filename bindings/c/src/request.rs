//! A request as C holds it, and how it becomes the view that the core decides on.
//!
//! Nothing is copied but pointers: the texts stay the caller's. The arrays of pointers stand on the stack while they are
//! few, so that a decision on them allocates nothing.

use std::ffi::c_char;
use std::mem::{self, MaybeUninit};

use bumpalo::Bump;
use fallgate::error::quoted;
use fallgate::limits::Limits;
use fallgate::request::{ActionView, Attributes, PartyView, RequestError, RequestView};
use fallgate::value::{DuplicateName, Fields, View};

use crate::boundary::{Fault, array, text};
use crate::status::fallgate_status;
use kinds::{BOOL, DOUBLE, INT, LIST, MAP, NULL, TEXT, UINT};

/// A text that the caller owns: UTF-8, with its length in bytes; NUL is a character like any other, and none is needed
/// at the end.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct fallgate_str {
    /// The first byte; anything where the length is 0.
    pub data: *const c_char,
    /// How many bytes.
    pub length: usize,
}

/// What a value is. A number that is none of these makes the request invalid.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum fallgate_value_kind {
    /// JSON's `null`.
    FALLGATE_VALUE_NULL = 0,
    /// `boolean`: 0 or 1.
    FALLGATE_VALUE_BOOL = 1,
    /// `integer`.
    FALLGATE_VALUE_INT = 2,
    /// `natural`: the same number as an integer is the same value.
    FALLGATE_VALUE_UINT = 3,
    /// `number`: finite.
    FALLGATE_VALUE_DOUBLE = 4,
    /// `text`.
    FALLGATE_VALUE_TEXT = 5,
    /// `list`.
    FALLGATE_VALUE_LIST = 6,
    /// `map`.
    FALLGATE_VALUE_MAP = 7,
}

/// The kinds as numbers: what C passes may be any.
///
/// cbindgen:ignore
mod kinds {
    use super::fallgate_value_kind as kind;

    pub(super) const NULL: u32 = kind::FALLGATE_VALUE_NULL as u32;
    pub(super) const BOOL: u32 = kind::FALLGATE_VALUE_BOOL as u32;
    pub(super) const INT: u32 = kind::FALLGATE_VALUE_INT as u32;
    pub(super) const UINT: u32 = kind::FALLGATE_VALUE_UINT as u32;
    pub(super) const DOUBLE: u32 = kind::FALLGATE_VALUE_DOUBLE as u32;
    pub(super) const TEXT: u32 = kind::FALLGATE_VALUE_TEXT as u32;
    pub(super) const LIST: u32 = kind::FALLGATE_VALUE_LIST as u32;
    pub(super) const MAP: u32 = kind::FALLGATE_VALUE_MAP as u32;
}

/// Values in order, that the caller owns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct fallgate_list {
    /// The first one; anything where the count is 0.
    pub items: *const fallgate_value,
    /// How many.
    pub count: usize,
}

/// Values by name inside a value, in any order, that the caller owns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct fallgate_map {
    /// The first one; anything where the count is 0.
    pub entries: *const fallgate_attribute,
    /// How many.
    pub count: usize,
}

/// What is known of a part of a request: values by name in any order, that the caller owns. A name that stands twice makes
/// the request invalid.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct fallgate_attributes {
    /// The first one; anything where the count is 0.
    pub entries: *const fallgate_attribute,
    /// How many.
    pub count: usize,
}

/// The value itself: the member that the kind names.
#[repr(C)]
#[derive(Clone, Copy)]
pub union fallgate_value_data {
    /// 0 or 1.
    pub boolean: u8,
    /// A whole number.
    pub integer: i64,
    /// A whole number, zero or more.
    pub natural: u64,
    /// A finite number.
    pub number: f64,
    /// A text.
    pub text: fallgate_str,
    /// Values in order.
    pub list: fallgate_list,
    /// Values by name.
    pub map: fallgate_map,
}

/// A value of an attribute, as JSON has them.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct fallgate_value {
    /// One of fallgate_value_kind.
    pub kind: u32,
    /// What it is.
    pub of: fallgate_value_data,
}

/// A value with its name.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct fallgate_attribute {
    /// The name, as the pack's schema declares it.
    pub name: fallgate_str,
    /// The value.
    pub value: fallgate_value,
}

/// A subject or a resource.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct fallgate_party {
    /// The kind of thing, as the pack's schema declares it.
    pub party_type: fallgate_str,
    /// Which one of its kind. Compared byte by byte.
    pub id: fallgate_str,
    /// What is known of it.
    pub properties: fallgate_attributes,
}

/// What the subject asks to do.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct fallgate_action {
    /// The action's name, as the pack declares it.
    pub name: fallgate_str,
    /// What is known of it.
    pub properties: fallgate_attributes,
}

/// A request in arrays of the caller's: decided exactly as the same request in JSON. A zeroed one is denied.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct fallgate_request {
    /// Who asks.
    pub subject: fallgate_party,
    /// What they ask to do.
    pub action: fallgate_action,
    /// What they ask to do it to.
    pub resource: fallgate_party,
    /// The circumstances.
    pub context: fallgate_attributes,
}

/// Why a request is not handed to the core: what the decision says, and the status of the call.
pub(crate) struct Refusal {
    pub(crate) status: fallgate_status,
    pub(crate) error: RequestError,
}

impl Refusal {
    /// A limit, or a value that JSON has not: the core's matter, and no fault of the call itself.
    fn of(error: RequestError) -> Self {
        Self { status: fallgate_status::FALLGATE_STATUS_OK, error }
    }

    /// What `array` and `text` say of a place in the request.
    fn at(member: &'static str, fault: &Fault) -> Self {
        let expected = match fault.status {
            fallgate_status::FALLGATE_STATUS_NOT_UTF8 => "UTF-8 throughout",
            fallgate_status::FALLGATE_STATUS_MISALIGNED => "in an array that is aligned for its type",
            _ => "in memory that is there: its pointer is NULL",
        };
        Self { status: fault.status, error: RequestError::Member { member, expected } }
    }

    fn twice(name: &DuplicateName) -> Self {
        Self::of(RequestError::DuplicateKey(quoted(&name.0)))
    }
}

/// How deep lists and maps are followed at the most, whatever the limit says: as deep as the reader of JSON goes. A value
/// that holds itself ends at the limit. What comes that far is counted again, and exactly, by the core.
const LEVELS_MAX: usize = 128;

/// Attributes and values of one request that stand on the stack.
const ON_STACK: usize = 32;

/// Where the arrays of one request stand. Nothing is written before it is needed.
pub(crate) struct Room<'a> {
    fields: [MaybeUninit<(&'a str, View<'a>)>; ON_STACK],
    items: [MaybeUninit<View<'a>>; ON_STACK],
}

impl Room<'_> {
    pub(crate) const fn new() -> Self {
        Self { fields: [MaybeUninit::uninit(); ON_STACK], items: [MaybeUninit::uninit(); ON_STACK] }
    }
}

/// The first `count` of what is left, filled; from the arena where there are not so many.
fn taken<'a, T: Copy>(left: &mut &'a mut [MaybeUninit<T>], count: usize, with: T, spill: &'a Bump) -> &'a mut [T] {
    match mem::take(left).split_at_mut_checked(count) {
        Some((taken, rest)) => {
            *left = rest;
            for place in taken.iter_mut() {
                place.write(with);
            }
            // SAFETY: each of them was written just now, and `MaybeUninit` has the layout of what it holds.
            unsafe { &mut *(std::ptr::from_mut(taken) as *mut [T]) }
        }
        // What was left of the stack's room is given up: the request is big, and few are.
        None => spill.alloc_slice_fill_copy(count, with),
    }
}

/// The way through a request: what is left of the room, and how much the request may still bring.
struct Walk<'a, 'l> {
    fields: &'a mut [MaybeUninit<(&'a str, View<'a>)>],
    items: &'a mut [MaybeUninit<View<'a>>],
    spill: &'a Bump,
    limits: &'l Limits,
    values_left: usize,
    bytes_left: usize,
}

/// The request as the core reads it.
///
/// # Safety
/// Every array in the request whose pointer is not NULL has as many elements as its count says, every text as many bytes
/// as its length, and none changes for `'a`.
pub(crate) unsafe fn view<'a>(
    request: &fallgate_request,
    limits: &Limits,
    room: &'a mut Room<'a>,
    spill: &'a Bump,
) -> Result<RequestView<'a>, Refusal> {
    let mut walk = Walk {
        fields: &mut room.fields,
        items: &mut room.items,
        spill,
        limits,
        values_left: limits.request_values_max,
        bytes_left: limits.request_bytes_max,
    };
    // SAFETY: this function's contract is that of each part.
    unsafe {
        Ok(RequestView {
            subject: PartyView {
                party_type: walk.text(request.subject.party_type, "subject.type")?,
                id: walk.text(request.subject.id, "subject.id")?,
                properties: walk.attributes(request.subject.properties, "subject.properties")?,
            },
            action: ActionView {
                name: walk.text(request.action.name, "action.name")?,
                properties: walk.attributes(request.action.properties, "action.properties")?,
            },
            resource: PartyView {
                party_type: walk.text(request.resource.party_type, "resource.type")?,
                id: walk.text(request.resource.id, "resource.id")?,
                properties: walk.attributes(request.resource.properties, "resource.properties")?,
            },
            context: walk.attributes(request.context, "context")?,
        })
    }
}

impl<'a> Walk<'a, '_> {
    /// # Safety
    /// As [`view`], for this text.
    unsafe fn text(&mut self, given: fallgate_str, member: &'static str) -> Result<&'a str, Refusal> {
        let Some(left) = self.bytes_left.checked_sub(given.length) else {
            return Err(Refusal::of(RequestError::Limit { max: self.limits.request_bytes_max, unit: "bytes" }));
        };
        self.bytes_left = left;
        // SAFETY: this function's contract.
        unsafe { text(given.data, given.length, usize::MAX, member) }.map_err(|fault| Refusal::at(member, &fault))
    }

    /// # Safety
    /// As [`view`], for these attributes.
    unsafe fn attributes(
        &mut self,
        given: fallgate_attributes,
        member: &'static str,
    ) -> Result<Attributes<'a>, Refusal> {
        let given = fallgate_map { entries: given.entries, count: given.count };
        // SAFETY: this function's contract.
        let entries = unsafe { self.entries(given, member, self.limits.request_depth_max.min(LEVELS_MAX))? };
        Attributes::new(entries).map_err(|twice| Refusal::twice(&twice))
    }

    /// # Safety
    /// As [`view`], for these attributes.
    unsafe fn entries(
        &mut self,
        given: fallgate_map,
        member: &'static str,
        levels: usize,
    ) -> Result<&'a mut [(&'a str, View<'a>)], Refusal> {
        self.count(given.count)?;
        // SAFETY: this function's contract.
        let given = unsafe { array(given.entries, given.count, usize::MAX, member) }
            .map_err(|fault| Refusal::at(member, &fault))?;
        let entries = taken(&mut self.fields, given.len(), ("", View::Null), self.spill);
        for (entry, given) in entries.iter_mut().zip(given) {
            // SAFETY: this function's contract.
            *entry = unsafe { (self.text(given.name, member)?, self.value(&given.value, member, levels)?) };
        }
        Ok(entries)
    }

    /// # Safety
    /// As [`view`], for this value.
    unsafe fn value(
        &mut self,
        given: &fallgate_value,
        member: &'static str,
        levels: usize,
    ) -> Result<View<'a>, Refusal> {
        let deeper = || {
            let limit = RequestError::Limit { max: self.limits.request_depth_max.min(LEVELS_MAX), unit: "levels" };
            levels.checked_sub(1).ok_or_else(|| Refusal::of(limit))
        };
        let out_of_range = |expected| Refusal {
            status: fallgate_status::FALLGATE_STATUS_OUT_OF_RANGE,
            error: RequestError::Member { member, expected },
        };
        // SAFETY: each member of the union is read where the kind names it, and no bytes are invalid for it; the arrays
        // are as this function's contract says.
        unsafe {
            Ok(match given.kind {
                NULL => View::Null,
                BOOL => match given.of.boolean {
                    0 => View::Bool(false),
                    1 => View::Bool(true),
                    _ => return Err(out_of_range("of booleans that are 0 or 1")),
                },
                INT => View::Int(given.of.integer),
                // As JSON is read: a number that fits a signed one is a signed one.
                UINT => {
                    let natural = given.of.natural;
                    i64::try_from(natural).map_or(View::UInt(natural), View::Int)
                }
                DOUBLE => View::Double(given.of.number),
                TEXT => View::Str(self.text(given.of.text, member)?),
                LIST => View::Items(self.list(given.of.list, member, deeper()?)?),
                MAP => {
                    let levels = deeper()?;
                    let entries = self.entries(given.of.map, member, levels)?;
                    View::Fields(Fields::new(entries).map_err(|twice| Refusal::twice(&twice))?)
                }
                _ => return Err(out_of_range("of values whose `kind` is one of fallgate_value_kind")),
            })
        }
    }

    /// # Safety
    /// As [`view`], for this list.
    unsafe fn list(
        &mut self,
        given: fallgate_list,
        member: &'static str,
        levels: usize,
    ) -> Result<&'a [View<'a>], Refusal> {
        self.count(given.count)?;
        // SAFETY: this function's contract.
        let given = unsafe { array(given.items, given.count, usize::MAX, member) }
            .map_err(|fault| Refusal::at(member, &fault))?;
        let items = taken(&mut self.items, given.len(), View::Null, self.spill);
        for (item, given) in items.iter_mut().zip(given) {
            // SAFETY: this function's contract.
            *item = unsafe { self.value(given, member, levels)? };
        }
        Ok(items)
    }

    /// Counts values before any of them is looked at, so that no room is made for more than the limit.
    fn count(&mut self, values: usize) -> Result<(), Refusal> {
        let limit = RequestError::Limit { max: self.limits.request_values_max, unit: "values" };
        self.values_left = self.values_left.checked_sub(values).ok_or_else(|| Refusal::of(limit))?;
        Ok(())
    }
}
