//! The posture machine over every order of events to a stated depth: what a test by example would not meet.
//!
//! The code that runs in the engine is explored, breadth first, with states that are alike met once. Beside each state
//! goes a plain log of what happened; what the machine does is held against that.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, HashSet, VecDeque};

use fallgate::condition::{Cause as Unknown, Truth};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::posture::Postures;
use fallgate::state::postures::{Cause, PostureMachine, Transition};
use fallgate::time::{Monotonic, Ttl};
use fallgate::value::View;
use serde_json::json;

/// How many events in a row.
const DEPTH: usize = 6;
const READ_ONLY: u16 = 1;
const LOCKDOWN: u16 = 2;
const SCOPE: &str = "tenant:x";
const HELD_FOR: Ttl = Ttl::from_secs(2);
const STABLE: [Ttl; 2] = [Ttl::from_secs(3), Ttl::from_secs(1)];
const DWELL: [Ttl; 2] = [Ttl::from_secs(2), Ttl::from_secs(1)];

fn bundle() -> Bundle {
    let document = json!({
        "fallgate": 1, "name": "model", "revision": 1,
        "signals": {"a": {"ttl": "10s"}, "b": {"ttl": "10s"}},
        "schema": {"resource": {"r": {"tenant": {"type": "string", "optional": true}}}},
        "actions": {"read": {"class": "read"}, "write": {"class": "write"}, "answer": {"class": "admin"}},
        "scopes": {"tenant": "resource.tenant"},
        "postures": [
            {"name": "lockdown", "rank": 9, "permits": {"actions": ["answer"]},
             "enter": {"when": "signals.b.failed"}, "leave": {"stable": "1s", "dwell": "1s"}},
            {"name": "read-only", "rank": 1, "permits": {"classes": ["read"], "actions": ["answer"]},
             "enter": {"when": "!signals.a.ok", "for": "2s"},
             "leave": {"stable": "3s", "dwell": "2s", "checks": ["a"], "back_off": {"within": "6s", "max": "5s"}},
             "escalate": {"to": "lockdown", "after": "5s"}},
        ],
        "rules": [{"id": "all", "effect": "allow"}],
    });
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Turns(usize, Truth),
    Passes(Ttl),
    Enter(Option<&'static str>, u16),
    Leave(Option<&'static str>, u16),
    Acknowledge(Option<&'static str>, u16),
}

fn events() -> Vec<Event> {
    let mut events = vec![Event::Passes(Ttl::from_secs(1)), Event::Passes(Ttl::from_secs(3))];
    for condition in [0, 1] {
        let truths = [Truth::False, Truth::True, Truth::Indeterminate(Unknown::Signal(3))];
        events.extend(truths.map(|truth| Event::Turns(condition, truth)));
    }
    for scope in [None, Some(SCOPE)] {
        events.extend([READ_ONLY, LOCKDOWN].map(|number| Event::Enter(scope, number)));
        events.extend([READ_ONLY, LOCKDOWN].map(|number| Event::Leave(scope, number)));
        events.push(Event::Acknowledge(scope, READ_ONLY));
    }
    events
}

/// What happened, told by the events and by nothing that the machine computes of itself but which postures it entered.
#[derive(Clone)]
struct Log {
    now: Monotonic,
    truths: [Truth; 2],
    /// Since when each condition has been what it is: false, or not.
    since: [Monotonic; 2],
    entered: BTreeMap<(Option<Box<str>>, u16), Monotonic>,
}

#[derive(Clone)]
struct Node {
    machine: PostureMachine,
    log: Log,
}

struct Model {
    bundle: Bundle,
    slots: usize,
    slot: usize,
}

impl Model {
    fn postures(&self) -> &Postures {
        &self.bundle.policy().postures
    }

    /// The posture of a request of this tenant; of one of which nobody knows the tenant, for nothing.
    fn posture(&self, machine: &PostureMachine, tenant: Option<&'static str>) -> u16 {
        let mut slots = vec![None; self.slots];
        slots[self.slot] = tenant.map(View::Str);
        machine.in_force().of(&self.postures().scopes, &slots).unwrap().posture
    }

    fn all(&self, machine: &PostureMachine) -> [u16; 3] {
        [Some("x"), Some("y"), None].map(|tenant| self.posture(machine, tenant))
    }

    fn step(&self, node: &mut Node, at: Monotonic) {
        let before = self.all(&node.machine);
        let mut out = Vec::new();
        // A lockdown is of rank 9, so its condition comes last.
        let truths = [None, Some(node.log.truths[0]), Some(node.log.truths[1])];
        node.machine.step(self.postures(), &truths, at, &mut out);
        for (before, after) in before.iter().zip(self.all(&node.machine)) {
            assert!(after >= *before, "an automatic step went to a lower rank");
        }
        assert!(out.iter().all(|transition| transition.entered.is_some()), "an automatic step left a posture");
        for transition in &out {
            let condition = usize::from(transition.posture) - 1;
            let held_for = if condition == 0 { HELD_FOR } else { Ttl::ZERO };
            let by_condition = matches!(transition.entered, Some(Cause::Condition | Cause::Indeterminate));
            if by_condition {
                assert_ne!(node.log.truths[condition], Truth::False);
                assert_eq!(transition.at, node.log.since[condition].after(held_for).max(at), "neither early nor late");
            }
        }
        note(node, out);
    }

    /// Lets time pass as the engine does: from one moment at which something is due to the next.
    fn pass(&self, node: &mut Node, span: Ttl) {
        let end = node.log.now.after(span);
        while let Some(due) = node.machine.due(self.postures()).filter(|due| *due < end) {
            assert!(due > node.log.now, "what is due has been done");
            node.log.now = due;
            self.step(node, due);
        }
        node.log.now = end;
        self.step(node, end);
    }

    fn apply(&self, node: &mut Node, event: Event) {
        let now = node.log.now;
        let mut out = Vec::new();
        match event {
            Event::Passes(span) => self.pass(node, span),
            Event::Turns(condition, truth) => {
                if (truth == Truth::False) != (node.log.truths[condition] == Truth::False) {
                    node.log.since[condition] = now;
                }
                node.log.truths[condition] = truth;
                self.step(node, now);
            }
            Event::Enter(scope, number) => {
                node.machine.enter(self.postures(), scope.map(Into::into), number, now, &mut out);
                note(node, out);
                let tenant = if scope.is_some() { "x" } else { "y" };
                assert!(self.posture(&node.machine, Some(tenant)) >= number, "who enters a posture is under it");
            }
            Event::Leave(scope, number) => {
                let before = self.all(&node.machine);
                let checks_ok = number != READ_ONLY || node.log.truths[0] == Truth::False;
                let scope: Option<Box<str>> = scope.map(Into::into);
                let left = node.machine.leave(self.postures(), scope.clone(), number, checks_ok, now, &mut out);
                let condition = usize::from(number) - 1;
                if left.is_ok() {
                    assert_eq!(node.log.truths[condition], Truth::False, "left while its condition may hold");
                    assert!(now >= node.log.since[condition].after(STABLE[condition]), "left before it was stable");
                    let entered = node.log.entered.remove(&(scope, number)).expect("left where it was entered");
                    assert!(now >= entered.after(DWELL[condition]), "left before its dwell");
                    assert!(checks_ok);
                } else {
                    assert_eq!(before, self.all(&node.machine), "a refusal changes nothing");
                    assert!(out.is_empty());
                }
            }
            Event::Acknowledge(scope, number) => {
                let known = node.log.entered.contains_key(&(scope.map(Into::into), number));
                assert_eq!(node.machine.acknowledge(scope, number).is_ok(), known);
            }
        }
    }

    /// What has to hold in every state.
    fn check(&self, node: &Node) {
        let strictest = |scope: Option<&str>| {
            let of = |((place, number), _): (&(Option<Box<str>>, u16), &Monotonic)| {
                (place.is_none() || place.as_deref() == scope).then_some(*number)
            };
            node.log.entered.iter().filter_map(of).max().unwrap_or(0)
        };
        let [of_x, of_y, unknown] = self.all(&node.machine);
        assert_eq!((of_x, of_y, unknown), (strictest(Some(SCOPE)), strictest(None), strictest(Some(SCOPE))));
        // No action is permitted that a posture which is entered does not permit.
        for action in 0..3 {
            let permitted = |number: u16| self.postures().spec(number).unwrap().permits[action];
            let reached = node.log.entered.keys().filter(|(scope, _)| scope.is_none()).map(|(_, number)| *number);
            assert!(!permitted(of_y) || reached.into_iter().all(permitted));
        }
        self.way_out(node.clone());
    }

    /// Where the conditions are false, the checks ok and enough time passes, an operator gets back to normal.
    fn way_out(&self, mut node: Node) {
        for condition in [0, 1] {
            self.apply(&mut node, Event::Turns(condition, Truth::False));
        }
        self.pass(&mut node, Ttl::from_secs(20));
        for (scope, number) in node.log.entered.keys().cloned().collect::<Vec<_>>() {
            let left = node.machine.leave(self.postures(), scope, number, true, node.log.now, &mut Vec::new());
            assert_eq!(left, Ok(()), "a posture without a way out");
        }
        self.pass(&mut node, Ttl::from_secs(20));
        assert_eq!(self.all(&node.machine), [0, 0, 0], "left, and not entered again by itself");
    }
}

fn note(node: &mut Node, out: Vec<Transition>) {
    for Transition { at, posture, scope, entered, .. } in out {
        assert!(entered.is_some());
        assert_eq!(node.log.entered.insert((scope, posture), at), None, "entered twice");
    }
}

#[test]
fn every_order_of_events_keeps_the_laws_of_postures() {
    let bundle = bundle();
    let slots = bundle.policy().schema.slots().len();
    let slot = usize::from(bundle.policy().postures.scopes[0].slot);
    let model = Model { bundle, slots, slot };
    let mut machine = PostureMachine::new(8);
    machine.carry(None, model.postures());
    let start = Monotonic::from_millis(1_000);
    let log = Log { now: start, truths: [Truth::False; 2], since: [start; 2], entered: BTreeMap::new() };
    let mut first = Node { machine, log };
    model.step(&mut first, start);

    let key = |node: &Node| {
        let since = node.log.since.map(|since| node.log.now.nanos_since(since).min(20_000_000_000));
        (node.machine.state(node.log.now), format!("{:?}", node.log.truths), since)
    };
    let mut seen = HashSet::from([key(&first)]);
    let mut waiting = VecDeque::from([(first, 0)]);
    let (mut transitions, mut normal, mut locked) = (0_usize, 0_usize, 0_usize);
    while let Some((node, depth)) = waiting.pop_front() {
        model.check(&node);
        match model.posture(&node.machine, Some("y")) {
            0 => normal += 1,
            LOCKDOWN => locked += 1,
            _ => {}
        }
        if depth == DEPTH {
            continue;
        }
        for event in events() {
            let mut next = node.clone();
            model.apply(&mut next, event);
            transitions += 1;
            if seen.insert(key(&next)) {
                waiting.push_back((next, depth + 1));
            }
        }
    }
    println!("{} states, {transitions} transitions to depth {DEPTH}; {normal} normal, {locked} locked", seen.len());
    assert!(seen.len() > 10_000, "only {} states were met", seen.len());
    assert!(normal > 100 && locked > 100);
}
