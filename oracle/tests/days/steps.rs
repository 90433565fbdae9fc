//! The steps of a day, and the pair of engine and oracle that takes each.

use std::collections::BTreeMap;

use fallgate::condition::Status;
use fallgate::decision::DecisionId;
use fallgate::operation::Applied;
use fallgate::resilience::breaker::CallOutcome;
use fallgate::state::approvals::Proof;
use fallgate::state::control::ControlError;
use fallgate::state::document::StateKey;
use fallgate::state::guards::{PermitId, Reported};
use fallgate::state::statement::Purpose;
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate::{Config, Decision, Engine, Observation, Reason};
use fallgate_oracle::{Answer, Chosen, Oracle, Progress, Shown};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::composed::{ROUNDS, parts};
use crate::controller::{Controller, SAYINGS, Sent, bundle, envelope, trust};
use crate::people::{CHANGES, CODES, PEOPLE, change, code, id, signed};
use crate::records::{ROOM, Records};
use crate::rollouts::{TERMS, digest};
use crate::world::{
    Asked, BEGINS, BREAKER, Genes, POSTURES, RULES, RULES_IN_REGO, SCOPES, SIGNALS, WAYS, document, request,
};

/// How many steps a day has at the most.
pub(crate) const DAY: usize = 60;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Both clocks go on.
    Pass {
        ms: u64,
        nanos: u64,
    },
    /// One of the clocks is put elsewhere.
    PutWall {
        ms: i64,
    },
    PutMonotonic {
        back_ms: u64,
    },
    Anchor,
    Advance,
    Activate(Genes),
    /// A bundle is staged beside the active one, moved on, or abandoned.
    Stage(Genes),
    Promote,
    RollBack,
    /// The engine goes back; the number says how many bundles ago.
    Return {
        back: usize,
    },
    /// A bundle is staged, and goes through its steps while one question is asked of everybody, and then another one, again
    /// and again. It may be approved after so many rounds, or only proposed. In the end a signal fails.
    Roll {
        genes: Genes,
        asked: [Asked; 2],
        approved_after: usize,
        fails: usize,
    },
    /// A bundle that may be refused is let in by approval; the clocks may part before.
    Clear {
        genes: Genes,
        parts: bool,
    },
    /// The engine goes back from a bundle, and restarts.
    Back {
        genes: Genes,
    },
    Observe {
        signal: usize,
        status: u8,
        at: Option<i64>,
    },
    Ask(Asked),
    /// The first of two calls.
    Begin(Asked),
    /// The second one, of what waits; the number says how many first calls ago.
    Confirm {
        back: usize,
    },
    /// Both, and the host writes what is between them.
    AskTwice(Asked),
    /// One of the last questions once more.
    AskAgain {
        back: usize,
    },
    /// Every signal is seen to be ok, but for one.
    ObserveAll {
        but: usize,
    },
    /// A change is proposed, and approved by whom it takes.
    Carry {
        change: usize,
    },
    /// A question is asked while all is well, and again when a signal has failed.
    AskAndFail {
        asked: Asked,
        signal: usize,
    },
    Enter {
        posture: usize,
        scope: usize,
    },
    Leave {
        posture: usize,
        scope: usize,
    },
    Acknowledge {
        posture: usize,
        scope: usize,
    },
    Quarantine {
        what: usize,
        secs: Option<u64>,
        absolute: bool,
    },
    Lift {
        what: usize,
    },
    Revoke {
        subject: u8,
        ago_ms: Option<u64>,
    },
    Propose {
        change: usize,
        by: usize,
        age_ms: i64,
        life_ms: i64,
        code: u8,
    },
    /// The number says how many proposals ago.
    Approve {
        back: usize,
        by: usize,
        code: u8,
    },
    Withdraw {
        back: usize,
        by: usize,
        code: u8,
    },
    RevokeOverride {
        back: usize,
    },
    Flag {
        flag: usize,
        set: bool,
    },
    /// The host asks whether it may make a call.
    Acquire,
    /// It tells what one came to; the number says how many permits ago.
    Report {
        back: usize,
        outcome: u8,
    },
    /// Both, one after the other.
    Call {
        outcome: u8,
    },
    Force {
        open: bool,
    },
    /// A controller sends a message.
    Control(Sent),
    TakeOver,
    Resign,
    /// The engine takes over, perhaps beside another one and with a restart behind it. A posture is to be left while a signal
    /// has failed, and when all is well; and it is entered by an operator, and to be left while the signal has failed again.
    Fence {
        posture: usize,
        rival: bool,
        restart: bool,
        signal: usize,
    },
    /// Somebody says wrong codes, so many times, and then another one.
    Guess {
        times: usize,
        code: u8,
    },
    /// One question is asked until there is no room for another record.
    Fill(Asked),
    /// A change is carried out, and another bundle follows.
    Succeed {
        change: usize,
        genes: Genes,
    },
    /// Somebody claims to be active, with an epoch that is so much above the one that was claimed here last.
    Witness {
        above: i64,
        other: bool,
    },
    /// The host takes the records, and may confirm that they are written.
    Drain {
        confirm: bool,
    },
    /// The engine is exported, and another one is restored in its place.
    Restart {
        down_ms: i64,
        genes: Option<Genes>,
        spoil: Option<usize>,
    },
}

