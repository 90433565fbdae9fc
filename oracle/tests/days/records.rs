//! The records of a day, as a host writes them: each is read, linked by hand, and held against what was decided.

use std::collections::VecDeque;

use data_encoding::HEXLOWER;
use fallgate::audit::chain::Head;
use fallgate::decision::DecisionId;
use fallgate::time::Now;
use fallgate::{Decision, Engine};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// How many records an engine of these days keeps.
pub(crate) const ROOM: usize = 40;

/// What the host has of the chain, and what it has to find there.
#[derive(Default)]
pub(crate) struct Records {
    /// Where the chain has come to with what was handed out, and with what was confirmed.
    head: Head,
    confirmed: Head,
    /// The decisions that must be there, the earliest first: each as it was given, and whether it may be missing. Of one that
    /// waits for its record, the name that it waits under.
    due: VecDeque<(Value, bool)>,
}

/// Whether one record more finds room: one place is for the gap that may come before it.
pub(crate) fn has_room(engine: &Engine) -> bool {
    engine.audit_counters().kept + 2 <= ROOM as u64
}

impl Records {
    /// Notes a decision that leaves a record.
    pub(crate) fn expect(&mut self, decision: &Decision, may_be_missing: bool) {
        self.due.push_back((decision.to_json(), may_be_missing));
    }

    /// Notes that an allow waits under this name until its record is confirmed.
    pub(crate) fn expect_pending(&mut self, id: DecisionId) {
        self.due.push_back((id.to_string().into(), false));
    }

    /// The number of the last record that was confirmed.
    pub(crate) const fn confirmed(&self) -> u64 {
        self.confirmed.count
    }

    /// Drains everything, and looks at what is new.
    pub(crate) fn drain(&mut self, engine: &Engine, now: Now) -> Result<(), String> {
        let batch = engine.drain_audit(usize::MAX, now);
        for line in &batch.lines {
            let mut record: Value = serde_json::from_str(line).unwrap();
            if record["seq"].as_u64().unwrap() > self.head.count {
                self.link(&mut record)?;
                self.look(&record)?;
            }
        }
        match self.due.iter().find(|(_, may_be_missing)| !may_be_missing) {
            // What found no room waits for the record that says so, which may find none either.
            Some((missing, _)) => Err(format!("no record says {missing}")),
            None => Ok(()),
        }
    }

    /// Confirms all that was drained.
    pub(crate) fn confirm(&mut self, engine: &Engine, now: Now) {
        engine.acknowledge_audit(self.head.count, now);
        self.confirmed = self.head;
    }

    /// Where an engine that takes this one's place goes on: what was not confirmed is lost.
    pub(crate) fn restart(&mut self) -> Head {
        (self.head, self.due) = (self.confirmed, VecDeque::new());
        self.confirmed
    }

    /// SHA-256 over the hash of the record before and the record without its own (S-23.10).
    fn link(&mut self, record: &mut Value) -> Result<(), String> {
        let said = record.as_object_mut().unwrap().remove("hash");
        let canonical = serde_json_canonicalizer::to_vec(record).unwrap();
        let hash: [u8; 32] = Sha256::new().chain_update(self.head.hash).chain_update(canonical).finalize().into();
        let follows = record["seq"] == self.head.count + 1 && record["prev"] == HEXLOWER.encode(&self.head.hash);
        self.head = Head { count: self.head.count + 1, hash };
        let is_linked = follows && said == Some(HEXLOWER.encode(&hash).into());
        if is_linked { Ok(()) } else { Err(format!("the record {record} does not follow the one before")) }
    }

    fn look(&mut self, record: &Value) -> Result<(), String> {
        if record["kind"] == "decision" || record["kind"] == "pending" {
            let due = self.due.pop_front();
            let decision = &record["body"]["decision"];
            let said = if record["kind"] == "pending" { &decision["context"]["id"] } else { decision };
            let is_due = due.as_ref().is_some_and(|(due, _)| due == said);
            return if is_due { Ok(()) } else { Err(format!("the record {record} stands where {due:?} should")) };
        }
        if record["kind"] == "gap" {
            let count = |of: &str| record["body"][of].as_u64().unwrap();
            let missing: Vec<_> = (0..count("denies") + count("allows")).filter_map(|_| self.due.pop_front()).collect();
            let allows = missing.iter().filter(|(decision, _)| decision["decision"] == true).count() as u64;
            let may = missing.iter().all(|(_, may_be_missing)| *may_be_missing);
            if !may || allows != count("allows") || missing.len() as u64 != allows + count("denies") {
                return Err(format!("the gap {record} stands for {missing:?}"));
            }
        }
        Ok(())
    }
}
