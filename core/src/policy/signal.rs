//! A signal as the policy declares it.

use std::sync::Arc;

use crate::name::Name;
use crate::policy::guard::GuardSpec;
use crate::time::Ttl;

/// The built-in signal `clock`: failed while the two clocks of the host do not agree.
pub const CLOCK: u16 = 0;
/// The built-in signal `engine`: failed after a contained panic, until a bundle is activated.
pub const ENGINE: u16 = 1;
/// The built-in signal `bundle`: ok while the active bundle is inside its validity.
pub const BUNDLE: u16 = 2;
/// The built-in signal `epoch`: failed while another engine is active beside this one.
pub const EPOCH: u16 = 3;
/// The built-in signal `audit`: failed while records find no room.
pub const AUDIT: u16 = 4;
/// The names of the built-in signals, by index.
pub const BUILT_IN: [&str; 5] = ["clock", "engine", "bundle", "epoch", "audit"];
/// The built-in signal that follows the control feed which a pack names. There is none where it names none: so its number
/// is one of the declared signals.
pub const CONTROL: &str = "control";

/// A declared signal.
#[derive(Clone, Debug)]
pub struct SignalSpec {
    /// Its name.
    pub name: Name,
    /// The list of its name alone: what a decision names that could not be made for want of this signal.
    pub alone: Arc<[Name]>,
    /// Where its status comes from.
    pub source: Source,
}

impl SignalSpec {
    /// A signal.
    #[must_use]
    pub fn new(name: Name, source: Source) -> Self {
        Self { name, alone: Arc::new([name]), source }
    }
}

/// Where a signal's status comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The engine itself.
    BuiltIn,
    /// The host's observations.
    Observed {
        /// For how long an observation holds.
        ttl: Ttl,
        /// What it takes to count as ok after a failure.
        recover: Recovery,
    },
    /// The messages of a control feed: observations that only the feed can make.
    Heartbeat {
        /// The feed.
        feed: Name,
        /// For how long a message holds.
        ttl: Ttl,
        /// What it takes to count as ok after a failure.
        recover: Recovery,
    },
    /// A guard of the host's own calls.
    Guard {
        /// How it is set up; shared, since it is compared over an activation and copied into nothing.
        spec: Arc<GuardSpec>,
        /// For how long what was heard last holds; nothing for until something else is heard.
        ttl: Option<Ttl>,
    },
    /// Other signals, which all have lower numbers than this one.
    Quorum {
        /// Their numbers.
        members: Box<[u16]>,
        /// How many of them must be ok.
        need: usize,
    },
}

impl Source {
    /// Whether what was told of a signal with this source holds for one with the other.
    #[must_use]
    pub fn is_told_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Observed { .. }, Self::Observed { .. }) => true,
            (Self::Heartbeat { feed, .. }, Self::Heartbeat { feed: of, .. }) => feed == of,
            _ => false,
        }
    }
}

/// What a failed signal takes to count as ok again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// That many ok observations in a row; at least 1.
    pub oks: u32,
    /// Ok observations over that long.
    pub stable: Ttl,
}
