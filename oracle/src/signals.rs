//! What is known of signals: chapter 6. Each is worked out from all that was ever reported.

use fallgate::condition::Status;
use fallgate::policy::format::{Recover, Signal};

use crate::pack::Pack;
use crate::told::Oracle;
use crate::{MILLI, Time};

/// A report that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) signal: String,
    pub(crate) status: Status,
    pub(crate) at: Time,
    /// How much older it became by the wall clock than by the monotonic one while it was the last of its signal.
    slept: Time,
    /// The terms of the signal when it was reported: by these it recovers.
    ttl: Time,
    recover: Option<Recover>,
}

/// Of two reports of one instant the lower stands.
const fn goodness(status: Status) -> u8 {
    match status {
        Status::Failed => 0,
        Status::Unknown => 1,
        Status::Degraded => 2,
        Status::Ok => 3,
    }
}

impl Report {
    /// The last moment at which it holds, with such a time to live.
    const fn end(&self, ttl: Time) -> Time {
        self.at.saturating_add(ttl).saturating_sub(self.slept)
    }
}

pub(crate) fn ttl(signal: &Signal) -> Time {
    signal.ttl.map_or(Time::MAX, |ttl| ttl.as_nanos())
}

impl Oracle {
    fn reports_of<'a>(&'a self, signal: &'a str) -> impl Iterator<Item = &'a Report> {
        self.reports.iter().filter(move |report| report.signal == signal)
    }

    /// Takes a report, or says why not.
    pub(crate) fn take_report(&mut self, signal: &str, status: Status, at: Time) -> &'static str {
        let Some(pack) = self.pack() else { return "unknown_signal" };
        if !pack.signals().any(|name| name == signal) {
            return "unknown_signal";
        }
        match pack
            .signal(signal)
            .filter(|terms| terms.quorum.is_none() && terms.heartbeat.is_none() && terms.breaker.is_none())
        {
            None => "not_observable",
            Some(_) if at > self.now => "future",
            Some(terms) => {
                let outcome = self.take_report_on(signal, &terms, status, at);
                let told_late = self.sleeps.last().is_some_and(|(found, _)| at < *found);
                if let Some(report) = self.reports.last_mut().filter(|_| outcome == "taken" && told_late) {
                    report.slept = self.sleeps.iter().fold(0, |sum, (_, span)| sum.saturating_add(*span));
                }
                outcome
            }
        }
    }

    /// The monotonic clock may have stood still for so long: what was last reported of each signal is older by that.
    pub(crate) fn sleep(&mut self, span: Time) {
        self.sleeps.push((self.now, span));
        let mut seen: Vec<String> = Vec::new();
        for report in self.reports.iter_mut().rev() {
            if !seen.contains(&report.signal) {
                seen.push(report.signal.clone());
                report.slept = report.slept.saturating_add(span);
            }
        }
    }

    /// Takes a report that may be made; one that is over already refreshes nothing.
    pub(crate) fn take_report_on(&mut self, signal: &str, terms: &Signal, status: Status, at: Time) -> &'static str {
        let at = at - at % MILLI;
        if terms.heartbeat.is_some() && self.now > at.saturating_add(ttl(terms)) {
            return "older";
        }
        let last = self.reports_of(signal).last();
        if last.is_some_and(|last| at < last.at || (at == last.at && goodness(status) >= goodness(last.status))) {
            return "older";
        }
        let (signal, recover) = (signal.to_owned(), terms.recover.clone());
        self.reports.push(Report { signal, status, at, slept: 0, ttl: ttl(terms), recover });
        "taken"
    }

    /// Whether it failed and has not recovered.
    pub(crate) fn has_to_recover(&self, signal: &str) -> bool {
        let mut failed = self.failed_before.iter().any(|name| name == signal);
        let mut oks: Vec<&Report> = Vec::new();
        for report in self.reports_of(signal) {
            match report.status {
                Status::Failed => (failed, oks) = (true, Vec::new()),
                Status::Unknown | Status::Degraded => oks.clear(),
                Status::Ok if failed => {
                    if oks.last().is_some_and(|last| report.at > last.end(report.ttl)) {
                        oks.clear();
                    }
                    oks.push(report);
                    let need = report.recover.as_ref();
                    let many = need.and_then(|need| need.oks).unwrap_or(1);
                    let long = need.and_then(|need| need.for_).unwrap_or_default().as_nanos();
                    if oks.len() >= many as usize && report.at - oks[0].at >= long {
                        (failed, oks) = (false, Vec::new());
                    }
                }
                Status::Ok => {}
            }
        }
        failed
    }

    /// The status of a signal at a time, by what was told so far.
    pub(crate) fn status(&self, pack: &Pack, signal: &str, at: Time) -> Status {
        let built_in = |ok: bool| if ok { Status::Ok } else { Status::Failed };
        match signal {
            "clock" => return built_in(self.clock_ok),
            "epoch" => return built_in(!self.claims.contested),
            "engine" | "audit" | "bundle" => return Status::Ok,
            _ => {}
        }
        let Some(terms) = pack.signal(signal) else { return Status::Unknown };
        if let Some(quorum) = &terms.quorum {
            let members = || quorum.of.iter().map(|member| self.status(pack, member, at));
            let need = quorum.need as usize;
            let failed = members().filter(|status| *status == Status::Failed).count();
            return match members().filter(|status| *status == Status::Ok).count() {
                ok if ok >= need => Status::Ok,
                _ if quorum.of.len() - failed < need => Status::Failed,
                _ => Status::Unknown,
            };
        }
        if let Some(status) = self.status_of_calls(pack, signal, at) {
            return status;
        }
        let heard = match self.reports_of(signal).last() {
            None => Status::Unknown,
            Some(last) if at > last.end(ttl(&terms)) => Status::Unknown,
            Some(last) if last.status == Status::Ok && self.has_to_recover(signal) => Status::Failed,
            Some(last) => last.status,
        };
        let at_best = if terms.heartbeat.is_some() { self.feed.at_best() } else { Status::Ok };
        if goodness(at_best) < goodness(heard) { at_best } else { heard }
    }

    /// The moments at which what was told of these signals ends, if nothing else is told.
    pub(crate) fn silences<'p>(&self, pack: &Pack, signals: impl Iterator<Item = &'p str>) -> Vec<Time> {
        let ends = signals.flat_map(|name| {
            let terms = pack.signal(name).filter(|terms| terms.quorum.is_none());
            let last = terms.zip(self.reports_of(name).last());
            let end = last.map(|(terms, last)| last.end(ttl(&terms)).saturating_add(MILLI));
            self.turns_of_calls(pack, name).into_iter().chain(end)
        });
        ends.collect()
    }

    /// The first moment at which a report on which the status of a signal rests ends, and the first at which its status
    /// changes by that.
    pub(crate) fn fresh_until(&self, pack: &Pack, signal: &str) -> (Time, Time) {
        let now = self.status(pack, signal, self.now);
        let quorum = pack.signal(signal).and_then(|terms| terms.quorum);
        let members = quorum.map_or_else(|| vec![signal.to_owned()], |quorum| quorum.of);
        let mut ends = self.silences(pack, members.iter().map(String::as_str));
        ends.retain(|end| *end > self.now);
        let first = ends.iter().min().copied();
        ends.retain(|end| self.status(pack, signal, *end) != now);
        (first.unwrap_or(Time::MAX), ends.into_iter().min().unwrap_or(Time::MAX))
    }
}
