//! A condition and its three truth values (spec 1.3).
//!
//! Reading order: this file (what a condition may read and what it gives), `cel` (text to expression, checked against the
//! schema), `monotone` (what may be lost), `program` (the compiled form), `eval` (the compiled form against one request),
//! `flat` (the plain ones in short), `rego`.

pub mod boundaries;
mod calendar;
mod calls;
pub mod cel;
mod compare;
mod compute;
mod encoders;
mod eval;
mod eval_walks;
mod flat;
mod format;
mod functions;
mod math;
mod monotone;
mod pairs;
pub mod portions;
pub mod program;
pub mod rego;
mod roots;
mod source;
mod strings;
pub mod text;
mod type_name;
mod typing;
mod walks;

use crate::time::Monotonic;
use crate::value::{Timestamp, Value, View};
use crate::value_type::ValueType;

/// What a condition comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It does not hold.
    False,
    /// It holds.
    True,
    /// It could not be established: this counts against access, in an allow rule and in a deny rule alike.
    Indeterminate(Cause),
}

/// Why a condition, or a part of it, could not be established.
///
/// Not an error of the request as a whole: `false && indeterminate` is false, in either order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// An attribute, a field or a key that is not there.
    Missing,
    /// A value of a type that the operation does not take.
    WrongType,
    /// A list has no such index.
    IndexOutOfRange,
    /// Arithmetic that overflowed, or a division by zero.
    Arithmetic,
    /// A text or number that the conversion or function does not take.
    InvalidArgument,
    /// A signal whose state is not known; its index in the policy.
    Signal(u16),
    /// The wall clock is not to be trusted.
    Clock,
    /// The evaluation met a limit.
    Limit,
    /// A Rego query that was undefined, erred, or gave anything but `true` or `false`.
    Rego,
    /// A failure of the engine itself.
    Internal,
}

impl Cause {
    /// The cause that remains where two parts of one condition could not be established.
    ///
    /// A signal is named as the cause only where signals alone caused it (spec 1.3).
    #[must_use]
    pub const fn join(self, other: Self) -> Self {
        match (self, other) {
            // Of two signals the first declared, so that it does not matter which was met first.
            (Self::Signal(a), Self::Signal(b)) => Self::Signal(if a < b { a } else { b }),
            (Self::Signal(_), Self::Clock) => self,
            (Self::Signal(_) | Self::Clock, cause) => cause,
            (cause, _) => cause,
        }
    }

    /// Whether a signal (the clock among them) caused it.
    #[must_use]
    pub const fn is_signal(self) -> bool {
        matches!(self, Self::Signal(_) | Self::Clock)
    }

    /// A stable name, for explanations and records.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::WrongType => "wrong_type",
            Self::IndexOutOfRange => "index_out_of_range",
            Self::Arithmetic => "arithmetic",
            Self::InvalidArgument => "invalid_argument",
            Self::Signal(_) => "signal",
            Self::Clock => "clock",
            Self::Limit => "limit",
            Self::Rego => "rego",
            Self::Internal => "internal",
        }
    }
}

/// The four entities of a request that a condition reads attributes of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entity {
    /// Who asks.
    Subject,
    /// What they ask to do.
    Action,
    /// What they ask to do it to.
    Resource,
    /// The circumstances.
    Context,
}

impl Entity {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Subject, Self::Action, Self::Resource, Self::Context];

    /// The word for it in conditions and requests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Action => "action",
            Self::Resource => "resource",
            Self::Context => "context",
        }
    }
}

/// An attribute that a condition may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Where [`Scope::slots`] holds its value.
    pub slot: u16,
    /// Its declared type.
    pub value_type: ValueType,
    /// Whether a valid request may lack it: it is optional, or some type of entity that the rule matches has it not.
    pub may_be_absent: bool,
    /// What it means that a request lacks it.
    pub absence: Absence,
}

/// What it means that a request lacks an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// There is no valid request without it, or to read it is indeterminate: nothing can flip.
    Indeterminate,
    /// Its value is this boolean, by default.
    Bool(bool),
    /// Its value is some other one, by default.
    Value,
}

/// What the policy declares, for the compiler of conditions. An unknown name comes back with the nearest known one.
pub trait Names {
    /// The attribute `entity.name`, with `id` and `type` (or `action.name`) among them.
    ///
    /// # Errors
    /// The nearest declared name, if one is near, where there is no such attribute.
    fn attribute(&mut self, entity: Entity, name: &str) -> Result<Attribute, Option<String>>;

    /// The index of a declared or built-in signal.
    ///
    /// # Errors
    /// The nearest declared name, if one is near, where there is no such signal.
    fn signal(&mut self, name: &str) -> Result<u16, Option<String>>;

