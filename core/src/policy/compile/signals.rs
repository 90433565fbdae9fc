//! Signals: numbered so that whatever follows others comes after them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ByName, Compiler, escape};
use crate::error::{Code, quoted};
use crate::name::{self, Name};
use crate::policy::format::{self, Pack};
use crate::policy::signal::{BUILT_IN, CONTROL, Recovery, SignalSpec, Source};
use crate::time::Ttl;

impl Compiler<'_> {
    /// The signals in the order of their numbers: built in, observed, guards, heartbeats, quorums.
    pub(super) fn signals(&mut self, pack: &Pack) -> (Vec<SignalSpec>, ByName) {
        let observed = self.observed(pack);
        let undeclared = observed.keys().filter(|name| !pack.signals.contains_key(**name)).count();
        let declared = undeclared.saturating_add(pack.signals.len()).saturating_add(BUILT_IN.len());
        let declared = declared.saturating_add(usize::from(pack.control.is_some()));
        self.limit("/signals", "signals", declared, self.limits.signals_max);

        let mut table = Table::default();
        for name in BUILT_IN {
            table.add(name::name(name).unwrap_or_default(), Source::BuiltIn);
        }
        let mut guards = Vec::new();
        for (name, signal) in &pack.signals {
            let pointer = format!("/signals/{}", escape(name));
            if let Some(spec) = self.guard(signal, &pointer) {
                guards.push((self.name(&pointer, name, ""), Arc::new(spec), signal.ttl));
            } else if signal.ttl.is_none() {
                self.fault(Code::MissingField, &pointer, "the field `ttl` is missing", "add `ttl:`");
            }
        }
        for (name, (signal, pointer)) in &observed {
            let recover = self.recovery(signal.recover.as_ref(), pointer);
            if let Some(name) = self.name(pointer, name, "") {
                // Where there is none, that has been said.
                table.add(name, Source::Observed { ttl: signal.ttl.unwrap_or_default(), recover });
            }
        }
        for (name, spec, ttl) in guards {
            if let Some(name) = name {
                table.add(name, Source::Guard { spec, ttl });
            }
        }
        for (name, source) in self.heartbeats(pack) {
            table.add(name, source);
        }
        for (name, signal) in &pack.signals {
            let Some(quorum) = &signal.quorum else { continue };
            let pointer = format!("/signals/{}", escape(name));
            self.check_quorum(&format!("{pointer}/quorum"), quorum, pack);
            if let Some(name) = self.name(&pointer, name, "") {
                let members =
                    quorum.of.iter().filter_map(|member| table.numbers.get(member.as_str()).copied()).collect();
                let need = usize::try_from(quorum.need).unwrap_or(usize::MAX);
                table.add(name, Source::Quorum { members, need });
            }
        }
        (table.specs, table.numbers)
    }

    /// The signals that the host observes: declared by themselves, or as members of a quorum.
    fn observed<'p>(&mut self, pack: &'p Pack) -> BTreeMap<&'p str, (&'p format::Signal, String)> {
        let mut observed = BTreeMap::new();
        for (name, signal) in &pack.signals {
            let pointer = format!("/signals/{}", escape(name));
            if is_built_in(name) {
                let message = format!("the signal {} is built in", quoted(name));
                self.fault(Code::DuplicateName, &pointer, message, "choose another name");
            }
            if signal.quorum.is_none() && signal.heartbeat.is_none() && !signal.is_guard() {
                observed.insert(name.as_str(), (signal, pointer));
            }
        }
        for (name, signal) in &pack.signals {
            let Some(quorum) = &signal.quorum else { continue };
            for (at, member) in quorum.of.iter().enumerate() {
                let declared = pack.signals.contains_key(member) || is_built_in(member);
                if !declared {
                    let pointer = format!("/signals/{}/quorum/of/{at}", escape(name));
                    observed.entry(member.as_str()).or_insert((signal, pointer));
                }
            }
        }
        observed
    }

    /// The signals that follow control feeds, each with what it follows.
    fn heartbeats(&mut self, pack: &Pack) -> Vec<(Name, Source)> {
        let mut found = Vec::new();
        let mut heartbeat = |compiler: &mut Self, name: &str, feed: &str, ttl, recover, pointer: &str, at: String| {
            let recover = compiler.recovery(recover, pointer);
            if ttl == Ttl::ZERO {
                let message = "no message would hold at all";
                compiler.fault(Code::InvalidValue, format!("{pointer}/ttl"), message, "write more than zero");
            }
            let feed = compiler.name(&at, feed, "");
            if let Some((name, feed)) = compiler.name(pointer, name, "").zip(feed) {
                found.push((name, Source::Heartbeat { feed, ttl, recover }));
            }
        };
        if let Some(control) = &pack.control {
            let at = "/control/feed".to_owned();
            heartbeat(self, CONTROL, &control.feed, control.ttl, control.recover.as_ref(), "/control", at);
        }
        for (name, signal) in &pack.signals {
            let (Some(heartbeat_of), Some(ttl)) = (&signal.heartbeat, signal.ttl) else { continue };
            let pointer = format!("/signals/{}", escape(name));
            let at = format!("{pointer}/heartbeat/feed");
            heartbeat(self, name, &heartbeat_of.feed, ttl, signal.recover.as_ref(), &pointer, at);
        }
        found
    }

    fn recovery(&mut self, recover: Option<&format::Recover>, pointer: &str) -> Recovery {
        let oks = recover.and_then(|recover| recover.oks).unwrap_or(1);
        if oks == 0 {
            let message = "no observation at all cannot recover a signal";
            self.fault(Code::InvalidValue, format!("{pointer}/recover/oks"), message, "write 1 or more");
        }
        Recovery { oks, stable: recover.and_then(|recover| recover.for_).unwrap_or_default() }
    }

    fn check_quorum(&mut self, pointer: &str, quorum: &format::Quorum, pack: &Pack) {
        let members = u32::try_from(quorum.of.len()).unwrap_or(u32::MAX);
        if quorum.need == 0 || quorum.need > members {
            let message = format!("{} of {members} members is no quorum", quorum.need);
            self.fault(Code::InvalidValue, format!("{pointer}/need"), message, format!("write 1 to {members}"));
        }
        for (at, member) in quorum.of.iter().enumerate() {
            let pointer = format!("{pointer}/of/{at}");
            if quorum.of.iter().take(at).any(|before| before == member) {
                let message = format!("the member {} stands twice: it has one vote", quoted(member));
                self.fault(Code::DuplicateName, &pointer, message, "name each member once");
            }
            if member == CONTROL && pack.control.is_none() {
                let message = "the signal `control` follows the control feed, and the pack names none";
                self.fault(Code::UnknownSignal, &pointer, message, "add `control:` with `feed` and `ttl`");
            }
            if pack.signals.get(member).is_some_and(|signal| signal.quorum.is_some()) {
                let message = format!("the member {} is a quorum itself", quoted(member));
                self.fault(Code::SignalCycle, &pointer, message, "name the members of that quorum");
            }
        }
    }
}

