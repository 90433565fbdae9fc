//! Activation and the way back: four signed bundles, the floor of revisions, a trust root that revokes one of them, a
//! validity that ends, and restarts.
//!
//! Beside the engine goes a note of what was ever active here, what the floor is, and what the trust root revokes.

use std::collections::BTreeSet;

use ed25519_dalek::Signer;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, BundleId, Trust};
use fallgate::policy::trust::envelope::{self, Envelope};
use fallgate::policy::trust::key::PublicKey;
use fallgate::policy::trust::root::TrustRoot;
use fallgate::request::Party;
use fallgate::state::document::StateKey;
use fallgate::state::quarantine::Selector;
use fallgate::time::Now;
use fallgate::{Config, Engine, Request};
use fallgate_spaces::memory::Telling;
use fallgate_spaces::{Counts, Met, Space, explore};
use serde_json::{Value, json};

use crate::{at, key};

/// By bundle: its rule and its revision. The third is another one of the second's revision; the fourth is over soon.
const BUNDLES: [(&str, u64); 4] = [("one", 1), ("two", 2), ("other-two", 2), ("three", 3)];
const REVOKED: usize = 1;
const BOUNDED: usize = 3;
/// When the validity of the fourth ends, and how far the clocks go.
const ENDS: u64 = 2_000;
const HORIZON: u64 = 3_000;

/// How large the space is, to this depth and closed.
const COUNTS: Counts = Counts { states: 835, transitions: 6_465, depth: 5, closed: false };
const COUNTS_CLOSED: Counts = Counts { states: 2_124, transitions: 31_860, depth: 11, closed: true };

#[derive(Clone, Copy, Debug)]
enum Step {
    Passes,
    Activate(usize),
    ReturnTo(usize),
    /// A trust root that revokes the second bundle.
    Rotate,
    /// The state is exported, and restored into a new engine that began with that bundle.
    Restart(usize),
    /// An operator lifts what a state that does not fit has quarantined.
    Lift,
}

struct World {
    engine: Engine,
    millis: u64,
    active: Option<usize>,
    /// The highest revision that was ever active, and the bundle that it was.
    floor: Option<(u64, usize)>,
    /// What was active in this process.
    formers: BTreeSet<usize>,
    rotated: bool,
    /// Whether the bundle that is active was gone back to.
    returned: bool,
    /// Whether a state did not fit: everything is quarantined.
    held: bool,
}

struct Activation {
    bundles: [Bundle; 4],
    roots: [Vec<u8>; 2],
}

fn canonical(document: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(document).unwrap()
}

fn document(number: usize) -> Vec<u8> {
    let (rule, revision) = BUNDLES[number];
    let mut document = json!({
        "fallgate": 1, "name": "space", "revision": revision, "actions": {"read": {}},
        "rules": [{"id": rule, "effect": "allow"}],
    });
    if number == BOUNDED {
        let time = |millis: u64| at(millis).wall.to_string();
        document["valid"] = json!({"from": time(0), "until": time(ENDS)});
    }
    canonical(&document)
}

impl Activation {
    fn new() -> Self {
        let signer = key("publisher");
        let public = PublicKey::from_bytes(&signer.verifying_key().to_bytes()).unwrap();
        let root = |version: u64, revoked: &[String]| {
            let keys = json!([{"id": public.id().to_string(), "key": public.to_string()}]);
            let form = json!({"fallgate_trust": 1, "version": version, "threshold": 1, "keys": keys});
            let mut form = form;
            if !revoked.is_empty() {
                form["revoked"] = json!({"bundles": revoked});
            }
            let mut envelope = Envelope::new(envelope::TRUST, canonical(&form));
            let signature = signer.sign(&envelope.encoding()).to_bytes();
            envelope.add(public.id(), signature).unwrap();
            (canonical(&form), envelope.to_json())
        };
        let first = root(1, &[]);
        let second = root(2, &[BundleId::of(&document(REVOKED)).to_string()]);
        let trust = Trust::keys(TrustRoot::from_json(&first.0, &Limits::DEFAULT).unwrap());
        let bundles = [0, 1, 2, 3].map(|number| {
            let mut envelope = Envelope::new(envelope::BUNDLE, document(number));
            let signature = signer.sign(&envelope.encoding()).to_bytes();
            envelope.add(public.id(), signature).unwrap();
            Bundle::from_signed(&envelope.to_json(), &trust, &Limits::DEFAULT, at(0).wall).unwrap()
        });
        Self { bundles, roots: [first.0, second.1] }
    }

