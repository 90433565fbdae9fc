//! A decision as it is kept for its record: bytes that are written before the journal's lock is taken, and read back at
//! the drain.
//!
//! What is copied under the lock is then one string of bytes. Nothing in it is shared with the decision but its
//! obligations, where it has some: a counter of references is a place that all threads would write.

use std::sync::Arc;

use super::asked::{self, Asked};
use super::packed::{Packed, Rest};
use super::record::{DecisionEntry, FIXED_BYTES, Given};
use crate::decision::{Account, Decision, DecisionId};
use crate::obligation::Obligation;
use crate::policy::compile::Policy;
use crate::policy::schema::Schema;
use crate::reason::Reason;
use crate::request::RequestView;
use crate::time::{Monotonic, Now, Wall};

/// A decision that is about to be kept.
#[derive(Debug, Default)]
pub struct Draft {
    packed: Packed,
    pub(super) obligations: Option<Arc<[Obligation]>>,
    pub(super) at: Now,
    pub(super) allows: bool,
    weight: usize,
}

/// What a record counts for its request at the least.
const ORDINARY_BYTES: usize = 256;

/// What follows the fixed numbers.
mod flag {
    pub(super) const CACHED: u8 = 1;
    pub(super) const INFORMATION_LOSS: u8 = 2;
    pub(super) const ASKED: u8 = 4;
    pub(super) const RULE: u8 = 8;
    /// The texts that few decisions have.
    pub(super) const MORE: u8 = 16;
    pub(super) const WAITS: u8 = 32;
    pub(super) const FOR: u8 = 64;
}

impl Draft {
    /// Copies a decision, and what was asked where it could be read: with the schema of the policy that decided.
    pub fn fill(&mut self, decision: &Decision, asked: Option<(&RequestView<'_>, &Schema)>, given: Given) {
        self.packed.clear();
        self.obligations.clone_from(&decision.particulars.obligations);
        self.at = decision.at();
        self.allows = decision.is_allow();
        let more = decision.override_id().is_some()
            || decision.detail().is_some()
            || !decision.degraded().is_empty()
            || !decision.messages().is_empty();
        let flags = [
            (decision.cached(), flag::CACHED),
            (decision.information_loss(), flag::INFORMATION_LOSS),
            (asked.is_some(), flag::ASKED),
            (decision.rule().is_some(), flag::RULE),
            (more, flag::MORE),
            (given == Given::Waits, flag::WAITS),
            (matches!(given, Given::For(_)), flag::FOR),
        ];
        let flags = flags.into_iter().filter(|(holds, _)| *holds).fold(0, |all, (_, flag)| all | flag);
        let to = &mut self.packed;
        to.add(&[flags, decision.reason() as u8]);
        let (id, at) = (decision.id().0, decision.at());
        let fixed = [
            at.monotonic.as_nanos(),
            at.wall.as_nanos().cast_unsigned(),
            (id >> 64) as u64,
            id as u64,
            decision.revision(),
            decision.expires_in_ms(),
        ];
        to.add(fixed.map(u64::to_le_bytes).as_flattened());
        if let Given::For(pending) = given {
            to.fixed((pending.0 >> 64) as u64);
            to.fixed(pending.0 as u64);
        }
        to.text(decision.bundle());
        to.text(decision.posture());
        if let Some(rule) = decision.rule() {
            to.text(rule);
        }
        if more {
            optional(decision.override_id(), to);
            optional(decision.detail(), to);
            to.count(decision.degraded().len());
            decision.degraded().iter().for_each(|name| to.text(name));
            to.count(decision.messages().len());
            decision.messages().iter().for_each(|message| to.text(message));
        }
        let before = to.bytes().len();
        let asked = asked.map_or(0, |(request, schema)| {
            asked::copy(request, schema, to);
            to.bytes().len().saturating_sub(before).max(ORDINARY_BYTES)
        });
        let said = decision.messages().iter().map(|message| message.len()).fold(0, usize::saturating_add);
        let detail = decision.detail().map_or(0, str::len);
        self.weight = FIXED_BYTES.saturating_add(asked).saturating_add(said).saturating_add(detail);
    }

    /// What of the buffer's bytes it counts for: about what it takes in memory until the host has written it.
    #[must_use]
    pub const fn weight(&self) -> usize {
        self.weight
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.packed.bytes()
    }
}

fn optional(content: Option<&str>, to: &mut Packed) {
    to.count(usize::from(content.is_some()));
    if let Some(content) = content {
        to.text(content);
    }
}

/// What a draft was filled with; nothing where the bytes are none of a draft's.
pub(super) fn read<'b>(
    bytes: &'b [u8],
    obligations: &'b [Obligation],
    policy: &'b Policy,
    input: Option<u64>,
    weight: usize,
) -> Option<DecisionEntry<'b>> {
    let mut rest = Rest(bytes);
    let (flags, reason) = (rest.byte()?, rest.byte()?);
    let has = |flag: u8| flags & flag != 0;
    let reason = Reason::ALL.iter().copied().find(|known| *known as u8 == reason)?;
    let at = Now::new(Monotonic::from_nanos(rest.fixed()?), Wall::from_nanos(rest.fixed()?.cast_signed()));
    let id = identifier(&mut rest)?;
    let (revision, expires_in_ms) = (rest.fixed()?, rest.fixed()?);
    let given = if has(flag::FOR) {
        Given::For(identifier(&mut rest)?)
    } else if has(flag::WAITS) {
        Given::Waits
    } else {
        Given::AtOnce
    };
    let (bundle, posture) = (rest.text()?, rest.text()?);
    let rule = if has(flag::RULE) { Some(rest.text()?) } else { None };
    let [mut override_id, mut detail] = [None; 2];
    let [mut degraded, mut messages] = [const { Vec::new() }; 2];
    if has(flag::MORE) {
        override_id = rest.texts()?.pop();
        detail = rest.texts()?.pop();
        degraded = rest.texts()?;
        messages = rest.texts()?;
    }
    let account = Account {
        id,
        reason,
        rule,
        override_id,
        bundle,
        revision,
        posture,
        cached: has(flag::CACHED),
        information_loss: has(flag::INFORMATION_LOSS),
        degraded,
        expires_in_ms,
        obligations,
        messages,
        detail,
    };
    let asked = has(flag::ASKED).then_some(Asked(rest.0));
    Some(DecisionEntry { account, at, asked, policy, input, given, weight })
}

fn identifier(rest: &mut Rest<'_>) -> Option<DecisionId> {
    Some(DecisionId(u128::from(rest.fixed()?) << 64 | u128::from(rest.fixed()?)))
}