const FLAGS: [&str; 3] = ["alone", "both", "none"];

/// What may be quarantined.
fn quarry(what: usize) -> Value {
    match what {
        0 => json!({"subject": {"type": "user", "id": "s0"}}),
        1 => json!({"subject": {"type": "service"}}),
        2 => json!({"resource": {"type": "file", "id": "f"}}),
        3 => json!({"resource": {"type": "host"}}),
        4 => json!({"scope": "tenant:x"}),
        5 => json!({"scope": "region:eu"}),
        6 => json!({"when": "subject.level >= 4"}),
        7 => json!({"when": "signals.d.failed"}),
        8 => json!({"when": "now >= timestamp('2026-01-01T00:00:40Z') && subject.id == 's1'"}),
        9 => json!({"scope": "planet:mars"}),
        10 => json!({"when": "subject.height > 3"}),
        _ => json!("everything"),
    }
}
const QUARRIES: usize = 12;

fn genes() -> impl Strategy<Value = Genes> {
    let valid = proptest::option::weighted(0.4, (-20_i64..30, 31_i64..120));
    let rollout = proptest::option::weighted(0.4, 0_u32..1 << TERMS);
    let rego = prop_oneof![4 => Just(0_u32), 1 => 1_u32..1 << RULES_IN_REGO];
    (1_u64..5, valid, 0_u32..1 << RULES, 0_u32..1 << WAYS, rollout, rego)
        .prop_map(|(revision, valid, rules, ways, rollout, rego)| Genes { revision, valid, rules, ways, rollout, rego })
}

fn asked() -> impl Strategy<Value = Asked> {
    (0_u8..6, 0_u8..6, 0_u8..6, 0_u8..5, 0_u8..30, 0_u8..100).prop_map(
        |(action, subject, resource, rank, terms, flaw)| Asked {
            action,
            subject,
            resource,
            rank,
            terms: 29 - terms,
            flaw: 99 - flaw,
        },
    )
}

fn sent() -> impl Strategy<Value = Sent> {
    let epoch = prop_oneof![12 => Just(0_i64), 1 => -1_i64..2];
    let ahead = prop_oneof![8 => Just(0_i64), 2 => -3_i64..3];
    let age = prop_oneof![4 => Just(0_i64), 1 => -8_000_i64..16_000];
    (epoch, ahead, age, 0..=SAYINGS, proptest::bool::weighted(0.1))
        .prop_map(|(epoch, ahead, age_ms, says, other)| Sent { epoch, ahead, age_ms, says: SAYINGS - says, other })
}

