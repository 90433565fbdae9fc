//! Control feeds in a drill: the runner is the controller, and signs what a step has him say.
//!
//! An engine takes messages only by a trust root, and one with a trust root takes signed bundles alone. So where a pack
//! follows a feed, the runner makes a root, and signs the bundle too. What comes out is finished: who replays a timeline
//! needs no key.

use std::collections::BTreeMap;

use ed25519_dalek::{Signer as _, SigningKey};
use serde::{Deserialize, Serialize};

use super::approvals::seed;
use crate::condition::Status;
use crate::error::{Code, Diagnostic, quoted};
use crate::limits::Limits;
use crate::operation::{Apply, CONTROL_FORM, ControlForm, Nothing, Operation};
use crate::policy::bundle::{Bundle, escape};
use crate::policy::signal::Source;
use crate::policy::trust::control::RoleForm;
use crate::policy::trust::envelope::{self, Envelope};
use crate::policy::trust::key::PublicKey;
use crate::policy::trust::root::{KeyForm, RevokedForm, TrustForm, TrustRoot};
use crate::time::{Now, Ttl};

/// What signs bundles in drills, and messages where a drill names nobody: everybody knows it.
const KNOWN: [u8; 32] = [0x5b; 32];

/// A control message in a drill: a heartbeat, where it says nothing to be done.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApplyCall {
    /// The feed. Left out: the one that the signal `control` follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<String>,
    /// What is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// Who signs it, by the names in `keys`. Left out: the first of those that speak for the feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Its epoch. Left out: that of the message before, at first 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// Its number. Left out: the next one of its epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// How long before the step it was written. Left out: at the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_before: Option<Ttl>,
    /// What other steps call it.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Whether it is lost on its way; a later step may bring it, where it is called something.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// Brings a message of an earlier step, to the byte: what that step calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<String>,
}

/// Whoever speaks in a drill, and what he has said.
#[derive(Clone)]
pub(super) struct Speaker {
    root: TrustRoot,
    signers: BTreeMap<String, SigningKey>,
    /// By feed: the name of who signs where a step names nobody.
    first: BTreeMap<String, String>,
    /// The feed of the signal `control`.
    feed: Option<String>,
    /// By feed: the epoch and the number of the last message.
    last: BTreeMap<String, (u64, u64)>,
    said: BTreeMap<String, String>,
}

/// Whether those who speak for feeds have keys to sign with, or where they have none.
pub(super) fn check_feeds(
    feeds: &BTreeMap<String, Vec<String>>,
    keys: &BTreeMap<String, String>,
) -> Result<(), Diagnostic> {
    for (feed, names) in feeds {
        let pointer = format!("/feeds/{}", escape(feed));
        if names.is_empty() {
            let message = "nobody speaks for the feed";
            return Err(Diagnostic::new(Code::InvalidValue, pointer, message).with_help("name a key of `keys`"));
        }
        if let Some((at, name)) =
            names.iter().enumerate().find(|(_, name)| keys.get(*name).and_then(|k| seed(k)).is_none())
        {
            let message = format!("{} has no key to sign messages with", quoted(name));
            let help = "give it an `ed25519-seed:` under `keys`";
            return Err(Diagnostic::new(Code::InvalidKey, format!("{pointer}/{at}"), message).with_help(help));
        }
    }
    Ok(())
}

