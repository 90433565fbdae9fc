//! Breakers of the host's own calls: chapter 6, from S-6.14 on.
//!
//! What became of each call stands in a list. Where a breaker stands is worked out from the beginning of it, each time that
//! somebody asks.

use fallgate::condition::Status;
use fallgate::policy::format::{Breaker, Window};
use fallgate::resilience::breaker::CallOutcome;

use crate::pack::Pack;
use crate::signals::ttl;
use crate::told::Oracle;
use crate::{MILLI, Time};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Began(u64),
    Came(u64, CallOutcome),
    Forced,
    Released,
    /// The monotonic clock may have stood still for so long.
    Slept(Time),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    Closed,
    Open(Time),
    HalfOpen,
    Forced,
}

/// What a list of events comes to.
struct Story {
    window: u32,
    minimum: u32,
    failure_rate: f64,
    open_for: Time,
    probes_max: u32,
    stands: Stands,
    /// The calls that began since it last changed, and have not come back.
    under_way: Vec<u64>,
    /// Of those that are probes, until when each has to be back.
    probes: Vec<(u64, Time)>,
    well: u32,
    /// Of each call that came back since it closed, whether it failed.
    failed: Vec<bool>,
    /// When something was last heard, and how much older that is by sleeps.
    heard: Option<(Time, Time)>,
    /// Each moment at which time alone has changed it.
    turns: Vec<Time>,
}

impl Story {
    fn of(terms: &Breaker, events: &[(Time, Event)], until: Time) -> Self {
        let window = match terms.window {
            Some(Window::Calls(calls)) => calls,
            _ => panic!("the oracle knows windows of calls alone"),
        };
        let mut story = Self {
            window,
            minimum: terms.minimum.unwrap_or(window),
            failure_rate: terms.failure_rate.unwrap_or(0.5),
            open_for: terms.open_for.expect("the packs of these days say it").as_nanos(),
            probes_max: terms.half_open_probes.unwrap_or(3),
            stands: Stands::Closed,
            under_way: Vec::new(),
            probes: Vec::new(),
            well: 0,
            failed: Vec::new(),
            heard: None,
            turns: Vec::new(),
        };
        for (at, event) in events.iter().take_while(|(at, _)| *at <= until) {
            story.pass(*at);
            story.take(*at, *event);
        }
        story.pass(until);
        story
    }

    fn change(&mut self, stands: Stands) {
        self.stands = stands;
        (self.under_way, self.probes, self.well, self.failed) = (Vec::new(), Vec::new(), 0, Vec::new());
    }

    /// What time alone does: an open one lets probes through, and a probe that is not back in time has failed.
    fn pass(&mut self, to: Time) {
        loop {
            let next = match self.stands {
                Stands::Open(until) => Some((until, Stands::HalfOpen)),
                Stands::HalfOpen => {
                    let first = self.probes.iter().map(|(_, end)| *end).min();
                    first.map(|end| (end, Stands::Open(end.saturating_add(self.open_for))))
                }
                Stands::Closed | Stands::Forced => None,
            };
            let Some((when, then)) = next.filter(|(when, _)| *when <= to) else { return };
            self.turns.push(when);
            self.change(then);
        }
    }

    fn take(&mut self, at: Time, event: Event) {
        match event {
            Event::Began(permit) => {
                self.under_way.push(permit);
                if self.stands == Stands::HalfOpen {
                    self.probes.push((permit, at.saturating_add(self.open_for)));
                }
            }
            Event::Came(permit, outcome) if self.under_way.contains(&permit) => self.came(at, permit, outcome),
            Event::Came(..) => {}
            Event::Forced if self.stands == Stands::Forced => {}
            Event::Forced => self.change(Stands::Forced),
            Event::Released => self.change(Stands::HalfOpen),
            Event::Slept(span) => self.heard.iter_mut().for_each(|(_, slept)| *slept = slept.saturating_add(span)),
        }
    }

    fn came(&mut self, at: Time, permit: u64, outcome: CallOutcome) {
        // The first thing to be heard has to be good news.
        if outcome == CallOutcome::Success || (outcome == CallOutcome::Failure && self.heard.is_some()) {
            self.heard = Some((at, 0));
        }
        self.under_way.retain(|other| *other != permit);
        self.probes.retain(|(other, _)| *other != permit);
        let opens = Stands::Open(at.saturating_add(self.open_for));
        match (self.stands, outcome) {
            (_, CallOutcome::Ignored) => {}
            (Stands::HalfOpen, CallOutcome::Failure) => self.change(opens),
            (Stands::HalfOpen, CallOutcome::Success) => {
                self.well += 1;
                if self.well == self.probes_max {
                    self.change(Stands::Closed);
                }
            }
            _ => {
                self.failed.push(outcome == CallOutcome::Failure);
                let counted: Vec<bool> = self.failed.iter().rev().take(self.window as usize).copied().collect();
                let failures = counted.iter().filter(|failed| **failed).count();
                let reaches = failures as f64 >= self.failure_rate * counted.len() as f64;
                if counted.len() >= self.minimum as usize && reaches {
                    self.change(opens);
                }
            }
        }
    }
}

