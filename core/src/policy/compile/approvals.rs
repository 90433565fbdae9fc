//! Approvers, and what takes their approval: every name resolved, every key looked at, every demand one that can be met.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::{BASE32_NOPAD, BASE64, BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use ed25519_dalek::VerifyingKey;

use super::postures::Ranked;
use super::rules::obligation;
use super::{Compiler, escape};
use crate::error::{Code, nearest, quoted};
use crate::policy::approver::{
    Approvers, Fingerprint, FlagSpec, Group, Member, OverrideSpec, Quorum, Secret, Verifier,
};
use crate::policy::format::{self, Approver, Pack};
use crate::time::Ttl;

/// The longest window of an override that a pack may declare.
const WINDOW_MAX: Ttl = Ttl::from_secs(24 * 3_600);

/// The most uses of an override that a pack may declare.
const USES_MAX: u32 = 10_000;

/// Bytes of the shortest secret of one-time codes: 128 bits, as RFC 4226 demands.
const SECRET_BYTES_MIN: usize = 16;

/// Bytes of the longest one.
const SECRET_BYTES_MAX: usize = 128;

/// Who is who: each name, each key and each subject once.
#[derive(Default)]
struct People<'p> {
    by_name: BTreeMap<String, Arc<Member>>,
    by_verifier: BTreeMap<Fingerprint, &'p str>,
    by_subject: BTreeMap<&'p str, &'p str>,
}

