//! A rollout as the policy declares it: its steps, who is on which side, and what ends it.

use super::approver::Quorum;
use crate::condition::Entity;
use crate::request::RequestView;
use crate::time::Ttl;
use crate::value::View;

/// A share of all requests in hundredths of a percent, from 0 to [`Share::ALL`]: exact, where a fraction of 1 is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u16);

impl Share {
    /// No request.
    pub const NONE: Self = Self(0);
    /// Every request.
    pub const ALL: Self = Self(10_000);

    /// Reads a percentage with up to two decimals, as in `0.25%`; nothing for what is none, for 0 and for more than 100.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number = text.strip_suffix('%')?;
        let (whole, decimals) = number.split_once('.').map_or((number, None), |(whole, rest)| (whole, Some(rest)));
        let digits = |text: &str, longest: usize| {
            let well_formed = (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            if well_formed { text.parse::<u16>().ok() } else { None }
        };
        let hundredths = match decimals {
            None => 0,
            // One decimal is tenths.
            Some(tenths) if tenths.len() == 1 => digits(tenths, 1)?.checked_mul(10)?,
            Some(decimals) => digits(decimals, 2)?,
        };
        let points = digits(whole, 3)?.checked_mul(100)?.checked_add(hundredths)?;
        (points > 0 && points <= Self::ALL.0).then_some(Self(points))
    }

    /// In hundredths of a percent.
    #[must_use]
    pub const fn points(self) -> u16 {
        self.0
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        match rest {
            0 => write!(f, "{whole}%"),
            rest => write!(f, "{whole}.{rest:02}%"),
        }
    }
}

/// The rollout that the active policy declares for the next one.
#[derive(Clone, Debug)]
pub struct RolloutSpec {
    /// For how long at the least the candidate is only compared.
    pub shadow: Ttl,
    /// The shares that it decides then, each greater than the one before.
    pub canary: Vec<Share>,
    /// For how long at the least each of them holds.
    pub hold: Ttl,
    /// What tells on which side a request is.
    pub by: SideBy,
    /// How many decisions at the least each step compares; at least one.
    pub sample: u64,
    /// The approvals that a candidate takes which newly allows something; nothing where nobody can give them.
    pub approvals: Option<Quorum>,
    /// What this policy, as a candidate, declares to allow newly.
    pub newly_allows: Vec<ActionPattern>,
    /// What ends the rollout.
    pub ends: RollBackAt,
}

/// The counts that end a rollout; nothing for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RollBackAt {
    /// Newly allowed, neither declared nor approved.
    pub newly_allowed: Option<u64>,
    /// Newly denied.
    pub newly_denied: Option<u64>,
    /// Newly indeterminate.
    pub indeterminate: Option<u64>,
    /// More denies in a million decisions.
    pub denies_per_million: Option<u32>,
}

/// What tells on which side of a canary a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SideBy {
    /// The subject: its type and its id.
    Subject,
    /// The resource: its type and its id.
    Resource,
    /// An attribute, which is text.
    Attribute(Entity, Box<str>),
}

impl SideBy {
    /// What tells the side of this request; nothing where it is absent, empty or no text.
    #[must_use]
    pub fn of<'r>(&self, request: &RequestView<'r>) -> Option<(&'r str, &'r str)> {
        let value = match self {
            Self::Subject => (request.subject.party_type, request.subject.id),
            Self::Resource => (request.resource.party_type, request.resource.id),
            Self::Attribute(entity, name) => {
                let attributes = match entity {
                    Entity::Subject => request.subject.properties,
                    Entity::Action => request.action.properties,
                    Entity::Resource => request.resource.properties,
                    Entity::Context => request.context,
                };
                let Some(View::Str(text)) = attributes.get(name) else { return None };
                ("", text)
            }
        };
        Some(value).filter(|(_, text)| !text.is_empty())
    }
}

/// An action, or the beginning of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionPattern {
    /// This action.
    Exactly(Box<str>),
    /// Every action whose name begins so.
    StartingWith(Box<str>),
}

impl ActionPattern {
    /// Reads `payment:refund`, or `payment:*`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(start) => Self::StartingWith(start.into()),
            None => Self::Exactly(text.into()),
        }
    }

    /// Whether the action is among those.
    #[must_use]
    pub fn admits(&self, action: &str) -> bool {
        match self {
            Self::Exactly(name) => **name == *action,
            Self::StartingWith(start) => action.starts_with(&**start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_read_exactly() {
        for (text, points) in [
            ("1%", 100),
            ("0.01%", 1),
            ("0.1%", 10),
            ("0.10%", 10),
            ("12.5%", 1_250),
            ("99.99%", 9_999),
            ("100%", 10_000),
            ("100.00%", 10_000),
        ] {
            assert_eq!(Share::parse(text).map(Share::points), Some(points), "{text}");
        }
    }

    #[test]
    fn what_is_no_percentage_is_refused() {
        for text in [
            "", "%", "1", "0%", "0.00%", "100.01%", "101%", "-1%", "+1%", "1.%", ".5%", "1.001%", "1e1%", "NaN%",
            "inf%", " 1%", "1 %", "１%", "0x1%", "65536%", "1%%",
        ] {
            assert_eq!(Share::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_share_is_shown_as_it_is_written() {
        for text in ["1%", "12.50%", "0.01%", "100%"] {
            assert_eq!(Share::parse(text).map(|share| share.to_string()).as_deref(), Some(text));
        }
    }
}