fn step() -> impl Strategy<Value = Step> {
    let ms = prop_oneof![8 => 0_u64..1_500, 4 => (0_u64..6).prop_map(|secs| secs * 1_000), 1 => 0_u64..30_000];
    let nanos = prop_oneof![4 => Just(0_u64), 1 => 0_u64..1_000_000];
    let at = prop_oneof![6 => Just(None), 2 => (0_i64..6_000).prop_map(Some), 1 => (-2_000_i64..20_000).prop_map(Some)];
    let place = || (0..POSTURES.len(), 0..SCOPES.len());
    let life = || prop_oneof![3 => Just(3_600_000_i64), 1 => 1_000_i64..20_000];
    let code = || 0..CODES;
    let age = || prop_oneof![6 => Just(0_i64), 1 => -1_000_i64..5_000];
    prop_oneof![
        4 => (0..CHANGES, 0..PEOPLE.len(), age(), life(), code())
            .prop_map(|(change, by, age_ms, life_ms, code)| Step::Propose { change, by, age_ms, life_ms, code }),
        12 => (prop_oneof![4 => Just(0_usize), 1 => 0_usize..3], 0..PEOPLE.len(), code())
            .prop_map(|(back, by, code)| Step::Approve { back, by, code }),
        1 => (0_usize..2, 0..PEOPLE.len(), code()).prop_map(|(back, by, code)| Step::Withdraw { back, by, code }),
        1 => (0_usize..3).prop_map(|back| Step::RevokeOverride { back }),
        2 => (0..FLAGS.len(), any::<bool>()).prop_map(|(flag, set)| Step::Flag { flag, set }),
        1 => (prop_oneof![3 => 0_i64..30_000, 1 => -12_000_i64..1], proptest::option::weighted(0.3, genes()), proptest::option::weighted(0.1, 0_usize..100_000))
            .prop_map(|(down_ms, genes, spoil)| Step::Restart { down_ms, genes, spoil }),
        25 => prop_oneof![2 => Just(SIGNALS.len()), 1 => 0..SIGNALS.len()].prop_map(|but| Step::ObserveAll { but }),
        30 => (0_usize..6).prop_map(|back| Step::AskAgain { back }),
        6 => (0..CHANGES).prop_map(|change| Step::Carry { change }),
        18 => (asked(), 0..SIGNALS.len()).prop_map(|(asked, signal)| Step::AskAndFail { asked, signal }),
        20 => (ms, nanos).prop_map(|(ms, nanos)| Step::Pass { ms, nanos }),
        1 => prop_oneof![-4_000_i64..4_000, -20_000_i64..20_000].prop_map(|ms| Step::PutWall { ms }),
        1 => prop_oneof![0_u64..5_000, 0_u64..12_000].prop_map(|back_ms| Step::PutMonotonic { back_ms }),
        1 => Just(Step::Anchor),
        4 => Just(Step::Advance),
        6 => any::<bool>().prop_map(|confirm| Step::Drain { confirm }),
        16 => sent().prop_map(Step::Control),
        5 => Just(Step::Acquire),
        5 => (0_usize..4, 0_u8..5).prop_map(|(back, outcome)| Step::Report { back, outcome }),
        10 => (0_u8..5).prop_map(|outcome| Step::Call { outcome }),
        1 => any::<bool>().prop_map(|open| Step::Force { open }),
        1 => prop_oneof![Just(Step::TakeOver), Just(Step::Resign)],
        2 => (0_usize..2, any::<bool>(), any::<bool>(), prop_oneof![Just(0_usize), Just(3), Just(6), 0..SIGNALS.len()])
            .prop_map(|(posture, rival, restart, signal)| Step::Fence { posture, rival, restart, signal }),
        2 => (prop_oneof![Just(0_usize), Just(5), 4_usize..7], prop_oneof![Just(0_u8), code()])
            .prop_map(|(times, code)| Step::Guess { times, code }),
        3 => (2_usize..4, genes()).prop_map(|(change, genes)| Step::Succeed { change, genes }),
        1 => (-1_i64..3, any::<bool>()).prop_map(|(above, other)| Step::Witness { above, other }),
        3 => genes().prop_map(Step::Activate),
        3 => genes().prop_map(Step::Stage),
        2 => Just(Step::Promote),
        1 => prop_oneof![Just(Step::RollBack), (0_usize..4).prop_map(|back| Step::Return { back })],
        8 => (genes(), asked(), asked(), 0..ROUNDS * 3, prop_oneof![2 => 0_usize..2, 1 => 0..SIGNALS.len()])
            .prop_map(|(genes, first, then, approved_after, fails)| Step::Roll { genes, asked: [first, then], approved_after, fails }),
        2 => (genes(), proptest::bool::weighted(0.2)).prop_map(|(genes, parts)| Step::Clear { genes, parts }),
        1 => genes().prop_map(|genes| Step::Back { genes }),
        25 => (0..SIGNALS.len(), prop_oneof![6 => Just(3_u8), 1 => 0_u8..4], at)
            .prop_map(|(signal, status, at)| Step::Observe { signal, status, at }),
        40 => asked().prop_map(Step::Ask),
        1 => asked().prop_map(Step::Fill),
        4 => asked().prop_map(Step::Begin),
        4 => (0_usize..3).prop_map(|back| Step::Confirm { back }),
        6 => asked().prop_map(Step::AskTwice),
        2 => place().prop_map(|(posture, scope)| Step::Enter { posture, scope }),
        4 => place().prop_map(|(posture, scope)| Step::Leave { posture, scope }),
        1 => place().prop_map(|(posture, scope)| Step::Acknowledge { posture, scope }),
        2 => (0..QUARRIES, proptest::option::weighted(0.8, 0_u64..8), any::<bool>())
            .prop_map(|(what, secs, absolute)| Step::Quarantine { what, secs, absolute }),
        4 => (0..QUARRIES).prop_map(|what| Step::Lift { what }),
        1 => (0_u8..4, proptest::option::of(0_u64..10_000)).prop_map(|(subject, ago_ms)| Step::Revoke { subject, ago_ms }),
    ]
}

