//! How a stretch of a lane, or a decision, looks: by colour and by pattern, so that nobody has to tell colours apart.

use fallgate::Reason;
use fallgate::condition::Status;

/// A look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mood {
    /// As it should be.
    Good,
    /// On weaker ground than usual.
    Weak,
    /// Let through by a declared exception.
    Open,
    /// Nobody knows.
    Unknown,
    /// Tightened.
    Strict,
    /// Not as it should be.
    Bad,
}

impl Mood {
    /// Its class in the style sheet.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Weak => "weak",
            Self::Open => "open",
            Self::Unknown => "unknown",
            Self::Strict => "strict",
            Self::Bad => "bad",
        }
    }

    pub(super) const fn of_status(status: Status) -> Self {
        match status {
            Status::Ok => Self::Good,
            Status::Degraded => Self::Weak,
            Status::Unknown => Self::Unknown,
            Status::Failed => Self::Bad,
        }
    }

    /// How decisions with that reason look.
    pub(super) const fn of_reason(reason: Reason) -> Self {
        match reason {
            Reason::AllowedByRule => Self::Good,
            Reason::AllowedStale | Reason::AllowedMinimal => Self::Weak,
            Reason::AllowedFailOpen | Reason::AllowedByOverride => Self::Open,
            Reason::Posture | Reason::Quarantined => Self::Strict,
            Reason::DeniedByRule | Reason::NoMatchingRule => Self::Unknown,
            _ => Self::Bad,
        }
    }
}
