//! What a decision says to whoever reads it as JSON: a caller, or a record.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::DecisionId;
use crate::obligation::Obligation;
use crate::reason::{Effect, Reason};

/// What a decision says, in the form that is written. It grants nothing: a record that is read back is one too.
#[derive(Clone, Debug)]
pub(crate) struct Account<'d> {
    pub(crate) id: DecisionId,
    pub(crate) reason: Reason,
    pub(crate) rule: Option<&'d str>,
    pub(crate) override_id: Option<&'d str>,
    pub(crate) bundle: &'d str,
    pub(crate) revision: u64,
    pub(crate) posture: &'d str,
    pub(crate) cached: bool,
    pub(crate) information_loss: bool,
    pub(crate) degraded: Vec<&'d str>,
    pub(crate) expires_in_ms: u64,
    pub(crate) obligations: &'d [Obligation],
    pub(crate) messages: Vec<&'d str>,
    pub(crate) detail: Option<&'d str>,
}

impl Account<'_> {
    /// An AuthZEN evaluation response.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        // Every name is a text, so there is no error; were there one, nothing would be allowed.
        serde_json::to_value(self).unwrap_or_else(|_| serde_json::json!({ "decision": false }))
    }
}

/// An AuthZEN evaluation response. Its members are written in the order of their names, so that the text of an account is
/// that of its value.
impl Serialize for Account<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut answer = serializer.serialize_map(Some(2))?;
        answer.serialize_entry("context", &Context(self))?;
        answer.serialize_entry("decision", &matches!(self.reason.effect(), Effect::Allow))?;
        answer.end()
    }
}

/// What goes with the answer itself.
struct Context<'a, 'd>(&'a Account<'d>);

impl Serialize for Context<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(account) = self;
        let mut context = serializer.serialize_map(None)?;
        context.serialize_entry("bundle", account.bundle)?;
        context.serialize_entry("cached", &account.cached)?;
        context.serialize_entry("degraded", &account.degraded)?;
        if let Some(detail) = account.detail {
            context.serialize_entry("detail", detail)?;
        }
        context.serialize_entry("expires_in_ms", &account.expires_in_ms)?;
        let letters = account.id.letters();
        context.serialize_entry("id", core::str::from_utf8(&letters).unwrap_or_default())?;
        if account.information_loss {
            context.serialize_entry("information_loss", &true)?;
        }
        if !account.messages.is_empty() {
            context.serialize_entry("messages", &account.messages)?;
        }
        context.serialize_entry("obligations", &Obligations(account.obligations))?;
        if let Some(id) = account.override_id {
            context.serialize_entry("override", id)?;
        }
        context.serialize_entry("posture", account.posture)?;
        context.serialize_entry("reason", account.reason.code())?;
        context.serialize_entry("revision", &account.revision)?;
        if let Some(rule) = account.rule {
            context.serialize_entry("rule", rule)?;
        }
        context.end()
    }
}

/// Obligations as AuthZEN's profile writes them, their members in the order of the names.
struct Obligations<'d>(&'d [Obligation]);

impl Serialize for Obligations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for obligation in self.0 {
            list.serialize_element(&obligation.to_json())?;
        }
        list.end()
    }
}