fn is_built_in(name: &str) -> bool {
    BUILT_IN.contains(&name) || name == CONTROL
}

#[derive(Default)]
struct Table {
    specs: Vec<SignalSpec>,
    numbers: ByName,
}

impl Table {
    fn add(&mut self, name: Name, source: Source) {
        // `Limits::signals_max` keeps the count far below this.
        let number = u16::try_from(self.specs.len()).unwrap_or(u16::MAX);
        self.numbers.insert(name.as_str().into(), number);
        self.specs.push(SignalSpec::new(name, source));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::error::Code;
    use crate::limits::Limits;
    use crate::policy::bundle::{Bundle, Trust};

    /// 1,024 with the five that are built in: each counts once, also one that a quorum names, declared or not.
    #[test]
    fn each_signal_counts_once() {
        let refused = |observed: usize, members: &[&str]| {
            let mut signals: serde_json::Map<_, _> =
                (0..observed).map(|at| (format!("s-{at}"), json!({ "ttl": "1s" }))).collect();
            signals.insert("all".into(), json!({ "ttl": "1s", "quorum": { "of": members, "need": 1 } }));
            let document = json!({ "fallgate": 1, "name": "p", "revision": 1, "signals": signals });
            let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT);
            bundle.err().map(|error| error.diagnostics().iter().map(|found| found.code).collect::<Vec<_>>())
        };
        assert_eq!(refused(1_018, &["s-0"]), None);
        assert_eq!(refused(1_019, &["s-0"]), Some(vec![Code::LimitExceeded]));
        assert_eq!(refused(1_017, &["s-0", "elsewhere"]), None);
        assert_eq!(refused(1_018, &["s-0", "elsewhere"]), Some(vec![Code::LimitExceeded]));
    }
}
