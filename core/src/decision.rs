//! A decision: an effect, with its reason and everything that a host needs to act on it, to log it and to keep it.

mod account;

use std::fmt::Write;
use std::sync::Arc;

pub(crate) use account::Account;

use crate::combine::Verdict;
use crate::condition::rego::Messages;
use crate::name::Name;
use crate::obligation::Obligation;
use crate::policy::action::ActionSpec;
use crate::policy::compile::Policy;
use crate::reason::{Effect, Reason};
use crate::time::{Monotonic, Now};

/// The digits of a ULID.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The identifier of a decision: the wall time and a keyed digest of the request, as a ULID's 26 characters.
///
/// The core has no randomness, so the same request at the same nanosecond has the same identifier. Its last bit is the
/// effect, so that who labels a decision need not remember what it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DecisionId(pub u128);

impl DecisionId {
    /// What the decision of that identifier did.
    #[must_use]
    pub const fn effect(self) -> Effect {
        if self.0 & 1 == 0 { Effect::Deny } else { Effect::Allow }
    }

    /// When it was decided, in milliseconds of the wall clock since 1970.
    #[must_use]
    pub fn wall_millis(self) -> u64 {
        u64::try_from(self.0 >> 80).unwrap_or(u64::MAX)
    }

    /// The identifier that this text is; nothing where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let letters: [u8; 26] = text.as_bytes().try_into().ok()?;
        let mut number = 0_u128;
        for letter in letters {
            let digit = CROCKFORD.iter().position(|digit| *digit == letter)?;
            // 26 letters are 130 bits: what does not fit is no identifier.
            number = number.checked_mul(32)?.checked_add(u128::try_from(digit).ok()?)?;
        }
        Some(Self(number))
    }

    /// The 26 characters, which are ASCII.
    #[must_use]
    pub fn letters(self) -> [u8; 26] {
        let mut letters = [b'0'; 26];
        let mut rest = self.0;
        for letter in letters.iter_mut().rev() {
            let digit = usize::try_from(rest & 31).unwrap_or(0);
            *letter = CROCKFORD.get(digit).copied().unwrap_or(b'0');
            rest >>= 5;
        }
        letters
    }
}

impl std::fmt::Display for DecisionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.letters().iter().try_for_each(|letter| f.write_char(char::from(*letter)))
    }
}

/// What the rules behind a verdict send along with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Particulars {
    /// What the host has to do along with the decision.
    pub obligations: Option<Arc<[Obligation]>>,
    /// What the deciding deny rule says in its own words.
    pub messages: Messages,
}

/// The answer to a request. The default is a deny.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// Invariant: the effect is `reason.effect()`, so that no decision can allow with the reason of a deny.
    reason: Reason,
    pub(crate) rule: Option<Name>,
    pub(crate) bundle: Name,
    pub(crate) revision: u64,
    pub(crate) posture: Name,
    pub(crate) at: Now,
    pub(crate) expires_at: Monotonic,
    pub(crate) cached: bool,
    information_loss: bool,
    pub(crate) id: DecisionId,
    /// The number of the action, where the bundle declares it.
    pub(crate) action: Option<u32>,
    pub(crate) degraded: Option<Arc<[Name]>>,
    pub(crate) override_id: Option<Box<str>>,
    pub(crate) particulars: Particulars,
    pub(crate) detail: Option<Box<str>>,
}

impl Decision {
    /// A decision with this reason and no particulars yet. An allow needs a [`Verdict`] that is one.
    pub(crate) fn new(verdict: Verdict, at: Now) -> Self {
        Self { reason: verdict.reason(), at, ..Self::default() }
    }

    /// Settles the decision by a verdict of the policy on this action.
    ///
    /// An allow says too that a rule which might have denied declares to accept a loss: whether it did not deny because
    /// it knew enough, or too little, nobody can tell.
    pub(crate) fn settle(&mut self, verdict: Verdict, policy: &Policy, action: &ActionSpec) {
        self.reason = verdict.reason();
        let rule = verdict.rule().and_then(|number| policy.rule(number));
        self.rule = rule.map(|rule| rule.id);
        self.information_loss =
            rule.is_some_and(|rule| rule.accepts_information_loss) || (self.is_allow() && action.may_lose_a_deny);
    }

    /// Makes it a deny with this reason.
    pub(crate) fn deny(&mut self, reason: Reason) -> &mut Self {
        self.reason = Verdict::deny(reason).reason();
        self
    }

    /// Makes it a deny for want of its record: of what was allowed nothing is left, but for the name of an override, which
    /// was used up.
    pub(crate) fn refuse_for_audit(&mut self) -> &mut Self {
        self.rule = None;
        self.hold_back(Reason::AuditUnavailable);
        self
    }