    /// Whether the signal at this index fails by a loss, as `clock` does when the clock is lost: then `failed` is a
    /// presence test. Of other signals nobody says `failed` who knows nothing.
    fn fails_by_loss(&self, signal: u16) -> bool {
        let _ = signal;
        false
    }

    /// The laxest and the strictest posture; nothing where the posture may not be read.
    fn postures(&self) -> Option<PostureNames<'_>> {
        None
    }

    /// The pack's `data.json`; `None` where the pack has none.
    fn data(&self) -> Option<&Value>;

    /// A variable besides the roots of a condition, by its name or its dotted path (with a dot before it, where it was
    /// written so); the longest path is asked for first. A policy declares none.
    fn variable(&mut self, path: &str) -> Option<Attribute> {
        let _ = path;
        None
    }
}

/// The ends of the order of postures: of these two names it is known which way a loss moves a comparison with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostureNames<'a> {
    /// The normal posture.
    pub laxest: &'a str,
    /// The one of the highest rank.
    pub strictest: &'a str,
}

/// The posture that a request is under, as a condition sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostureView<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its rank.
    pub rank: u32,
}

/// The status of a signal at the time of a decision, freshness already taken into account (spec 1.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Never observed, or not lately enough. Counts as not ok.
    #[default]
    Unknown,
    /// Reported as failed, or not yet recovered from it.
    Failed,
    /// Reported as working in part. Counts as not ok, and not as failed.
    Degraded,
    /// Reported as working, lately enough.
    Ok,
}

impl Status {
    /// The word for it in formats.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::Degraded => "degraded",
            Self::Ok => "ok",
        }
    }
}

/// A signal as a condition sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalView {
    /// Its status now.
    pub status: Status,
    /// When it was last observed, if ever.
    pub observed_at: Option<Monotonic>,
}

/// What one decision lets its conditions read: the request, the signals and the time, and no more.
#[derive(Debug)]
pub struct Scope<'a> {
    /// The attributes that the policy's conditions read, by slot; nothing where the request lacks one.
    pub slots: &'a [Option<View<'a>>],
    /// The signals, by index.
    pub signals: &'a [SignalView],
    /// The posture that the request is under; nothing where it is not known.
    pub posture: Option<PostureView<'a>>,
    /// The monotonic clock.
    pub monotonic: Monotonic,
    /// The wall clock; nothing where it is not to be trusted.
    pub wall: Option<Timestamp>,
    /// Where values made while evaluating live; it allocates nothing until one is made.
    pub arena: &'a bumpalo::Bump,
    /// How many steps the decision may still take; a condition that meets zero is indeterminate ([`Cause::Limit`]).
    pub steps_left: core::cell::Cell<u32>,
}

/// What a condition may have read, known when it is compiled: what a cached decision rests on (spec 1.7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// The slots, ascending, each once.
    pub slots: Vec<u16>,
    /// The signals, ascending, each once.
    pub signals: Vec<u16>,
    /// Whether it reads the posture.
    pub posture: bool,
    /// How it reads the wall clock.
    pub clock: ClockUse,
}

/// How a condition reads `now`, and so when its value can change by time alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClockUse {
    /// Not at all.
    #[default]
    None,
    /// Only by comparing it with these constants, or by calendar fields that change no oftener than every
    /// `every_secs` seconds, counted from the epoch.
    Boundaries {
        /// The instants it is compared with, ascending.
        instants: Vec<Timestamp>,
        /// The period of the finest calendar field read, in seconds: 1, 60, 900 (hours and longer, since zones lie
        /// whole quarters of an hour apart); 0 for none.
        every_secs: u32,
    },
    /// In a way whose next change is not known: such a decision is not cached.
    Unbounded,
}

impl ClockUse {
    /// The next instant after `wall` at which the value may change: `None` for never, `Some(wall)` for at any time.
    #[must_use]
    pub fn next_boundary(&self, wall: Timestamp) -> Option<Timestamp> {
        match self {
            Self::None => None,
            Self::Unbounded => Some(wall),
            Self::Boundaries { instants, every_secs } => {
                let instant = instants.iter().copied().filter(|instant| *instant > wall).min();
                let period = i64::from(*every_secs);
                let tick = wall.as_second().checked_div_euclid(period).map(|periods| {
                    let second = periods.saturating_add(1).saturating_mul(period);
                    Timestamp::from_second(second).unwrap_or(wall)
                });
                match (instant, tick) {
                    (Some(instant), Some(tick)) => Some(instant.min(tick)),
                    (one, other) => one.or(other),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