impl Speaker {
    /// Whoever speaks to an engine with this bundle: for each feed that it follows, and those that a drill names, the keys of
    /// those names, or one that everybody knows. Nobody, where there is no feed.
    pub(super) fn of(
        bundle: &Bundle,
        feeds: &BTreeMap<String, Vec<String>>,
        keys: &BTreeMap<String, String>,
    ) -> Option<Self> {
        let followed = bundle.policy().signals.iter().filter_map(|spec| match &spec.source {
            Source::Heartbeat { feed, .. } => Some((spec.name.as_str(), feed.as_str().to_owned())),
            _ => None,
        });
        let followed: Vec<(&str, String)> = followed.collect();
        let feed = followed.iter().find(|(signal, _)| *signal == crate::policy::signal::CONTROL);
        let feed = feed.or(followed.first()).map(|(_, feed)| feed.clone());
        let mut speakers: BTreeMap<String, Vec<String>> =
            followed.into_iter().map(|(_, feed)| (feed, vec![String::new()])).collect();
        speakers.extend(feeds.clone());
        if speakers.is_empty() {
            return None;
        }
        let mut signers: BTreeMap<String, SigningKey> =
            keys.iter().filter_map(|(name, text)| Some((name.clone(), seed(text)?))).collect();
        signers.insert(String::new(), SigningKey::from_bytes(&KNOWN));
        let entry = |name: &String| {
            let key = PublicKey::from_bytes(&signers.get(name)?.verifying_key().to_bytes()).ok()?;
            Some(KeyForm { id: key.id().to_string(), key: key.to_string(), valid: None })
        };
        let role = |names: &Vec<String>| RoleForm { threshold: 1, keys: names.iter().filter_map(entry).collect() };
        let form = TrustForm {
            fallgate_trust: 1,
            version: 1,
            threshold: 1,
            keys: entry(&String::new()).into_iter().collect(),
            control: speakers.iter().map(|(feed, names)| (feed.clone(), role(names))).collect(),
            revoked: RevokedForm::default(),
        };
        let root = TrustRoot::from_form(&form, &Limits::DEFAULT).ok()?;
        let first = speakers.into_iter().filter_map(|(feed, names)| Some((feed, names.into_iter().next()?)));
        let first = first.collect();
        Some(Self { root, signers, first, feed, last: BTreeMap::new(), said: BTreeMap::new() })
    }

    /// The root by which the engine takes messages, and the bundle.
    pub(super) const fn root(&self) -> &TrustRoot {
        &self.root
    }

    /// The bundle, signed.
    pub(super) fn signed(&self, bundle: &Bundle) -> Vec<u8> {
        self.envelope(envelope::BUNDLE, bundle.bytes().to_vec(), "")
    }

    fn envelope(&self, payload_type: &str, payload: Vec<u8>, by: &str) -> Vec<u8> {
        let mut envelope = Envelope::new(payload_type, payload);
        if let Some(key) = self.signers.get(by)
            && let Ok(public) = PublicKey::from_bytes(&key.verifying_key().to_bytes())
        {
            // The first signature of an envelope is never the second of its key.
            let _added = envelope.add(public.id(), key.sign(&envelope.encoding()).to_bytes());
        }
        envelope.to_json()
    }

    /// What is said to the engine; nothing where it is lost.
    pub(super) fn say(&mut self, call: &ApplyCall, now: Now) -> Option<Operation> {
        if let Some(label) = &call.again {
            // Nothing that was said: an envelope that is none.
            let message = self.said.get(label).cloned().unwrap_or_default();
            return Some(Operation::Apply(Apply { message }));
        }
        let feed = call.feed.clone().or_else(|| self.feed.clone()).unwrap_or_default();
        let (last_epoch, last) = self.last.get(&feed).copied().unwrap_or((1, 0));
        let epoch = call.epoch.unwrap_or(last_epoch);
        let next = if epoch == last_epoch { last.saturating_add(1) } else { 1 };
        let sequence = call.sequence.unwrap_or(next);
        self.last.insert(feed.clone(), (epoch, sequence));
        let form = ControlForm {
            fallgate: CONTROL_FORM.to_owned(),
            feed: feed.clone(),
            epoch,
            sequence,
            at: super::moved(now.wall, call.written_before.unwrap_or_default(), false).to_string(),
            operation: call.operation.as_ref().map(Operation::to_json),
            heartbeat: call.operation.is_none().then_some(Nothing {}),
        };
        let payload = serde_json_canonicalizer::to_vec(&form).unwrap_or_default();
        let by = call.by.clone().or_else(|| self.first.get(&feed).cloned()).unwrap_or_default();
        let message = String::from_utf8(self.envelope(envelope::CONTROL, payload, &by)).unwrap_or_default();
        if let Some(label) = &call.label {
            self.said.insert(label.clone(), message.clone());
        }
        (!call.lost).then_some(Operation::Apply(Apply { message }))
    }

    /// What brings the signals that follow a feed to a status: nothing for one that cannot be had at once.
    pub(super) fn bring(&mut self, feed: &str, status: Status, now: Now) -> Option<Vec<Operation>> {
        let beat = ApplyCall { feed: Some(feed.to_owned()), ..ApplyCall::default() };
        let other = ApplyCall { sequence: Some(1), written_before: Some(Ttl::from_millis(1)), ..beat.clone() };
        match status {
            Status::Unknown => Some(Vec::new()),
            Status::Ok => Some(self.say(&beat, now).into_iter().collect()),
            // Two messages of one number.
            Status::Failed => Some([&beat, &other].into_iter().filter_map(|call| self.say(call, now)).collect()),
            Status::Degraded => None,
        }
    }
}
