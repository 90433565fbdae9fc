//! Audit as the policy declares it: which decisions are recorded, and where in a request what stands that must not be.

use std::sync::Arc;

use super::format::{ActionAudit, AuditLevel};

/// What of this bundle's decisions is recorded.
#[derive(Clone, Debug)]
pub struct AuditSpec {
    /// Which decisions, where the action does not say otherwise, or is not known.
    pub level: AuditLevel,
    /// Of a million ordinary allows, how many are recorded where they are sampled.
    pub sampled_per_million: u32,
    /// What must not be written.
    pub redaction: Arc<[Path]>,
}

impl AuditSpec {
    /// The level of an action.
    #[must_use]
    pub const fn level_of(&self, action: Option<ActionAudit>) -> AuditLevel {
        match action {
            None => self.level,
            Some(ActionAudit::None) => AuditLevel::None,
            Some(ActionAudit::Denies) => AuditLevel::Denies,
            Some(ActionAudit::Sampled) => AuditLevel::Sampled,
            Some(ActionAudit::All | ActionAudit::Required | ActionAudit::Confirmed) => AuditLevel::All,
        }
    }
}

/// How a value is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// By a keyed tag: equal values have equal tags.
    Tag,
    /// By a commitment, which can be opened for this record and this place alone.
    Commitment,
}

/// Where a value stands: names from the entity down, as in `subject.address.city`; `*` stands for every member or item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    steps: Box<[Box<str>]>,
    /// How what is found there is replaced.
    pub replacement: Replacement,
}

/// Why a text is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a path names an entity and what is below it, as in `subject.email` or `context.tokens.*`")]
pub struct PathError;

/// How deep a path may lead.
const STEPS_MAX: usize = 16;

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// [`PathError`], for a text that leads nowhere in a request.
    pub fn parse(text: &str, replacement: Replacement) -> Result<Self, PathError> {
        let steps: Box<[Box<str>]> = text.split('.').map(Into::into).collect();
        let entity = steps.first().map_or("", |step| &**step);
        let known = ["subject", "action", "resource", "context"].contains(&entity);
        let whole = (2..=STEPS_MAX).contains(&steps.len()) && steps.iter().all(|step| !step.is_empty());
        if known && whole { Ok(Self { steps, replacement }) } else { Err(PathError) }
    }

    /// The names, from the entity down.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|step| &**step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_nowhere_in_a_request_is_refused() {
        let deep = format!("subject{}", ".a".repeat(STEPS_MAX));
        for text in ["", "subject", "subject.", ".email", "user.email", "subject..email", &deep] {
            assert!(Path::parse(text, Replacement::Tag).is_err(), "{text}");
        }
        assert!(Path::parse("context.tokens.*", Replacement::Tag).is_ok());
    }
}