impl Oracle {
    fn story(&self, pack: &Pack, signal: &str, until: Time) -> Option<Story> {
        let terms = pack.signal(signal)?.breaker?;
        let events = self.calls.get(signal).map(Vec::as_slice).unwrap_or_default();
        Some(Story::of(&terms, events, until))
    }

    /// The status of a signal that is a breaker.
    pub(crate) fn status_of_calls(&self, pack: &Pack, signal: &str, at: Time) -> Option<Status> {
        let story = self.story(pack, signal, at)?;
        let holds = ttl(&pack.signal(signal)?);
        let heard = story.heard.is_some_and(|(heard, slept)| at <= heard.saturating_add(holds).saturating_sub(slept));
        Some(match story.stands {
            Stands::Open(_) | Stands::Forced => Status::Failed,
            _ if !heard => Status::Unknown,
            Stands::HalfOpen => Status::Degraded,
            Stands::Closed => Status::Ok,
        })
    }

    /// The moments at which time alone changes it, if no further call is made.
    pub(crate) fn turns_of_calls(&self, pack: &Pack, signal: &str) -> Vec<Time> {
        let Some(story) = self.story(pack, signal, Time::MAX) else { return Vec::new() };
        let holds = pack.signal(signal).map_or(0, |terms| ttl(&terms));
        let silent =
            story.heard.map(|(heard, slept)| heard.saturating_add(holds).saturating_sub(slept).saturating_add(MILLI));
        story.turns.into_iter().chain(silent).collect()
    }

    fn guard(&self, signal: &str) -> Result<Story, &'static str> {
        let pack = self.pack().ok_or("no_policy")?;
        if !pack.signals().any(|name| name == signal) {
            return Err("unknown_signal");
        }
        self.story(pack, signal, self.now).ok_or("not_this_guard")
    }

    fn note_call(&mut self, signal: &str, event: Event) {
        self.calls.entry(signal.to_owned()).or_default().push((self.now, event));
        self.touch_now();
    }

    /// Asks whether a call may be made; gives the number of its permit.
    pub fn acquire(&mut self, signal: &str) -> Result<u64, &'static str> {
        let story = self.guard(signal)?;
        match story.stands {
            Stands::Forced => return Err("forced_open"),
            Stands::Open(_) => return Err("open"),
            Stands::HalfOpen if story.probes.len() + story.well as usize >= story.probes_max as usize => {
                return Err("probing");
            }
            Stands::HalfOpen | Stands::Closed => {}
        }
        self.permits += 1;
        self.note_call(signal, Event::Began(self.permits));
        Ok(self.permits)
    }

    /// Tells what a call came to; gives what became of that.
    pub fn report(&mut self, signal: &str, permit: u64, outcome: CallOutcome) -> Result<&'static str, &'static str> {
        let counts = self.guard(signal)?.under_way.contains(&permit);
        self.note_call(signal, Event::Came(permit, outcome));
        Ok(if counts { "taken" } else { "ignored" })
    }

    /// An operator keeps every call away.
    pub fn force_open(&mut self, signal: &str) -> Result<(), &'static str> {
        self.guard(signal)?;
        self.note_call(signal, Event::Forced);
        Ok(())
    }

    /// An operator lets go of it.
    pub fn release(&mut self, signal: &str) -> Result<(), &'static str> {
        if self.guard(signal)?.stands != Stands::Forced {
            return Err("not_forced");
        }
        self.note_call(signal, Event::Released);
        Ok(())
    }

    /// The monotonic clock may have stood still: what was heard of calls is older by that.
    pub(crate) fn calls_slept(&mut self, span: Time) {
        let now = self.now;
        self.calls.values_mut().for_each(|events| events.push((now, Event::Slept(span))));
    }

    /// A breaker that another bundle declares otherwise starts anew; but one that was forced open stays so.
    pub(crate) fn carry_calls(&mut self, before: &Pack, new: &Pack) {
        let names: Vec<String> = self.calls.keys().cloned().collect();
        for name in names {
            let declared = |pack: &Pack| pack.text["signals"][&name]["breaker"].clone();
            if declared(before) == declared(new) {
                continue;
            }
            let forced = self.story(before, &name, self.now).is_some_and(|story| story.stands == Stands::Forced);
            let events = if forced { vec![(self.now, Event::Forced)] } else { Vec::new() };
            self.calls.insert(name, events);
        }
    }
}
