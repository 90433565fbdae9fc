//! What operators say of decisions and triggers after they have looked: the ground truth that no engine has.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::decision::DecisionId;
use crate::reason::Effect;

/// What a request turned out to be.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DecisionLabel {
    /// Whoever asked should have been granted it.
    Legitimate,
    /// Whoever asked should have been refused.
    Malicious,
}

impl DecisionLabel {
    /// The word of the format.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Legitimate => "legitimate",
            Self::Malicious => "malicious",
        }
    }

    /// The label that is written so.
    #[must_use]
    pub fn named(code: &str) -> Option<Self> {
        [Self::Legitimate, Self::Malicious].into_iter().find(|label| label.code() == code)
    }
}

/// What a trigger, a posture that was entered without anybody's doing, turned out to be.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TriggerLabel {
    /// There was a reason to enter the posture.
    Valid,
    /// There was none.
    False,
}

impl TriggerLabel {
    /// The word of the format.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::False => "false",
        }
    }

    /// The label that is written so.
    #[must_use]
    pub fn named(code: &str) -> Option<Self> {
        [Self::Valid, Self::False].into_iter().find(|label| label.code() == code)
    }
}

/// Why a label was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// There is no room for one more.
    #[error("there is no room for one label more; the limit is `labels_max`")]
    NoRoom,
    /// No trigger has that number, or it was too long ago.
    #[error("no trigger has that number; it is the `id` of an event `posture_entered` that no operator caused")]
    UnknownTrigger,
    /// The text is not the identifier of a decision, or of one that is still to come.
    #[error("that is not the identifier of a decision of the past; it is the `id` in a decision's context")]
    UnknownDecision,
}

impl LabelError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoRoom => "no_room_for_label",
            Self::UnknownTrigger => "unknown_trigger",
            Self::UnknownDecision => "unknown_decision",
        }
    }
}

/// The labels so far, of a bounded number of decisions and triggers.
#[derive(Clone, Debug)]
pub struct Labels {
    decisions: HashMap<DecisionId, DecisionLabel, foldhash::fast::FixedState>,
    triggers: BTreeMap<u64, Option<TriggerLabel>>,
    max: usize,
    /// Allows that should have been denies, and denies that should have been allows.
    pub wrongly_allowed: u64,
    /// Denies that should have been allows.
    pub wrongly_denied: u64,
}

/// How a label changes what is known of its decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// It turns out to be wrong.
    Wrong,
    /// It turns out not to be wrong, as was thought.
    Right,
}

impl Labels {
    /// None; at most `max` of each.
    #[must_use]
    pub fn new(max: usize) -> Self {
        let decisions = HashMap::with_hasher(foldhash::fast::FixedState::default());
        Self { decisions, triggers: BTreeMap::new(), max, wrongly_allowed: 0, wrongly_denied: 0 }
    }

    /// Labels a decision, in place of an earlier label of it.
    ///
    /// # Errors
    /// [`LabelError::NoRoom`].
    pub fn decision(&mut self, id: DecisionId, label: DecisionLabel) -> Result<Change, LabelError> {
        let before = self.decisions.get(&id).copied();
        if before.is_none() && self.decisions.len() >= self.max {
            return Err(LabelError::NoRoom);
        }
        self.decisions.insert(id, label);
        let is_wrong = |label: DecisionLabel| match id.effect() {
            Effect::Deny => label == DecisionLabel::Legitimate,
            Effect::Allow => label == DecisionLabel::Malicious,
        };
        let count = match id.effect() {
            Effect::Deny => &mut self.wrongly_denied,
            Effect::Allow => &mut self.wrongly_allowed,
        };
        Ok(match (before.is_some_and(is_wrong), is_wrong(label)) {
            (false, true) => {
                *count = count.saturating_add(1);
                Change::Wrong
            }
            (true, false) => {
                *count = count.saturating_sub(1);
                Change::Right
            }
            _ => Change::Nothing,
        })
    }

    /// Notes that there was a trigger. Where there is no room, the oldest that nobody labelled is forgotten.
    pub fn triggered(&mut self, trigger: u64) {
        if self.triggers.len() >= self.max {
            let unlabelled = self.triggers.iter().find(|(_, label)| label.is_none()).map(|(trigger, _)| *trigger);
            let Some(unlabelled) = unlabelled else { return };
            self.triggers.remove(&unlabelled);
        }
        self.triggers.insert(trigger, None);
    }

    /// Labels a trigger, in place of an earlier label of it.
    ///
    /// # Errors
    /// [`LabelError::UnknownTrigger`].
    pub fn trigger(&mut self, trigger: u64, label: TriggerLabel) -> Result<(), LabelError> {
        *self.triggers.get_mut(&trigger).ok_or(LabelError::UnknownTrigger)? = Some(label);
        Ok(())
    }

    /// Of the triggers that somebody labelled, the part that was valid; nothing where nobody labelled any.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        let labelled = self.triggers.values().flatten();
        let (valid, all) = labelled.fold((0_u64, 0_u64), |(valid, all), label| {
            (valid.saturating_add(u64::from(*label == TriggerLabel::Valid)), all.saturating_add(1))
        });
        (all > 0).then(|| valid as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: DecisionId = DecisionId(2);
    const ALLOW: DecisionId = DecisionId(3);

    #[test]
    fn a_label_that_agrees_with_the_decision_counts_nothing() {
        let mut labels = Labels::new(9);
        assert_eq!(labels.decision(DENY, DecisionLabel::Malicious), Ok(Change::Nothing));
        assert_eq!(labels.decision(ALLOW, DecisionLabel::Legitimate), Ok(Change::Nothing));
        assert_eq!((labels.wrongly_denied, labels.wrongly_allowed), (0, 0));
    }

    #[test]
    fn a_later_label_takes_the_place_of_an_earlier_one() {
        let mut labels = Labels::new(9);
        assert_eq!(labels.decision(DENY, DecisionLabel::Legitimate), Ok(Change::Wrong));
        assert_eq!(labels.decision(DENY, DecisionLabel::Legitimate), Ok(Change::Nothing));
        assert_eq!(labels.decision(ALLOW, DecisionLabel::Malicious), Ok(Change::Wrong));
        assert_eq!((labels.wrongly_denied, labels.wrongly_allowed), (1, 1));
        assert_eq!(labels.decision(DENY, DecisionLabel::Malicious), Ok(Change::Right));
        assert_eq!((labels.wrongly_denied, labels.wrongly_allowed), (0, 1));
    }

    #[test]
    fn a_full_table_refuses() {
        let mut labels = Labels::new(1);
        assert_eq!(labels.decision(DENY, DecisionLabel::Legitimate), Ok(Change::Wrong));
        assert_eq!(labels.decision(ALLOW, DecisionLabel::Legitimate), Err(LabelError::NoRoom));
        assert_eq!(labels.decision(DENY, DecisionLabel::Malicious), Ok(Change::Right));
    }

    #[test]
    fn triggers_that_nobody_labelled_make_room() {
        let mut labels = Labels::new(2);
        (1..=3).for_each(|trigger| labels.triggered(trigger));
        assert_eq!(labels.trigger(1, TriggerLabel::Valid), Err(LabelError::UnknownTrigger));
        assert_eq!(labels.accuracy(), None);
        assert_eq!(labels.trigger(2, TriggerLabel::Valid), Ok(()));
        assert_eq!(labels.trigger(3, TriggerLabel::False), Ok(()));
        assert_eq!(labels.accuracy(), Some(0.5));
        labels.triggered(4);
        assert_eq!(labels.trigger(4, TriggerLabel::Valid), Err(LabelError::UnknownTrigger));
    }
}