    fn engine(&self) -> Engine {
        let mut config = Config::default();
        config.trust = Trust::keys(TrustRoot::from_json(&self.roots[0], &Limits::DEFAULT).unwrap());
        config.state_key = StateKey::new([7; 32]);
        Engine::new(config)
    }
}

impl World {
    fn now(&self) -> Now {
        at(self.millis)
    }

    fn is_revoked(&self, number: usize) -> bool {
        self.rotated && number == REVOKED
    }

    fn is_valid(&self, number: usize) -> bool {
        number != BOUNDED || self.millis < ENDS
    }

    fn decides(&self) -> Option<usize> {
        self.active.filter(|number| !self.is_revoked(*number) && self.is_valid(*number))
    }

    /// I-30: trusted, not below the floor, and none that is over while another decides.
    fn may_activate(&self, number: usize) -> bool {
        let revision = BUNDLES[number].1;
        let on_floor = self.floor.is_none_or(|(floor, first)| revision > floor || number == first);
        !self.is_revoked(number) && on_floor && (self.is_valid(number) || self.decides().is_none())
    }

    fn may_return(&self, number: usize) -> bool {
        self.active != Some(number)
            && self.formers.contains(&number)
            && !self.is_revoked(number)
            && self.is_valid(number)
    }

    fn activated(&mut self, number: usize) {
        let revision = BUNDLES[number].1;
        self.returned = self.floor.is_some_and(|(floor, _)| revision < floor);
        if !self.returned {
            self.floor = Some((revision, number));
        }
        self.active = Some(number);
        self.formers.insert(number);
    }

    /// S-22.7: a state is restored by the bundle that was active, by the one of the floor, or by a later one.
    fn fits(&self, number: usize) -> bool {
        let (floor, first) = self.floor.expect("something was active");
        BUNDLES[number].1 > floor || number == first || (self.returned && self.active == Some(number))
    }

    /// I-1: what is allowed is allowed by the bundle that should be active, which is trusted and inside its validity.
    fn check(&self) -> Result<Vec<&'static str>, String> {
        let request = Request::new(Party::new("user", "ann"), "read", Party::new("r", "1"));
        let decision = self.engine.decide(&request, self.now());
        let expected = self.decides().filter(|_| !self.held);
        if decision.is_allow() != expected.is_some() {
            return Err(format!("the answer is {}, and should be of {expected:?}", decision.reason().code()));
        }
        if let Some(number) = expected
            && (decision.rule(), decision.revision()) != (Some(BUNDLES[number].0), BUNDLES[number].1)
        {
            return Err(format!("{:?} of revision {} decided", decision.rule(), decision.revision()));
        }
        let below = expected.zip(self.floor).is_some_and(|(number, (floor, _))| BUNDLES[number].1 < floor);
        let mut met = vec![if decision.is_allow() { "allowed" } else { decision.reason().code() }];
        met.extend(below.then_some("allowed below the floor"));
        Ok(met)
    }
}