impl Compiler<'_> {
    /// The groups of approvers.
    pub(super) fn groups(&mut self, pack: &Pack) -> Vec<Group> {
        let count = pack.approvers.values().map(BTreeMap::len).fold(0_usize, usize::saturating_add);
        self.limit("/approvers", "approvers", count, self.limits.approvers_max);
        if count > self.limits.approvers_max {
            return Vec::new();
        }
        let mut people = People::default();
        let mut groups = Vec::with_capacity(pack.approvers.len());
        for (name, approvers) in &pack.approvers {
            let pointer = format!("/approvers/{}", escape(name));
            if approvers.is_empty() {
                let message = format!("nobody is in the group {}", quoted(name));
                self.fault(Code::InvalidValue, &pointer, message, "name its approvers, or leave the group out");
            }
            let mut members = Vec::with_capacity(approvers.len());
            for (name, approver) in approvers {
                members.extend(self.member(&format!("{pointer}/{}", escape(name)), name, approver, &mut people));
            }
            groups.extend(self.name(&pointer, name, "").map(|name| Group { name, members }));
        }
        groups
    }

    fn member<'p>(
        &mut self,
        pointer: &str,
        name: &'p str,
        approver: &'p Approver,
        people: &mut People<'p>,
    ) -> Option<Arc<Member>> {
        let (key, place, subject) = match approver {
            Approver::Key(key) => (key, pointer.to_owned(), None),
            Approver::Person(person) => (&person.key, format!("{pointer}/key"), Some(person.subject.as_str())),
        };
        let own_name = self.name(pointer, name, "@");
        let verifier = match verifier(key) {
            Ok(verifier) => verifier,
            Err((message, help)) => {
                self.fault(Code::InvalidKey, place, message, help);
                return None;
            }
        };
        let parts =
            match subject.map(|text| text.split_once(':').filter(|(kind, id)| !kind.is_empty() && !id.is_empty())) {
                None => None,
                Some(Some((kind, id))) => Some((kind.into(), id.into())),
                Some(None) => {
                    let pointer = format!("{pointer}/subject");
                    self.fault(Code::InvalidValue, pointer, "this names no subject", "write it as in `user:alice`");
                    return None;
                }
            };
        let fingerprint = verifier.fingerprint();
        let member = Arc::new(Member { name: own_name?, subject: parts, verifier });
        // `Ann` and `ann` would be two people to the machine and one to whoever reads the log.
        let known = people.by_name.entry(name.to_ascii_lowercase()).or_insert_with(|| Arc::clone(&member));
        if *known != member {
            let message =
                format!("the approver {} stands elsewhere with another key, subject or spelling", quoted(name));
            self.fault(
                Code::DuplicateApprover,
                pointer,
                message,
                "let one name be one person, the same in every group",
            );
        }
        let mut others = vec![*people.by_verifier.entry(fingerprint).or_insert(name)];
        others.extend(subject.map(|subject| *people.by_subject.entry(subject).or_insert(name)));
        if let Some(other) = others.into_iter().find(|other| *other != name) {
            let message = format!("{} and {} are one person under two names", quoted(other), quoted(name));
            self.fault(Code::DuplicateApprover, pointer, message, "give each approver a key and a subject of its own");
        }
        Some(member)
    }

    /// What an `approvals:` or the overrides demand, where it can be met.
    pub(super) fn quorum(&mut self, pointer: &str, need: u32, from: &str, groups: &[Group]) -> Option<Quorum> {
        let Some((number, group)) = (0_u16..).zip(groups).find(|(_, group)| group.name.as_str() == from) else {
            let help = nearest(from, groups.iter().map(|group| group.name.as_str()))
                .map_or_else(|| "declare it under `approvers`".to_owned(), |meant| format!("did you mean `{meant}`?"));
            let message = format!("no group of approvers is named {}", quoted(from));
            self.fault(Code::UnknownGroup, format!("{pointer}/from"), message, help);
            return None;
        };
        let need_pointer = format!("{pointer}/need");
        if need == 0 {
            self.fault(Code::InvalidValue, need_pointer, "no approval is needed", "write at least 1");
            return None;
        }
        // Whoever proposes does not approve: of the group itself, where nobody else is there to propose.
        let others = groups.iter().flat_map(|group| &group.members).any(|one| !group.members.contains(one));
        let may_approve = group.members.len().saturating_sub(usize::from(!others));
        if usize::try_from(need).unwrap_or(usize::MAX) > may_approve {
            let message =
                format!("{need} approvals, and {may_approve} can ever be given: who proposes does not approve");
            self.fault(Code::InvalidValue, need_pointer, message, "need fewer, or add approvers to the group");
            return None;
        }
        Some(Quorum { need, group: number })
    }

    /// The overrides of a pack.
    pub(super) fn overrides(&mut self, pack: &Pack, groups: &[Group]) -> Option<OverrideSpec> {
        let overrides = pack.overrides.as_ref()?;
        let quorum = self.quorum("/overrides", overrides.need, &overrides.from, groups);
        if overrides.max_window == Ttl::ZERO || overrides.max_window > WINDOW_MAX {
            let message = format!("a window of {}", overrides.max_window);
            self.fault(Code::InvalidValue, "/overrides/max_window", message, "write a length of time up to 24h");
        }
        if overrides.max_uses == 0 || overrides.max_uses > USES_MAX {
            let message = format!("{} uses", overrides.max_uses);
            self.fault(Code::InvalidValue, "/overrides/max_uses", message, "write a number from 1 to 10000");
        }
        let review = overrides.review.as_ref().map(|review| vec![obligation(review)].into());
        Some(OverrideSpec { quorum: quorum?, max_window: overrides.max_window, max_uses: overrides.max_uses, review })
    }

    /// The flags of a pack.
    pub(super) fn flags(&mut self, pack: &Pack, groups: &[Group], ranked: &Ranked<'_>) -> Vec<FlagSpec> {
        self.limit("/flags", "flags", pack.flags.len(), self.limits.flags_max);
        let mut flags = Vec::new();
        for (name, flag) in pack.flags.iter().take(self.limits.flags_max) {
            let pointer = format!("/flags/{}", escape(name));
            let posture = ranked.number(&flag.posture);
            if posture.is_none() {
                let help = nearest(&flag.posture, ranked.entered()).map_or_else(
                    || "name a posture that can be entered".to_owned(),
                    |meant| format!("did you mean `{meant}`?"),
                );
                let message = format!("no posture to enter is named {}", quoted(&flag.posture));
                self.fault(Code::UnknownPosture, format!("{pointer}/posture"), message, help);
            }
            if flag.owner.trim().is_empty() {
                let help = "name the team or the person";
                self.fault(Code::InvalidValue, format!("{pointer}/owner"), "nobody answers for this flag", help);
            }
            if flag.max_age == Ttl::ZERO {
                let message = "the flag would be stale as soon as it is set";
                self.fault(Code::InvalidValue, format!("{pointer}/max_age"), message, "write a length of time");
            }
            let approvals = flag.approvals.as_ref();
            let approvals = approvals.and_then(|one| self.approvals(&format!("{pointer}/approvals"), one, groups));
            let name = self.name(&pointer, name, "");
            flags.extend(name.zip(posture).map(|(name, posture)| FlagSpec {
                name,
                posture,
                owner: flag.owner.as_str().into(),
                max_age: flag.max_age,
                approvals,
            }));
        }
        flags
    }

    pub(super) fn approvals(
        &mut self,
        pointer: &str,
        approvals: &format::Approvals,
        groups: &[Group],
    ) -> Option<Quorum> {
        self.quorum(pointer, approvals.need, &approvals.from, groups)
    }

    /// All of it.
    pub(super) fn approvers(&mut self, pack: &Pack, groups: Vec<Group>, ranked: &Ranked<'_>) -> Approvers {
        let overrides = self.overrides(pack, &groups);
        let flags = self.flags(pack, &groups, ranked);
        Approvers { groups, overrides, flags }
    }
}

