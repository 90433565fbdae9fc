//! The rollout of a pack: shares that rise, an attribute that is there, numbers that end something.

use super::Compiler;
use crate::condition::{Absence, Attribute, Entity};
use crate::error::{Code, quoted};
use crate::policy::action::ActionSpec;
use crate::policy::approver::Group;
use crate::policy::format::{self, Pack};
use crate::policy::rollout::{ActionPattern, RollBackAt, RolloutSpec, Share, SideBy};
use crate::policy::schema::Schema;
use crate::time::Ttl;
use crate::value_type::ValueType;

/// The most steps that a canary may have.
const STEPS_MAX: usize = 100;

/// The longest time that a step may take at the least.
const STEP_MAX: Ttl = Ttl::from_secs(30 * 24 * 3_600);

/// How many decisions a step compares at the least, where a pack does not say.
const SAMPLE: u64 = 100;

/// The most patterns that `newly_allows` may have.
const PATTERNS_MAX: usize = 1_000;

impl Compiler<'_> {
    pub(super) fn rollout(
        &mut self,
        pack: &Pack,
        groups: &[Group],
        schema: &mut Schema,
        actions: &[ActionSpec],
    ) -> Option<RolloutSpec> {
        let rollout = pack.rollout.as_ref()?;
        let canary = self.canary(&rollout.canary);
        let hold = rollout.hold.unwrap_or(rollout.shadow);
        for (name, span) in [("shadow", rollout.shadow), ("hold", hold)] {
            if span == Ttl::ZERO || span > STEP_MAX {
                let message = format!("a step of {span} compares nothing, or for ever");
                self.fault(Code::InvalidValue, format!("/rollout/{name}"), message, "write a time up to 30d");
            }
        }
        if rollout.hold.is_some() && rollout.canary.is_empty() {
            let message = "no share holds, so that this says nothing";
            self.fault(Code::InvalidValue, "/rollout/hold", message, "declare `canary`, or leave it out");
        }
        let by = self.side_by(rollout.by.as_deref(), schema);
        let sample = rollout.sample.unwrap_or(SAMPLE);
        if sample == 0 {
            self.fault(Code::InvalidValue, "/rollout/sample", "a sample of none says nothing", "write at least 1");
        }
        let approvals = match &rollout.approvals {
            None => None,
            Some(approvals) => Some(self.quorum("/rollout/approvals", approvals.need, &approvals.from, groups)?),
        };
        let newly_allows = self.newly_allows(&rollout.newly_allows, actions);
        let ends = self.ends(rollout.roll_back_when.as_ref());
        Some(RolloutSpec { shadow: rollout.shadow, canary, hold, by: by?, sample, approvals, newly_allows, ends })
    }

    fn canary(&mut self, texts: &[String]) -> Vec<Share> {
        self.limit("/rollout/canary", "steps", texts.len(), STEPS_MAX);
        let mut shares: Vec<Share> = Vec::with_capacity(texts.len().min(STEPS_MAX));
        for (at, text) in texts.iter().enumerate().take(STEPS_MAX) {
            let pointer = format!("/rollout/canary/{at}");
            let Some(share) = Share::parse(text) else {
                let message = format!("{} is no share of the requests", quoted(text));
                let help = "write a percentage above 0 and up to 100, with at most two decimals, as in `12.5%`";
                self.fault(Code::InvalidValue, pointer, message, help);
                continue;
            };
            if let Some(before) = shares.last().filter(|before| **before >= share) {
                let message = format!("{share} comes after {before}: the shares do not rise");
                self.fault(Code::InvalidValue, pointer, message, "let each be greater than the one before");
            }
            shares.push(share);
        }
        shares
    }

    fn side_by(&mut self, path: Option<&str>, schema: &mut Schema) -> Option<SideBy> {
        let Some(path) = path else { return Some(SideBy::Subject) };
        match path {
            "subject.id" => return Some(SideBy::Subject),
            "resource.id" => return Some(SideBy::Resource),
            _ => {}
        }
        let attribute = path.split_once('.').and_then(|(entity, attribute)| {
            let entities = [Entity::Subject, Entity::Action, Entity::Resource, Entity::Context];
            let entity = entities.into_iter().find(|known| known.name() == entity)?;
            Some((entity, attribute, schema.attribute(entity, attribute, None).ok()?))
        });
        let pointer = "/rollout/by";
        match attribute {
            Some((_, "type" | "name", _)) => {
                let message = format!("all requests of one kind have one {}", quoted(path));
                self.fault(Code::InvalidValue, pointer, message, "name what tells one from another, as `subject.id`");
                None
            }
            Some((.., Attribute { may_be_absent, absence, .. }))
                if may_be_absent || absence != Absence::Indeterminate =>
            {
                let message = format!("a request may lack {}: it would change sides by losing it", quoted(path));
                let help = "name an attribute that is required in every type";
                self.fault(Code::InvalidValue, pointer, message, help);
                None
            }
            Some((entity, name, Attribute { value_type: ValueType::String, .. })) => {
                Some(SideBy::Attribute(entity, name.into()))
            }
            Some((.., Attribute { value_type, .. })) => {
                let message = format!("{} is of type `{value_type}`, expected `string`", quoted(path));
                self.fault(Code::TypeMismatch, pointer, message, "name an attribute that is text in every type");
                None
            }
            None => {
                let message = format!("the schema declares no attribute {}", quoted(path));
                self.fault(Code::UnknownAttribute, pointer, message, "write it as in `resource.tenant`");
                None
            }
        }
    }

    fn newly_allows(&mut self, texts: &[String], actions: &[ActionSpec]) -> Vec<ActionPattern> {
        self.limit("/rollout/newly_allows", "patterns", texts.len(), PATTERNS_MAX);
        let mut patterns = Vec::with_capacity(texts.len().min(PATTERNS_MAX));
        for (at, text) in texts.iter().enumerate().take(PATTERNS_MAX) {
            let pattern = ActionPattern::parse(text);
            if text == "*" {
                let message = "`*` would declare everything, and so nothing";
                let help = "name the actions, or the beginning of several, as in `payment:*`";
                self.fault(Code::InvalidValue, format!("/rollout/newly_allows/{at}"), message, help);
            } else if !actions.iter().any(|action| pattern.admits(&action.name)) {
                let message = format!("no action is named {}", quoted(text));
                let help = "name a declared action, or the beginning of several";
                self.fault(Code::UnknownAction, format!("/rollout/newly_allows/{at}"), message, help);
            }
            patterns.push(pattern);
        }
        patterns
    }

    fn ends(&mut self, ends: Option<&format::RollBackWhen>) -> RollBackAt {
        let Some(ends) = ends else { return RollBackAt::default() };
        let counts = [
            ("newly_allowed", ends.newly_allowed),
            ("newly_denied", ends.newly_denied),
            ("indeterminate", ends.indeterminate),
        ];
        for (name, _) in counts.iter().filter(|(_, count)| *count == Some(0)) {
            let pointer = format!("/rollout/roll_back_when/{name}");
            self.fault(Code::InvalidValue, pointer, "none is reached at once", "write at least 1, or leave it out");
        }
        let delta = ends.deny_rate_delta;
        if delta.is_some_and(|delta| !(delta > 0.0 && delta <= 1.0)) {
            let help = "write a share above 0 and at most 1, as in `0.02`";
            self.fault(
                Code::InvalidValue,
                "/rollout/roll_back_when/deny_rate_delta",
                "this is no share of the decisions",
                help,
            );
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is from 0 to 1")]
        let per_million = |delta: f64| (delta.clamp(0.0, 1.0) * 1_000_000.0).round().max(1.0) as u32;
        RollBackAt {
            newly_allowed: ends.newly_allowed,
            newly_denied: ends.newly_denied,
            indeterminate: ends.indeterminate,
            denies_per_million: delta.map(per_million),
        }
    }
}