pub(crate) fn day() -> impl Strategy<Value = Vec<Step>> {
    // Most days begin with a bundle.
    let begin = proptest::option::weighted(0.97, genes());
    (begin, proptest::collection::vec(step(), 0..DAY)).prop_map(|(genes, steps)| {
        let first = genes.map(|genes| Step::Activate(Genes { valid: None, ..genes }));
        first.into_iter().chain(steps).collect()
    })
}

/// An engine, and the oracle of it.
pub(crate) struct Pair {
    pub(crate) engine: Engine,
    pub(crate) oracle: Oracle,
    monotonic: u64,
    wall: i64,
    /// Every proposal, taken or not, and its number with the oracle.
    proposals: Vec<(Value, usize)>,
    /// The bundles that were active here, and the last one that was refused.
    pub(crate) were: Vec<Value>,
    refused: Value,
    /// Whether this step may do nothing that is due; and before it, whether a record had room, and what was compared.
    pub(crate) may_be_deaf: bool,
    pub(crate) had_room: bool,
    /// How far the engine says that a rollout has come, in this step.
    pub(crate) shown: Option<Progress>,
    pub(crate) differed: [u64; 5],
    records: Records,
    controller: Controller,
    permits: Vec<u64>,
    /// The epoch that was claimed last.
    epoch: u64,
    /// What has waited: under which name, for which record, and its number with the oracle.
    waiting: Vec<(DecisionId, u64, usize, Value)>,
    /// The reasons of the answers so far, and how many were given again.
    asked: Vec<Asked>,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) again: usize,
    /// How many steps were taken, each that is made of others by its parts.
    pub(crate) single: usize,
    /// How often something was met, as where a rollout stood after a step; and the step that it had come to.
    pub(crate) met: BTreeMap<&'static str, usize>,
    pub(crate) came_to: usize,
}

/// What the engine goes by.
const ITSELF: &str = "one";

fn config() -> Config {
    let mut config = Config::default();
    config.state_key = StateKey::new([3; 32]);
    config.limits.audit_entries_max = ROOM;
    config.trust = trust();
    config.instance = fallgate::name::name(ITSELF).unwrap();
    config
}

fn status(number: u8) -> Status {
    [Status::Failed, Status::Degraded, Status::Unknown, Status::Ok][usize::from(number % 4)]
}

/// What a call came to.
fn outcome(number: u8) -> CallOutcome {
    [CallOutcome::Success, CallOutcome::Success, CallOutcome::Failure, CallOutcome::Failure, CallOutcome::Ignored]
        [usize::from(number % 5)]
}

fn proof(said: &str, shown: Shown) -> Proof<'_> {
    match shown {
        Shown::Signature => Proof::Signature(said),
        Shown::Code(_) => Proof::Code(said),
    }
}

pub(crate) type Differs = Result<(), String>;

pub(crate) fn same<T: PartialEq + std::fmt::Debug>(engine: T, oracle: T) -> Differs {
    if engine == oracle { Ok(()) } else { Err(format!("the engine says {engine:?}, the oracle {oracle:?}")) }
}

/// Whether both did it, or neither did: of several reasons to refuse something any may be told.
pub(crate) fn alike<T: std::fmt::Debug, E: std::fmt::Debug>(engine: Result<(), T>, oracle: Result<(), E>) -> Differs {
    if engine.is_ok() == oracle.is_ok() {
        return Ok(());
    }
    Err(format!("the engine says {engine:?}, the oracle {oracle:?}"))
}