impl Activation {
    fn restart(&self, world: &mut World, number: usize) -> Result<&'static str, String> {
        let now = world.now();
        let state = world.engine.export_state(now).map_err(|error| error.to_string())?;
        world.engine = self.engine();
        if world.rotated {
            world.engine.rotate_trust(&self.roots[1], now).map_err(|error| error.to_string())?;
        }
        world.engine.activate(self.bundles[number].clone(), now).map_err(|error| error.to_string())?;
        let restored = world.engine.restore_state(&state, None, now).map_err(|error| error.code());
        let fits = world.fits(number);
        if restored.is_ok() != fits {
            return Err(format!("restoring into {} came to {restored:?}", BUNDLES[number].0));
        }
        world.held |= !fits;
        let floor = world.floor.filter(|(floor, _)| *floor >= BUNDLES[number].1);
        world.returned = fits && floor.is_some_and(|(floor, _)| floor > BUNDLES[number].1);
        world.floor = Some(floor.unwrap_or((BUNDLES[number].1, number)));
        world.active = Some(number);
        world.formers = BTreeSet::from([number]);
        Ok(restored.err().unwrap_or("restored"))
    }

    fn told(&self, world: &World) -> String {
        Telling { long_ago_ms: 10_000, ..Telling::PLAIN }.of(&world.engine, world.now())
    }
}

impl Space for Activation {
    type Step = Step;
    type World = World;

    fn steps(&self) -> Vec<Step> {
        let mut steps = vec![Step::Passes, Step::Rotate, Step::Lift];
        steps.extend((0..4).flat_map(|number| [Step::Activate(number), Step::ReturnTo(number), Step::Restart(number)]));
        steps
    }

    fn begin(&self) -> World {
        let mut world = World {
            engine: self.engine(),
            millis: 0,
            active: None,
            floor: None,
            formers: BTreeSet::new(),
            rotated: false,
            returned: false,
            held: false,
        };
        world.engine.activate(self.bundles[0].clone(), world.now()).unwrap();
        world.activated(0);
        world
    }

    fn take(&self, world: &mut World, step: Step) -> Result<Met, String> {
        let now = world.now();
        let (done, may, name) = match step {
            Step::Passes => {
                world.millis = (world.millis + 1_000).min(HORIZON);
                world.engine.advance(world.now());
                (true, true, "passed")
            }
            Step::Activate(number) => {
                let may = world.may_activate(number);
                let done = world.engine.activate(self.bundles[number].clone(), now).map_err(|error| error.code());
                done.iter().for_each(|()| world.activated(number));
                (done.is_ok(), may, done.err().unwrap_or("activated"))
            }
            Step::ReturnTo(number) => {
                let may = world.may_return(number);
                let done = world.engine.return_to(self.bundles[number].id(), now).map_err(|error| error.code());
                done.iter().for_each(|()| world.activated(number));
                (done.is_ok(), may, done.err().unwrap_or("went back"))
            }
            Step::Rotate => {
                let done = world.engine.rotate_trust(&self.roots[1], now).is_ok();
                let may = !std::mem::replace(&mut world.rotated, true);
                (done, may, "rotated")
            }
            Step::Lift => {
                let done = world.engine.lift_quarantine(&Selector::Everything, now).is_ok();
                (done, std::mem::take(&mut world.held), "lifted")
            }
            Step::Restart(number) if world.is_revoked(number) => (true, true, "not begun with what is revoked"),
            Step::Restart(number) => (true, true, self.restart(world, number)?),
        };
        if done != may {
            return Err(format!("it came to {name}, and should {} be done", if may { "" } else { "not" }));
        }
        Ok(Met { names: vec![name], refused: !done })
    }

    fn check(&self, world: &World) -> Result<Vec<&'static str>, String> {
        world.check()
    }

    fn memory(&self, world: &World) -> String {
        let World { millis, active, floor, formers, rotated, returned, held, .. } = world;
        format!("{millis} {active:?} {floor:?} {formers:?} {rotated} {returned} {held} {}", self.told(world))
    }

    fn is_home(&self, _: &World) -> bool {
        true
    }
}

#[test]
fn no_step_leads_below_the_floor_or_to_what_is_revoked() {
    let names = [
        "activated",
        "went back",
        "allowed",
        "allowed below the floor",
        "older_revision",
        "same_revision",
        "bundle_revoked",
        "outside_validity",
        "never_active",
        "already_active",
        "policy_expired",
        "no_policy",
        "restored",
        "state_bundle_behind",
        "state_other_bundle",
        "quarantined",
        "lifted",
        "rotated",
    ];
    explore(&Activation::new(), 5).hold("activation", &[COUNTS, COUNTS_CLOSED], &names);
}
