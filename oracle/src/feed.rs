//! The control feed: chapter 26. That a message is signed as it must be is the caller's to say.

use fallgate::condition::Status;
use serde_json::Value as Json;

use crate::told::Oracle;

use crate::request::instant;

/// Where the feed has come to.
#[derive(Clone, Default)]
pub(crate) struct Feed {
    epoch: u64,
    /// The messages of the epoch that were taken, in their order.
    taken: Vec<Json>,
    /// The highest number of it that was seen.
    seen: usize,
    contradicted: bool,
    /// What loosens, and was written until then, is not done: it may have been done before the state was lost.
    pub(crate) doubted: Option<i64>,
}

impl Feed {
    /// What a signal that follows it is at best.
    pub(crate) fn at_best(&self) -> Status {
        match (self.contradicted, self.seen > self.taken.len()) {
            (true, _) => Status::Failed,
            (false, true) => Status::Unknown,
            (false, false) => Status::Ok,
        }
    }
}

impl Oracle {
    /// Takes a message; gives what became of it.
    pub fn apply(&mut self, message: &Json) -> &'static str {
        let fate = self.place(message);
        self.touch_now();
        fate
    }

    fn place(&mut self, message: &Json) -> &'static str {
        let epoch = message["epoch"].as_u64().expect("it was written by the tests");
        let sequence = message["sequence"].as_u64().expect("it was written by the tests") as usize;
        if epoch < self.feed.epoch {
            return "control_fenced";
        }
        if epoch > self.feed.epoch {
            self.feed = Feed { epoch, doubted: self.feed.doubted, ..Feed::default() };
        }
        let next = self.feed.taken.len() + 1;
        if sequence > next {
            self.feed.seen = self.feed.seen.max(sequence);
            return "control_gap";
        }
        if sequence < next {
            if self.feed.taken[sequence - 1] == *message {
                return "again";
            }
            self.feed.contradicted = true;
            self.hear(Status::Failed, self.now);
            return "control_conflict";
        }
        let written = instant(message["at"].as_str().expect("it was written by the tests")).expect("likewise");
        let fate = match &message["operation"] {
            Json::Null => "heard",
            operation if self.may_say(operation, written) && self.operate(operation).is_ok() => "done",
            _ => "not_done",
        };
        self.feed.taken.push(message.clone());
        // How much older it is than two clocks may differ.
        let age = self.wall - written;
        let skew = i64::try_from(self.skew).expect("a skew is short");
        let late = u64::try_from(age - skew).unwrap_or(0);
        if self.clock_ok && !self.feed.contradicted && age >= -skew && late <= self.here() {
            self.hear(Status::Ok, self.here() - late);
        }
        fate
    }

    /// Whether the feed is believed, or says what can only deny more.
    fn may_say(&self, operation: &Json, written: i64) -> bool {
        let is_believed = !self.feed.contradicted && self.feed.doubted.is_none_or(|until| until < written);
        is_believed || !operation["enter_posture"].is_null() || !operation["quarantine"].is_null()
    }

    fn operate(&mut self, operation: &Json) -> Result<(), &'static str> {
        let (verb, of) = operation.as_object().and_then(|said| said.iter().next()).expect("an operation has a verb");
        let posture = of["posture"].as_str().unwrap_or_default();
        match verb.as_str() {
            "quarantine" => self.quarantine(&of["what"], None, false),
            "lift_quarantine" => self.lift(of),
            "enter_posture" => self.enter_posture(posture, None),
            "leave_posture" => self.leave_posture(posture, None),
            _ => panic!("the oracle does not do `{verb}`"),
        }
    }

    /// Reports it of every signal that follows the feed.
    fn hear(&mut self, status: Status, at: u64) {
        let Some(pack) = self.pack().cloned() else { return };
        for (name, terms) in pack.document.signals.iter().filter(|(_, terms)| terms.heartbeat.is_some()) {
            self.take_report_on(name, terms, status, at);
        }
    }
}
