//! Both clocks, read in any order: nothing that has ended comes back.
//!
//! After the reports and the override at the start nothing is told but the time. So whatever is denied once stays denied,
//! however the clocks go on, back, apart and together; until a signal is reported anew.
#![no_main]

use std::sync::LazyLock;

use fallgate::operation::Outcome;
use fallgate::policy::bundle::Bundle;
use fallgate::state::signals::Observed;
use fallgate::state::statement::Purpose;
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Engine, Observation};
use fallgate_fuzz::bound::within;
use fallgate_fuzz::people::{canonical, public, signature};
use fallgate_fuzz::program::Program;
use fallgate_fuzz::{at, bundle_of};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const STEPS: usize = 200;
const SIGNALS: [&str; 3] = ["idp", "a", "b"];
const ACTIONS: [&str; 6] = ["guarded", "kept", "quorate", "stale", "plain", "forbidden"];
/// Lengths of time that something in the pack takes, in nanoseconds, and some that nothing takes.
const SPANS: [u64; 12] = [
    1,
    999_999,
    1_000_000,
    1_000_000_000,
    2_000_000_000,
    3_000_000_000,
    5_000_000_000,
    5_000_000_001,
    30_000_000_000,
    3_600_000_000_000,
    315_360_000_000_000_000,
    u64::MAX,
];

static BUNDLE: LazyLock<Bundle> = LazyLock::new(|| {
    bundle_of(&json!({
        "fallgate": 1, "name": "clocks", "revision": 1,
        "signals": {
            "idp": { "ttl": "3s" }, "a": { "ttl": "5s" }, "b": { "ttl": "30s" },
            "two": { "ttl": "5s", "quorum": { "of": ["a", "b"], "need": 2 } },
        },
        "actions": {
            "guarded": { "requires": ["idp"], "cache": { "allow": "1h" } },
            "kept": { "requires": ["b"], "cache": { "allow": "2s", "deny": "1h" } },
            "quorate": { "requires": ["two"] },
            "stale": { "requires": ["idp"], "on_failure": { "serve_cached": { "max_stale": "5s" } }, "cache": { "allow": "1h" } },
            "plain": { "cache": { "allow": "1ms" } },
            "forbidden": {},
        },
        "postures": [
            { "name": "shut", "rank": 5, "permits": { "actions": ["guarded", "forbidden"] }, "enter": { "when": "!signals.b.ok", "for": "2s" },
              "leave": { "approvals": { "need": 1, "from": "sre" } } },
        ],
        "approvers": { "sre": { "ann": public("ann"), "bob": public("bob") } },
        "overrides": { "need": 1, "from": "sre", "max_window": "1h", "max_uses": 1000 },
        "rules": [
            { "id": "all", "effect": "allow", "action": ["guarded", "kept", "quorate", "stale", "plain"] },
            { "id": "c", "effect": "deny", "action": "kept", "when": "!signals.idp.ok && signals.a.failed", "accepts_information_loss": "a fuzzer's pack" },
        ],
    }))
});

/// An override of half an hour, which bob approves.
fn allow_the_forbidden(engine: &Engine, now: Now) {
    let proposal = json!({
        "fallgate": "proposal/1", "bundle": "clocks", "by": "ann", "reason": "a fuzzer", "nonce": "1",
        "issued_at": now.wall.to_string(), "expires_at": "2026-01-01T01:00:00Z",
        "operation": { "grant_override": {
            "subjects": ["user:u"], "actions": ["forbidden"], "resources": ["doc:d"], "for": "30s", "uses": 1000,
        } },
    });
    let bytes = canonical(&proposal);
    let signed = |by: &str, purpose: Purpose| data_encoding::BASE64.encode(&signature(by, &purpose.encoding(&bytes)));
    let propose = json!({ "propose": { "proposal": proposal, "signature": signed("ann", Purpose::Proposal) } });
    let Ok(Outcome::Proposed(id)) = engine.operate_json(propose.to_string().as_bytes(), now) else {
        panic!("the fuzzer's own proposal is refused: {:?}", engine.operate_json(propose.to_string().as_bytes(), now));
    };
    let approve = json!({ "approve": { "proposal": id.to_string(), "by": "bob", "signature": signed("bob", Purpose::Approval) } });
    let approved = engine.operate_json(approve.to_string().as_bytes(), now);
    assert!(matches!(approved, Ok(Outcome::Approved(_))), "{approved:?}");
}

fn moved(nanos: u64, program: &mut Program<'_>) -> u64 {
    let span = match program.below(4) {
        0 => u64::from(program.byte()) * 7_000_000,
        1 => program.number(),
        _ => program.pick(&SPANS),
    };
    if program.once_in(4) { nanos.saturating_sub(span) } else { nanos.saturating_add(span) }
}

fuzz_target!(|bytes: &[u8]| {
    within(100, || {
        let mut program = Program::of(bytes);
        let engine = Engine::new(Config::default());
        let mut now = at(1_000_000);
        assert_eq!(engine.activate(BUNDLE.clone(), now), Ok(()));
        SIGNALS.iter().for_each(|signal| assert_eq!(engine.observe(&Observation::ok(*signal), now), Observed::Taken));
        allow_the_forbidden(&engine, now);
        let mut ended = [false; ACTIONS.len()];
        let mut latest = Monotonic::ZERO;
        for _ in 0..STEPS {
            if program.is_over() {
                break;
            }
            let before = now;
            match program.below(10) {
                0..=2 => {
                    // Both clocks go on alike.
                    let monotonic = moved(now.monotonic.as_nanos(), &mut program);
                    let by = i128::from(monotonic) - i128::from(now.monotonic.as_nanos());
                    let wall = i64::try_from(i128::from(now.wall.as_nanos()) + by).unwrap_or(i64::MAX);
                    now = Now::new(Monotonic::from_nanos(monotonic), Wall::from_nanos(wall));
                }
                3 => now.monotonic = Monotonic::from_nanos(moved(now.monotonic.as_nanos(), &mut program)),
                4 => {
                    let span = i64::try_from(moved(0, &mut program)).unwrap_or(i64::MAX);
                    let wall = now.wall.as_nanos();
                    now.wall = Wall::from_nanos(if program.once_in(2) {
                        wall.saturating_sub(span)
                    } else {
                        wall.saturating_add(span)
                    });
                }
                5 => engine.advance(now),
                6 => engine.anchor_clocks(now),
                7 if program.once_in(4) => {
                    // What is seen anew may be allowed anew; but for the override, which nobody gives again.
                    if engine.observe(&Observation::ok(program.pick(&SIGNALS)), now) == Observed::Taken {
                        let of_override = ended[ACTIONS.len() - 1];
                        ended = [false; ACTIONS.len()];
                        ended[ACTIONS.len() - 1] = of_override;
                    }
                }
                _ => {
                    let number = program.below(ACTIONS.len());
                    let request = json!({
                        "subject": { "type": "user", "id": "u" }, "action": { "name": ACTIONS[number] },
                        "resource": { "type": "doc", "id": "d" },
                    });
                    let decision = engine.decide_json(request.to_string().as_bytes(), now);
                    assert!(
                        !decision.is_allow() || !ended[number],
                        "{before:?}, {now:?}: it had ended, and is back: {decision:?}"
                    );
                    ended[number] |= !decision.is_allow();
                    let held = decision.at().monotonic;
                    assert!(held >= latest, "the time that decides went back, from {latest} to {held}");
                    assert!(held >= now.monotonic, "a reading was made earlier");
                    latest = held;
                }
            }
        }
    });
});