impl Pair {
    pub(crate) fn new() -> Self {
        let config = config();
        let oracle = Oracle::new(config.clock_skew_max, config.key);
        Self {
            engine: Engine::new(config),
            oracle,
            monotonic: 1_000_000_000_000,
            wall: BEGINS * 1_000_000,
            proposals: Vec::new(),
            were: Vec::new(),
            refused: Value::Null,
            may_be_deaf: false,
            had_room: true,
            shown: None,
            differed: [0; 5],
            records: Records::default(),
            controller: Controller::new(),
            permits: Vec::new(),
            epoch: 0,
            waiting: Vec::new(),
            asked: Vec::new(),
            reasons: Vec::new(),
            again: 0,
            single: 0,
            met: BTreeMap::new(),
            came_to: 0,
        }
    }

    pub(crate) fn now(&self) -> Now {
        Now::new(Monotonic::from_nanos(self.monotonic), Wall::from_nanos(self.wall))
    }

    /// Does an operation, and gives its code where it was not done.
    pub(crate) fn operate(&self, operation: &Value) -> Result<(), String> {
        let done = self.engine.operate_json(operation.to_string().as_bytes(), self.now());
        done.map(|_| ()).map_err(|error| error.code().to_owned())
    }

    pub(crate) fn take(&mut self, step: Step) -> Differs {
        if let Some(parts) = parts(step) {
            return parts.into_iter().try_for_each(|part| self.take(part));
        }
        self.single += 1;
        self.note(step);
        self.take_single(step)?;
        self.same_progress()
    }