    /// Makes it a deny until its record is confirmed. It still says which rule would allow, so that whoever writes rules can
    /// test them; what the host would have to do for the allow is not there.
    pub(crate) fn withhold(&mut self, why: &'static str) {
        self.hold_back(Reason::AuditPending);
        self.override_id = None;
        self.detail = Some(why.into());
    }

    fn hold_back(&mut self, reason: Reason) {
        self.reason = Verdict::deny(reason).reason();
        self.expires_at = Monotonic::ZERO;
        self.cached = false;
        self.information_loss = false;
        self.particulars = Particulars::default();
    }

    /// Whether both say the same, whenever each was made and whatever of it was kept.
    pub(crate) fn says_the_same_as(&self, other: &Self) -> bool {
        let Self { id, at, expires_at, cached, .. } = *other;
        Self { id, at, expires_at, cached, ..self.clone() } == *other
    }

    /// Says what exactly was wrong.
    pub(crate) fn because(&mut self, fault: &dyn std::fmt::Display) {
        self.detail = Some(fault.to_string().into());
    }

    /// Whether the request is granted.
    #[must_use]
    pub const fn is_allow(&self) -> bool {
        matches!(self.reason.effect(), Effect::Allow)
    }

    /// What the decision does.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        self.reason.effect()
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The rule that decided: the first in order of ids among those that did.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// The name of the bundle that decided; empty if there was none.
    #[must_use]
    pub fn bundle(&self) -> &str {
        &self.bundle
    }

    /// The revision of the bundle that decided; zero if there was none.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// The posture that the request was under; empty if there was no bundle.
    #[must_use]
    pub fn posture(&self) -> &str {
        &self.posture
    }

    /// When it was decided.
    #[must_use]
    pub const fn at(&self) -> Now {
        self.at
    }

    /// Until when the host may keep it, exclusive, on the monotonic clock; not after [`Decision::at`] if not at all.
    #[must_use]
    pub const fn expires_at(&self) -> Monotonic {
        self.expires_at
    }

    /// For how long from [`Decision::at`] the host may keep it, in whole milliseconds.
    #[must_use]
    pub const fn expires_in_ms(&self) -> u64 {
        self.expires_at.nanos_since(self.at.monotonic) / 1_000_000
    }

    /// Whether an earlier evaluation was used again.
    #[must_use]
    pub const fn cached(&self) -> bool {
        self.cached
    }

    /// Whether the rule that decided, or one that might have denied what is allowed, declares that it may grant more when
    /// it knows less.
    #[must_use]
    pub const fn information_loss(&self) -> bool {
        self.information_loss
    }

    /// The identifier.
    #[must_use]
    pub const fn id(&self) -> DecisionId {
        DecisionId(self.id.0 & !1 | self.effect() as u128)
    }

    /// Whether a signal was not ok that the action requires, or that alone would have decided.
    #[must_use]
    pub const fn is_degraded(&self) -> bool {
        self.degraded.is_some()
    }

    /// The required signals that were not ok, if any.
    #[must_use]
    pub fn degraded(&self) -> &[Name] {
        self.degraded.as_deref().unwrap_or_default()
    }

    /// The override that allowed it, by the id of its proposal.
    #[must_use]
    pub fn override_id(&self) -> Option<&str> {
        self.override_id.as_deref()
    }

    /// What the host has to do along with it.
    #[must_use]
    pub fn obligations(&self) -> &[Obligation] {
        self.particulars.obligations.as_deref().unwrap_or_default()
    }

    /// What the rule that denied says against the request, in the policy's own words: the members of a Rego deny set.
    #[must_use]
    pub fn messages(&self) -> &[Box<str>] {
        self.particulars.messages.as_deref().unwrap_or_default()
    }

    /// What exactly was wrong with the request, for a reason that concerns it. Names of attributes, never their values.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The decision as an AuthZEN evaluation response.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        self.account().to_json()
    }

    /// The text of [`Decision::to_json`], without the value in between.
    #[must_use]
    pub fn to_json_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| self.to_json().to_string())
    }

    fn account(&self) -> Account<'_> {
        Account {
            id: self.id(),
            reason: self.reason,
            rule: self.rule(),
            override_id: self.override_id(),
            bundle: self.bundle(),
            revision: self.revision,
            posture: self.posture(),
            cached: self.cached,
            information_loss: self.information_loss,
            degraded: self.degraded().iter().map(|name| name.as_str()).collect(),
            expires_in_ms: self.expires_in_ms(),
            obligations: self.obligations(),
            messages: self.messages().iter().map(|message| &**message).collect(),
            detail: self.detail(),
        }
    }
}

