//! Who may sign control messages: for each feed, which keys, and how many of them.
//!
//! The keys of bundles do not count here, nor these for bundles: whoever writes policy is not thereby an operator, and a
//! controller that is broken into writes no policy. A root without this role lets nobody speak.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::envelope::{self, Envelope};
use super::key::KeyId;
use super::root::{KeyForm, KeyStanding, TrustRoot, TrustedKey, signers};
use crate::error::{Code, Diagnostic, quoted};
use crate::limits::Limits;
use crate::name::{self, Name};
use crate::policy::bundle::escape;
use crate::time::Wall;

/// Who may sign the messages of one feed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RoleForm {
    /// How many different keys must sign each message.
    pub threshold: u64,
    /// The keys that may.
    pub keys: Vec<KeyForm>,
}

/// Who may sign the messages of one feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Role {
    threshold: usize,
    keys: Vec<TrustedKey>,
}

/// The roles as a root writes them, checked.
pub(super) fn roles(
    form: &BTreeMap<String, RoleForm>,
    revoked: &BTreeSet<KeyId>,
    limits: &Limits,
) -> Result<BTreeMap<Name, Role>, Diagnostic> {
    if form.len() > limits.control_feeds_max {
        let message = format!("{} feeds, more than the limit of {}", form.len(), limits.control_feeds_max);
        return Err(Diagnostic::new(Code::LimitExceeded, "/control", message));
    }
    let role = |(feed, role): (&String, &RoleForm)| {
        let pointer = format!("/control/{}", escape(feed));
        let feed = name::name(feed).filter(|feed| is_feed(feed)).ok_or_else(|| {
            Diagnostic::new(Code::InvalidName, pointer.clone(), format!("{} is no name of a feed", quoted(feed)))
                .with_help("use letters, digits, `-`, `_` and `.`, at most 63")
        })?;
        let (keys, threshold) = signers(&role.keys, role.threshold, revoked, &pointer)?;
        Ok((feed, Role { threshold, keys }))
    };
    form.iter().map(role).collect()
}

/// Whether a text can name a feed.
#[must_use]
pub fn is_feed(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= crate::limits::NAME_BYTES_MAX && text.bytes().all(letter)
}

impl TrustRoot {
    /// The feeds for which enough of their keys have signed an envelope that holds a control message. Which of them the
    /// message is of, is read only then.
    ///
    /// `now` is nothing where the clock is not to be trusted: then keys with an end have ended, and those with a beginning
    /// have not begun.
    ///
    /// # Errors
    /// Why it is none, as [`TrustRoot::verify`] says it; `control_untrusted` where the root lets nobody speak.
    pub fn verify_control(&self, envelope: &Envelope, now: Option<Wall>) -> Result<Vec<Name>, Diagnostic> {
        let mut feeds = Vec::new();
        let mut refused: Option<Diagnostic> = None;
        for (feed, role) in self.roles() {
            match self.counted(&role.keys, role.threshold, envelope, envelope::CONTROL, now) {
                Ok(_) => feeds.push(*feed),
                // That a key is not of this feed says less than anything else.
                Err(error) => {
                    let says_more = refused.as_ref().is_none_or(|held| held.code == Code::UnknownKey);
                    refused = if says_more { Some(error) } else { refused };
                }
            }
        }
        if !feeds.is_empty() {
            return Ok(feeds);
        }
        Err(refused.unwrap_or_else(|| {
            let message = "the trust root lets nobody sign control messages";
            Diagnostic::new(Code::ControlUntrusted, "", message).with_help("give it a member `control`")
        }))
    }

    /// Who may speak for a feed now: how many keys, of which ones; nothing where nobody may.
    #[must_use]
    pub fn speakers(&self, feed: &Name) -> Option<(usize, Vec<&TrustedKey>)> {
        let role = self.roles().get(feed)?;
        let keys = role.keys.iter().filter(|one| self.standing(one, None) != KeyStanding::Revoked);
        Some((role.threshold, keys.collect()))
    }

    /// The feeds whose messages this root lets somebody sign.
    pub fn feeds(&self) -> impl Iterator<Item = &Name> {
        self.roles().keys()
    }
}