/// What a key of a pack stands for, or what is wrong with it and how to repair it. Never quotes the key: it may be a secret.
fn verifier(text: &str) -> Result<Verifier, (&'static str, &'static str)> {
    const HELP: &str = "write `ed25519:` and 32 bytes in base64 or hexadecimal, or `totp:` and a base32 secret";
    if let Some(key) = text.strip_prefix("ed25519:") {
        let decoded = match key.len() {
            64 => HEXLOWER_PERMISSIVE.decode(key.as_bytes()),
            44 => BASE64.decode(key.as_bytes()),
            _ => BASE64_NOPAD.decode(key.as_bytes()),
        };
        let bytes: Option<[u8; 32]> = decoded.ok().and_then(|bytes| bytes.try_into().ok());
        let bytes = bytes.ok_or(("this is no Ed25519 public key", HELP))?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| ("this is no point of the curve", HELP))?;
        if key.is_weak() {
            return Err(("this key is of small order: anybody can sign for it", "make a new pair of keys"));
        }
        if key.to_edwards().compress().to_bytes() != bytes {
            return Err(("this is not the canonical form of its key", "write the 32 bytes as RFC 8032 encodes them"));
        }
        return Ok(Verifier::Key(Box::new(key)));
    }
    let Some(secret) = text.strip_prefix("totp:") else {
        return Err(("this is neither a public key nor a secret of one-time codes", HELP));
    };
    let secret = BASE32_NOPAD.decode(secret.trim_end_matches('=').as_bytes());
    let secret = secret.map_err(|_| ("this is no base32: A to Z and 2 to 7", HELP))?;
    match secret.len() {
        length if length < SECRET_BYTES_MIN => Err((
            "the secret has less than 128 bits: its codes could be found by trying",
            "make one of 20 random bytes, as RFC 4226 recommends",
        )),
        length if length > SECRET_BYTES_MAX => {
            Err(("the secret has more than 1024 bits", "make one of 20 random bytes"))
        }
        // Bytes that are all alike are a placeholder that somebody forgot.
        _ if secret.iter().all(|byte| secret.first() == Some(byte)) => {
            Err(("the secret is one byte over and over", "make one of 20 random bytes, as RFC 4226 recommends"))
        }
        _ => Ok(Verifier::Codes(Secret::new(secret))),
    }
}