    fn take_single(&mut self, step: Step) -> Differs {
        let now = self.now();
        match step {
            Step::Pass { ms, nanos } => {
                self.monotonic += ms * 1_000_000 + nanos;
                self.wall += i64::try_from(ms * 1_000_000 + nanos).unwrap();
            }
            Step::PutWall { ms } => self.wall += ms * 1_000_000,
            Step::PutMonotonic { back_ms } => self.monotonic -= back_ms * 1_000_000,
            Step::Anchor => {
                self.engine.anchor_clocks(now);
                self.tell(now);
                self.oracle.anchor_clocks(now);
            }
            Step::Advance => {
                self.engine.advance(now);
                self.tell(now);
                for signal in SIGNALS.iter().chain(&["clock", "epoch"]) {
                    same(self.engine.signal(signal), self.oracle.signal(signal))?;
                }
                same(self.engine.proposals().len(), self.oracle.waiting())?;
                same(self.uses_left(), self.oracle.uses_left())?;
                for scope in &SCOPES[..4] {
                    let found = self.engine.posture(*scope).map(|name| name.as_str().to_owned());
                    same(found, self.oracle.posture(*scope))?;
                }
            }
            Step::Activate(genes) => {
                let text = document(genes);
                let done = self.engine.activate_signed(&bundle(&text), now);
                self.tell(now);
                let expected = self.oracle.activate(&text, now);
                if expected.is_err() {
                    self.refused = text;
                }
                alike(done, expected)?;
            }
            Step::Observe { signal, status: number, at } => {
                let at = at.map(|ago| Monotonic::from_nanos(self.monotonic.saturating_add_signed(-ago * 1_000_000)));
                let mut observation = Observation::new(SIGNALS[signal], status(number));
                observation.observed_at = at;
                let taken = self.engine.observe(&observation, now);
                self.tell(now);
                same(taken.code(), self.oracle.observe(SIGNALS[signal], status(number), at))?;
            }
            Step::Ask(asked) => {
                self.asked.push(asked);
                self.ask(asked)?;
            }
            Step::Begin(asked) => {
                let request = request(asked, self.wall / 1_000_000);
                let pending = self.engine.decide_pending_json(request.to_string().as_bytes(), now);
                self.tell(now);
                let chosen = self.chosen(&pending.decision);
                let (expected, number) = self.oracle.begin(&request, chosen);
                match (pending.id, number) {
                    (Some(id), Some(number)) => {
                        self.records.expect_pending(id);
                        self.waiting.push((id, pending.seq, number, request));
                        self.judge(&pending.decision, expected, None, chosen)?;
                    }
                    (None, None) => self.judge(&pending.decision, expected, Some(&request), chosen)?,
                    (id, _) => return Err(format!("the engine lets {id:?} wait, the oracle {number:?}")),
                }
            }
            Step::Confirm { back } => {
                let Some((id, _, number, request)) = self.waiting.iter().rev().nth(back).cloned() else {
                    return Ok(());
                };
                let decision = self.engine.confirm(id, now);
                self.tell(now);
                let chosen = self.chosen(&decision);
                let expected = self.oracle.confirm(number, chosen);
                // Who comes too early, or for what is not there, is told so, and nothing is decided.
                let is_decided = !expected.posture.is_empty();
                self.judge(&decision, expected, Some(&request).filter(|_| is_decided), chosen)?;
            }
            Step::AskAgain { back } => {
                if let Some(asked) = self.asked.iter().rev().nth(back) {
                    self.ask(*asked)?;
                }
            }
            Step::Enter { posture, scope } | Step::Leave { posture, scope } | Step::Acknowledge { posture, scope } => {
                let (posture, scope) = (POSTURES[posture], SCOPES[scope]);
                let at = scope.map_or(json!({"posture": posture}), |scope| json!({"posture": posture, "scope": scope}));
                let name = match step {
                    Step::Enter { .. } => "enter_posture",
                    Step::Leave { .. } => "leave_posture",
                    _ => "acknowledge_posture",
                };
                let done = self.operate(&json!({ name: at }));
                self.tell(now);
                let expected = match step {
                    Step::Enter { .. } => self.oracle.enter_posture(posture, scope),
                    Step::Leave { .. } => self.oracle.leave_posture(posture, scope),
                    _ => self.oracle.acknowledge_posture(posture, scope),
                };
                same(done, expected.map_err(str::to_owned))?;
            }
            Step::Quarantine { what, secs, absolute } => {
                let what = quarry(what);
                let mut operation = json!({"what": what, "absolute": absolute});
                if let Some(secs) = secs {
                    operation["for"] = format!("{secs}s").into();
                }
                let done = self.operate(&json!({"quarantine": operation}));
                self.tell(now);
                let until = secs.map(|secs| {
                    now.monotonic.rounded_up().max(self.oracle.now()).after(Ttl::from_secs(secs)).as_nanos()
                });
                alike(done, self.oracle.quarantine(&what, until, absolute))?;
            }
            Step::Lift { what } => {
                let what = quarry(what);
                let done = self.operate(&json!({"lift_quarantine": what}));
                self.tell(now);
                alike(done, self.oracle.lift(&what))?;
            }
            Step::Revoke { subject, ago_ms } => {
                let id = format!("s{subject}");
                let before = ago_ms.map(|ago| self.monotonic / 1_000_000 - ago);
                let mut operation = json!({"type": "user", "id": id});
                if let Some(before) = before {
                    operation["before"] = format!("{before}ms").into();
                }
                self.operate(&json!({ "revoke": operation })).expect("a revocation is always taken");
                self.tell(now);
                let before = before.map_or(self.oracle.now(), Monotonic::from_millis);
                self.oracle.revoke("user", &id, before);
            }
            Step::Propose { change: number, by, age_ms, life_ms, code } => {
                let bundles = [self.oracle.staged().unwrap_or_default(), &digest(&self.refused)];
                let (change, by, wall) = (change(number, bundles), PEOPLE[by], self.wall / 1_000_000);
                let (issued, expires) = (wall - age_ms, wall - age_ms + life_ms);
                let time = |ms: i64| json!(Wall::from_millis(ms).to_string());
                let proposal = json!({
                    "fallgate": "proposal/1", "bundle": "days", "operation": change, "by": by, "reason": "a day",
                    "issued_at": time(issued), "expires_at": time(expires), "nonce": self.proposals.len().to_string(),
                });
                let (said, shown) = self.shown(by, Purpose::Proposal, &proposal, code);
                let done = self.engine.propose(&proposal, proof(&said, shown), now);
                self.tell(now);
                let times = (issued * 1_000_000, expires * 1_000_000);
                let expected = self.oracle.propose(change, by, times, shown);
                self.proposals.push((proposal, *expected.as_ref().unwrap_or(&usize::MAX)));
                alike(done.map(|_| ()), expected.map(|_| ()))?;
            }
            Step::Approve { back, by, code } | Step::Withdraw { back, by, code } => {
                let by = PEOPLE[by];
                let Some((proposal, number)) = self.proposals.iter().rev().nth(back).cloned() else { return Ok(()) };
                if matches!(step, Step::Approve { .. }) {
                    let (said, shown) = self.shown(by, Purpose::Approval, &proposal, code);
                    let done = self.engine.approve(id(&proposal), by, proof(&said, shown), now);
                    self.tell(now);
                    alike(done.map(|_| ()), self.oracle.approve(number, by, shown))?;
                } else {
                    let (said, shown) = self.shown(by, Purpose::Withdrawal, &proposal, code);
                    let done = self.engine.withdraw(id(&proposal), by, proof(&said, shown), now);
                    self.tell(now);
                    alike(done, self.oracle.withdraw(number, by, shown))?;
                }
            }
            Step::RevokeOverride { back } => {
                let Some((proposal, number)) = self.proposals.iter().rev().nth(back).cloned() else { return Ok(()) };
                let done = self.engine.revoke_override(id(&proposal), now);
                self.tell(now);
                alike(done, self.oracle.revoke_override(number))?;
            }
            Step::Flag { flag, set } => {
                let name = if set { "set_flag" } else { "clear_flag" };
                let done = self.operate(&json!({ name: {"flag": FLAGS[flag]} }));
                self.tell(now);
                alike(done, self.oracle.put_flag(FLAGS[flag], set))?;
            }
            Step::Acquire => {
                let permit = self.engine.acquire(BREAKER, None, now);
                self.tell(now);
                let permit = permit.map(PermitId::number).map_err(|error| error.code());
                self.permits.extend(permit);
                same(permit, self.oracle.acquire(BREAKER))?;
            }
            Step::Report { back, outcome: number } => {
                let Some(permit) = self.permits.iter().rev().nth(back).copied() else { return Ok(()) };
                let reported = self.engine.report(BREAKER, PermitId::from_number(permit), outcome(number), None, now);
                self.tell(now);
                let reported = reported.map(Reported::code).map_err(|error| error.code());
                same(reported, self.oracle.report(BREAKER, permit, outcome(number)))?;
            }
            Step::Force { open } => {
                let done = if open { self.engine.force_open(BREAKER, now) } else { self.engine.release(BREAKER, now) };
                self.tell(now);
                let expected = if open { self.oracle.force_open(BREAKER) } else { self.oracle.release(BREAKER) };
                same(done.map_err(|error| error.code()), expected)?;
            }
            Step::Control(sent) => {
                let message = self.controller.send(sent, self.wall / 1_000_000);
                let applied = self.engine.apply(&envelope(&message), now);
                self.tell(now);
                let code = applied.as_ref().map_or_else(ControlError::code, Applied::code);
                same(code, self.oracle.apply(&message))?;
            }
            Step::TakeOver => {
                let done = self.engine.take_over(now);
                self.tell(now);
                self.epoch = *done.as_ref().unwrap_or(&self.epoch);
                same(done.map_err(|error| error.code()), self.oracle.take_over())?;
            }
            Step::Resign => {
                let done = self.engine.resign(now);
                self.tell(now);
                same(done.map_err(|error| error.code()), self.oracle.resign())?;
            }
            Step::Witness { above, other } => {
                let epoch = self.epoch.saturating_add_signed(above);
                self.engine.witness_epoch(epoch, if other { "two" } else { ITSELF }, now);
                self.tell(now);
                self.oracle.witness(epoch, other);
            }
            Step::Drain { confirm } => {
                self.engine.advance(now);
                self.tell(now);
                self.records.drain(&self.engine, now)?;
                if confirm {
                    self.records.confirm(&self.engine, now);
                    // Room again lets a rollout go on.
                    self.tell(now);
                    let is_written = |(_, seq, _, _): &&(_, u64, _, _)| *seq <= self.records.confirmed();
                    self.waiting.iter().filter(is_written).for_each(|(_, _, number, _)| self.oracle.written(*number));
                }
            }
            Step::Restart { down_ms, genes, spoil } => return self.restart(down_ms, genes, spoil),
            _ => return self.take_rollout(step),
        }
        Ok(())
    }

