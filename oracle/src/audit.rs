//! Which decisions leave a record, and what becomes of one that needs it: chapter 23.

use fallgate::policy::format::{ActionAudit, AuditLevel};
use fallgate::{Effect, Reason};
use serde_json::Value as Json;

use crate::decide::{Answer, Chosen};
use crate::pack::Pack;
use crate::request::names;
use crate::told::Oracle;
use crate::{MILLI, Time};

/// Whether no allow on an action is given without its record.
pub(crate) fn demands_record(pack: &Pack, action: &str) -> bool {
    matches!(pack.document.actions[action].audit, Some(ActionAudit::Required | ActionAudit::Confirmed))
}

/// Whether one call gives no allow on an action.
pub(crate) fn takes_two_calls(pack: &Pack, action: &str) -> bool {
    pack.document.actions[action].audit == Some(ActionAudit::Confirmed)
}

/// What one call gives on such an action, and what a demanded record without room leaves: of what was allowed little.
pub(crate) fn held_back(answer: Answer, chosen: Chosen, waits: bool) -> Answer {
    let (reason, rule, over) = match (answer.reason.effect(), waits, chosen.gone) {
        (Effect::Allow, true, _) => (Reason::AuditPending, answer.rule.clone(), None),
        (Effect::Allow, false, true) => (Reason::AuditUnavailable, None, answer.over),
        _ => return answer,
    };
    let (obligations, information_loss, cached) = (Vec::new(), false, false);
    Answer { reason, rule, obligations, information_loss, cached, over, until: (0, 0), ..answer }
}

/// An allow that waits for its record.
#[derive(Clone)]
pub(crate) struct Waiting {
    request: Json,
    recorded: Answer,
    /// From when on nobody may come for it.
    until: Time,
    is_written: bool,
}

/// For how long an allow waits: thirty seconds.
const WAITS_FOR: Time = 30_000 * MILLI;

impl Oracle {
    /// The first of two calls: what the host may act on by now, and the number under which an allow waits.
    pub fn begin(&mut self, request: &Json, chosen: Chosen) -> (Answer, Option<usize>) {
        let (answer, waits) = self.answer(request, chosen, false);
        let number = (waits && answer.reason.effect() == Effect::Allow).then(|| {
            let (request, recorded, until) = (request.clone(), answer.clone(), self.now + WAITS_FOR);
            self.waiting.push(Some(Waiting { request, recorded, until, is_written: false }));
            self.waiting.len() - 1
        });
        (held_back(answer, chosen, waits), number)
    }

    /// The host has confirmed that the record of what waits is written.
    pub fn written(&mut self, number: usize) {
        self.waiting[number].iter_mut().for_each(|waiting| waiting.is_written = true);
    }

    /// The second call.
    pub fn confirm(&mut self, number: usize, chosen: Chosen) -> Answer {
        let now = self.now;
        let waiting = self.waiting[number].take_if(|waiting| waiting.is_written || waiting.until <= now);
        let Some(waiting) = waiting.filter(|waiting| now < waiting.until) else {
            return Answer::deny(Reason::AuditPending, self.pack().map(|pack| &**pack), String::new());
        };
        let (mut answer, _) = self.answer(&waiting.request, chosen, false);
        let is_same = Answer { cached: false, until: (0, 0), ..answer.clone() }
            == Answer { cached: false, until: (0, 0), ..waiting.recorded };
        if answer.reason == Reason::AllowedByOverride && is_same {
            // Only what is given out uses it up.
            (answer, _) = self.answer(&waiting.request, chosen, true);
        }
        held_back(answer, chosen, !is_same)
    }

    /// Whether a decision on a request leaves a record, or is counted where it finds no room: as the bundle says that made
    /// it.
    #[must_use]
    pub fn is_recorded(&self, request: &Json, revision: u64, reason: Reason) -> bool {
        let Some(pack) = self.of_revision(revision) else { return false };
        let Some(audit) = &pack.document.audit else { return false };
        let named = names(request).and_then(|[_, _, action, _, _]| pack.document.actions.get(action));
        let is_ordinary = reason == Reason::AllowedByRule;
        match (named.and_then(|action| action.audit), audit.level) {
            (Some(ActionAudit::None), _) | (None, AuditLevel::None) => false,
            (Some(ActionAudit::Denies), _) | (None, AuditLevel::Denies) => !is_ordinary,
            (Some(ActionAudit::Sampled), _) | (None, AuditLevel::Sampled) => panic!("the oracle draws no samples"),
            _ => true,
        }
    }
}
