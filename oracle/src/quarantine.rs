//! Quarantine and revocation: chapter 20.

use std::sync::Arc;

use fallgate::condition::Truth;
use fallgate::time::Monotonic;
use serde_json::Value as Json;

use crate::Time;
use crate::pack::Pack;
use crate::request::Asked;
use crate::told::Oracle;

#[derive(Clone, Debug)]
pub(crate) struct Quarantine {
    /// What is quarantined, as an operation says it.
    pub(crate) what: Json,
    pub(crate) until: Option<Time>,
    pub(crate) absolute: bool,
    /// The bundle that a condition is read by.
    pub(crate) pack: Option<Arc<Pack>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Revocation {
    subject: (String, String),
    before: Time,
}

impl Oracle {
    /// Begins a quarantine, or gives the code of why not.
    pub fn quarantine(&mut self, what: &Json, until: Option<Time>, absolute: bool) -> Result<(), &'static str> {
        let pack = self.pack().cloned();
        if let Some(scope) = what["scope"].as_str() {
            let declares =
                |(kind, _): (&str, &str)| pack.as_ref().is_some_and(|pack| pack.document.scopes.contains_key(kind));
            if !scope.split_once(':').is_some_and(declares) {
                return Err("unknown_scope");
            }
        }
        if until.is_some_and(|until| until <= self.now) {
            return Err("ended");
        }
        let pack = match what["when"].as_str() {
            Some(condition) => Some(pack.and_then(|pack| pack.with_deny(condition)).ok_or("bad_condition")?),
            None => None,
        };
        match self.quarantines.iter_mut().find(|held| held.what == *what) {
            Some(held) => {
                let longer = held.until.zip(until).map(|(held, new)| held.max(new));
                if longer != held.until || (absolute && !held.absolute) {
                    self.tightenings += 1;
                }
                held.until = longer;
                held.absolute |= absolute;
            }
            None => {
                self.tightenings += 1;
                self.quarantines.push(Quarantine { what: what.clone(), until, absolute, pack });
            }
        }
        Ok(())
    }

    /// Lifts a quarantine, or gives the code of why not.
    pub fn lift(&mut self, what: &Json) -> Result<(), &'static str> {
        let before = self.quarantines.len();
        self.quarantines.retain(|held| held.what != *what);
        if self.quarantines.len() == before {
            return Err("not_quarantined");
        }
        self.tightenings += 1;
        Ok(())
    }

    /// Voids what was decided for a subject until a time.
    pub fn revoke(&mut self, type_name: &str, id: &str, before: Monotonic) {
        let before = before.rounded_up().as_nanos();
        let subject = (type_name.to_owned(), id.to_owned());
        if self.revocations.iter().any(|held| held.subject == subject && held.before >= before) {
            return;
        }
        self.tightenings += 1;
        self.revocations.push(Revocation { subject, before });
    }

    /// Whether what was decided for the subject of a request at that time is void.
    pub(crate) fn is_revoked(&self, asked: &Asked, decided_at: Time) -> bool {
        let is = |held: &&Revocation| {
            asked.text("subject", "type") == Some(&held.subject.0)
                && asked.text("subject", "id") == Some(&held.subject.1)
        };
        self.revocations.iter().filter(is).any(|held| decided_at <= held.before)
    }

    /// Lets go of what has ended by now.
    pub(crate) fn end_quarantines(&mut self) {
        let (now, before) = (self.now, self.quarantines.len());
        self.quarantines.retain(|held| held.until.is_none_or(|until| now < until));
        self.tightenings += before - self.quarantines.len();
    }

    /// Whether a request is quarantined; where `absolute` is set, by one that no override gets past.
    pub(crate) fn is_quarantined(&self, pack: &Pack, asked: &Asked, absolute: bool) -> bool {
        self.quarantines.iter().filter(|held| held.absolute || !absolute).any(|held| self.selects(pack, held, asked))
    }

    fn selects(&self, pack: &Pack, held: &Quarantine, asked: &Asked) -> bool {
        if let Some(pack) = &held.pack {
            let condition = pack.condition("from-outside").expect("it is there");
            return self.truth(pack, condition, Some(asked), None, self.now) != Truth::False;
        }
        if let Some(scope) = held.what["scope"].as_str() {
            let (kind, name) = scope.split_once(':').expect("it was looked at when it began");
            let at = pack.document.scopes.get(kind).and_then(|path| place(path, asked));
            return at.is_none_or(|at| at == name);
        }
        let is_party = |entity: &'static str| {
            let of = &held.what[entity];
            asked.text(entity, "type") == of["type"].as_str()
                && (of["id"].is_null() || asked.text(entity, "id") == of["id"].as_str())
        };
        held.what == "everything" || is_party("subject") || is_party("resource")
    }
}

/// Where a request falls, by the attribute that tells it; nothing where that is absent.
pub(crate) fn place<'a>(path: &str, asked: &'a Asked) -> Option<&'a str> {
    let (entity, name) = path.split_once('.')?;
    let entity = ["subject", "action", "resource", "context"].into_iter().find(|known| *known == entity)?;
    asked.text(entity, name)
}