    fn restart(&mut self, down_ms: i64, genes: Option<Genes>, spoil: Option<usize>) -> Differs {
        // A state says when it was written in whole milliseconds.
        let rest = (1_000_000 - self.wall.rem_euclid(1_000_000)) % 1_000_000;
        self.wall += rest;
        self.monotonic += rest.unsigned_abs();
        let now = self.now();
        self.take(Step::Drain { confirm: false })?;
        let Ok(mut state) = self.engine.export_state(now) else { return Ok(()) };
        self.tell(now);
        if let Some(at) = spoil {
            let at = at % state.len();
            state[at] ^= 1;
        }
        self.monotonic = 5_000_000_000_000;
        self.wall += down_ms * 1_000_000;
        let (now, text) = (self.now(), genes.map_or_else(|| self.oracle.active_text().clone(), document));
        let mut config = config();
        let mut oracle = Oracle::new(config.clock_skew_max, config.key);
        config.audit_head = self.records.restart();
        self.engine = Engine::new(config);
        self.engine.activate_signed(&bundle(&text), now).expect("a first bundle is taken");
        oracle.at(now);
        oracle.activate(&text, now).expect("a first bundle is taken");
        let done = self.engine.restore_state(&state, None, now);
        oracle.at(now);
        let expected = oracle.restore(Some(&self.oracle).filter(|_| spoil.is_none()));
        (self.oracle, self.were, self.shown) = (oracle, Vec::new(), None);
        self.proposals.iter_mut().for_each(|(_, number)| *number = usize::MAX);
        self.waiting.clear();
        alike(done.map(|_| ()), expected)
    }