/// As [`Decision::to_json`].
impl serde::Serialize for Decision {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.account().serialize(serializer)
    }
}

/// What the first of two calls comes to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Pending {
    /// What the host may act on now: a deny as long as the allow waits.
    pub decision: Decision,
    /// What waits, to be asked for with `Engine::confirm`; nothing where the decision is all that there is to say.
    pub id: Option<DecisionId>,
    /// The number of the record that has to be acknowledged first; zero where nothing waits.
    pub seq: u64,
}

impl Pending {
    /// A decision for which nothing waits.
    pub(crate) const fn settled(decision: Decision) -> Self {
        Self { decision, id: None, seq: 0 }
    }

    /// The answer as JSON: `decision`; and where an allow waits, its identifier in `pending` and its record's number in
    /// `seq`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut answer = serde_json::json!({ "decision": self.decision.to_json() });
        if let (Some(id), Some(members)) = (self.id, answer.as_object_mut()) {
            members.insert("pending".to_owned(), id.to_string().into());
            members.insert("seq".to_owned(), self.seq.into());
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_a_deny() {
        assert!(!Decision::default().is_allow());
        assert_eq!(Decision::default().to_json()["decision"], false);
    }

    /// The text by the value, which has its members in the order of their names.
    #[test]
    fn the_text_of_a_decision_is_that_of_its_value() {
        let obligation = Obligation {
            id: "log \"it\"\n".into(),
            obligation_type: "log".into(),
            properties: serde_json::json!({ "z": [1, 2.5, null], "a": { "é\u{1}": "\u{7f}" } }),
        };
        let plain = Decision { bundle: "shop".try_into().unwrap(), revision: u64::MAX, ..Decision::default() };
        let full = Decision {
            reason: Reason::AllowedByRule,
            rule: Some("first".try_into().unwrap()),
            posture: "normal".try_into().unwrap(),
            cached: true,
            information_loss: true,
            id: DecisionId(u128::MAX),
            expires_at: Monotonic::from_millis(7_500),
            degraded: Some(["idp".try_into().unwrap(), "clock".try_into().unwrap()].into()),
            override_id: Some("proposal 1".into()),
            particulars: Particulars {
                obligations: Some([obligation.clone(), obligation].into()),
                messages: Some(["no \\ label".into(), "\u{2028}".into()].into()),
            },
            detail: Some("`subject` is missing".into()),
            ..plain.clone()
        };
        for decision in [Decision::default(), plain, full.clone()] {
            assert_eq!(decision.to_json_text(), decision.to_json().to_string());
        }
        let context = "\"bundle\":\"shop\",\"cached\":true,\"degraded\":[\"idp\",\"clock\"],\
            \"detail\":\"`subject` is missing\",\"expires_in_ms\":7500,\"id\":\"7ZZZZZZZZZZZZZZZZZZZZZZZZZ\",\
            \"information_loss\":true,\"messages\":[";
        assert!(full.to_json_text().starts_with(&format!("{{\"context\":{{{context}")), "{}", full.to_json_text());
        let end = "\"override\":\"proposal 1\",\"posture\":\"normal\",\"reason\":\"allowed_by_rule\",\
            \"revision\":18446744073709551615,\"rule\":\"first\"},\"decision\":true}";
        assert!(full.to_json_text().ends_with(end), "{}", full.to_json_text());
    }

    #[test]
    fn an_identifier_reads_as_a_ulid() {
        // 48 bits of milliseconds, 80 bits of digest; the example of the ULID specification.
        let id = DecisionId((1_469_918_176_385_u128 << 80) | 0xD6_76_4C_61_EF_B9_93_02_BD_5B_u128);
        assert!(id.to_string().starts_with("01ARYZ6S41"), "{id}");
        assert_eq!(id.to_string().len(), 26);
        assert_eq!(DecisionId::parse(&id.to_string()), Some(id));
        assert_eq!(id.wall_millis(), 1_469_918_176_385);
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        let most = "7ZZZZZZZZZZZZZZZZZZZZZZZZZ";
        assert_eq!(DecisionId::parse(most), Some(DecisionId(u128::MAX)));
        for text in ["", "0", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "7zzzzzzzzzzzzzzzzzzzzzzzzz", "7ZZZZZZZZZZZZZZZZZZZZZZZZU"]
        {
            assert_eq!(DecisionId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_identifier_tells_the_effect() {
        let mut decision = Decision { id: DecisionId(u128::MAX), ..Decision::default() };
        assert_eq!((decision.id(), decision.id().effect()), (DecisionId(u128::MAX - 1), Effect::Deny));
        decision.reason = Reason::AllowedByRule;
        assert_eq!((decision.id(), decision.id().effect()), (DecisionId(u128::MAX), Effect::Allow));
    }
}