    /// What somebody says to prove who he is, and what it is.
    fn shown(&self, by: &str, purpose: Purpose, proposal: &Value, which: u8) -> (String, Shown) {
        let code = code(self.oracle.active_text(), by, which, Wall::from_nanos(self.wall));
        code.unwrap_or_else(|| (signed(by, purpose, proposal), Shown::Signature))
    }

    /// The oracle's number of a proposal.
    fn numbered(&self, name: &str) -> usize {
        let found = self.proposals.iter().find(|(proposal, _)| id(proposal).to_string() == name);
        found.expect("an override is a proposal").1
    }

    pub(crate) fn uses_left(&self) -> u64 {
        self.engine.overrides().iter().map(|held| u64::from(held.uses_left)).sum()
    }

    fn ask(&mut self, asked: Asked) -> Differs {
        let now = self.now();
        let request = request(asked, self.wall / 1_000_000);
        let decision = self.engine.decide_json(request.to_string().as_bytes(), now);
        self.tell(now);
        let chosen = self.chosen(&decision);
        let expected = self.oracle.decide(&request, chosen);
        self.judge(&decision, expected, Some(&request), chosen)
    }

    /// Holds a decision against the oracle's; `request` is what was asked, where a record may say so.
    fn judge(&mut self, decision: &Decision, expected: Answer, request: Option<&Value>, chosen: Chosen) -> Differs {
        let revision = decision.revision();
        if let Some(request) = request.filter(|request| self.oracle.is_recorded(request, revision, decision.reason())) {
            let actions = &self.oracle.text(revision)["actions"];
            let audit = &actions[request["action"]["name"].as_str().unwrap()]["audit"];
            let is_demanded = ["required", "confirmed"].iter().any(|demanded| audit == demanded);
            self.records.expect(decision, !decision.is_allow() || !is_demanded);
        }
        let found = Answer {
            reason: decision.reason(),
            rule: decision.rule().map(str::to_owned),
            revision: decision.revision(),
            posture: decision.posture().to_owned(),
            degraded: decision.degraded().iter().map(|name| name.as_str().to_owned()).collect(),
            obligations: decision.obligations().iter().map(|one| one.id.to_string()).collect(),
            information_loss: decision.information_loss(),
            cached: decision.cached(),
            over: decision.override_id().map(|over| self.numbered(over)),
            until: expected.until,
        };
        let (least, most) = expected.until;
        let (kept, now) = (decision.expires_at().as_nanos(), decision.at().monotonic.as_nanos());
        self.reasons.push(expected.reason);
        self.again += usize::from(expected.cached);
        if self.is_candidates(decision) {
            *self.met.entry("a candidate's answer").or_default() += 1;
        }
        if decision.rule().is_some_and(|rule| rule.starts_with("rego-")) {
            *self.met.entry("an answer by Rego").or_default() += 1;
        }
        let fresh = !expected.cached && most > now;
        same(found, expected)?;
        // What expires may do so up to a millisecond early.
        if kept.max(now) < least.saturating_sub(1_000_000).max(now) || kept.max(now) > most.max(now) {
            return Err(format!("at {now} the engine keeps it until {kept}, the oracle from {least} until {most}"));
        }
        if fresh && !chosen.gone {
            self.oracle.kept_until(revision, decision.expires_at());
        }
        Ok(())
    }
}
