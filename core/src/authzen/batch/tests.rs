//! The two ways through a batch: what is read without a copy is answered, recorded and counted as what is read into values.

use proptest::prelude::*;

use super::*;
use crate::engine::Config;
use crate::policy::bundle::{Bundle, Trust};
use crate::request::{Named, Portion, Request};
use crate::time::{Monotonic, Wall};

const NOW: Now = Now::new(Monotonic::from_millis(60_000), Wall::from_millis(1_767_225_600_000));

/// What there is of an open kind of attribute is kept in part, so that portions are not the whole.
fn document() -> Json {
    json!({
        "fallgate": 1, "name": "batch", "revision": 3,
        "schema": {
            "subject": { "user": { "role": { "type": "string", "optional": true }, "facts": { "type": "any", "optional": true } } },
            "resource": { "record": { "status": { "type": "string", "optional": true } } },
            "action": { "read": { "soft": { "type": "bool", "optional": true } } },
            "context": { "ip": { "type": "string", "optional": true }, "more": { "type": "any", "optional": true } },
        },
        "audit": { "level": "all" },
        "actions": { "read": { "cache": { "allow": "5s", "deny": "5s" } }, "write": {} },
        "rules": [
            { "id": "read", "effect": "allow", "action": "read", "when": "subject.role == 'admin' || resource.status == 'active'" },
            { "id": "write", "effect": "allow", "action": "write", "when": "subject.facts.level > 2 && context.more.way == 'in'" },
            { "id": "not-carol", "effect": "deny", "subject": { "id": "carol" } },
        ],
    })
}

/// Two engines that are told the same, one for each way.
struct Both {
    views: Engine,
    values: Engine,
    quick: usize,
}

impl Both {
    fn within(limits: Limits) -> Self {
        let engine = || {
            let config = Config { limits: limits.clone(), ..Config::default() };
            let bundle = Bundle::from_document(&document(), &Trust::unsigned_for_development(), &Limits::DEFAULT);
            let engine = Engine::new(config);
            engine.activate(bundle.unwrap(), NOW).unwrap();
            engine
        };
        let (views, values) = (engine(), engine());
        assert!(views.portions().is_some_and(|kept| *kept != Portions::WHOLE));
        Self { views, values, quick: 0 }
    }

    fn new() -> Self {
        Self::within(Limits::DEFAULT)
    }

    /// Whether there was an answer, which both ways must have alike; and the endpoint for one question too.
    fn answers(&mut self, body: &[u8]) -> bool {
        self.answers_by(body, self.views.portions())
    }

    fn answers_by(&mut self, body: &[u8], kept: Option<Arc<Portions>>) -> bool {
        let text = String::from_utf8_lossy(&body[..body.len().min(2_000)]);
        let right = by_values(&self.values, body, NOW);
        if let Some(answers) = by_views(&self.views, body, NOW, kept) {
            self.quick += 1;
            assert_eq!(Ok(answers.into_answer()), right, "{text}");
        } else {
            assert_eq!(by_values(&self.views, body, NOW), right, "{text}");
        }
        let alone = evaluation(|| self.views.decide_asked(body, NOW));
        let owned = |engine: &Engine| {
            let request = Request::from_json(body, &engine.config().limits)?;
            Ok(engine.decide(&request, NOW))
        };
        assert_eq!(alone, evaluation(|| owned(&self.values)), "{text}");
        right.is_ok()
    }

    /// Ends the comparison by what both wrote down; gives how many batches were read without a copy.
    fn quick(self) -> usize {
        let records = |engine: &Engine| engine.drain_audit(usize::MAX, NOW).lines;
        assert_eq!(records(&self.views), records(&self.values));
        assert_eq!(self.views.metrics().to_json(), self.values.metrics().to_json());
        self.quick
    }
}

const USER: &str =
    r#"{"type":"user","id":"alice","properties":{"role":"admin","facts":{"level":3,"other":[1,{"a":[]}]},"x":0}}"#;
const CAROL: &str = r#"{"type":"user","id":"carol"}"#;
const RECORD: &str = r#"{"type":"record","id":"r\u002d1","properties":{"status":"active"}}"#;
const READ: &str = r#"{"name":"read","properties":{"soft":true}}"#;
const WRITE: &str = r#"{"name":"write"}"#;
const CONTEXT: &str = r#"{"ip":"10.0.0.1","more":{"way":"in","list":[0.5,-0,1e3,9223372036854775808]}}"#;

/// Parts beside the items, some replaced by an item and some not.
fn full() -> String {
    format!(
        r#"{{"subject":{USER},"action":{READ}, "options":{{"evaluations_semantic":"execute_all","other":[1]}},
        "evaluations":[{{}},{{"resource":{RECORD}}},{{"subject":{CAROL},"resource":{RECORD},"surprise":{{"a":[null]}}}},
        {{"action":{WRITE},"resource":{RECORD}}},{{"action":{WRITE},"context":{{}}}}],
        "resource":{{"type":"record","id":"r-2"}},"context":{CONTEXT},"surprise":[{{}}]}}"#
    )
}

fn plain(items: &str) -> String {
    format!(r#"{{"subject":{USER},"action":{READ},"resource":{RECORD},"context":{CONTEXT},"evaluations":[{items}]}}"#)
}

#[test]
fn a_batch_is_answered_alike_whole_cut_and_altered() {
    let mut both = Both::new();
    let body = full();
    assert!(both.answers(body.as_bytes()));
    assert!(both.answers(body.as_bytes()), "from the cache");
    for end in 0..body.len() {
        assert!(!both.answers(&body.as_bytes()[..end]), "cut at {end}");
    }
    let mut altered = body.clone().into_bytes();
    for at in 0..body.len() {
        for other in *b"\"\\{}[]:,0 \x80" {
            altered[at] = other;
            both.answers(&altered);
        }
        altered[at] = body.as_bytes()[at];
    }
    for behind in ["\0", "x", "{}", ",", "]", "\u{feff}"] {
        assert!(!both.answers(format!("{body}{behind}").as_bytes()));
    }
    assert!(both.quick() > 1_000);
}

#[test]
fn a_name_that_stands_twice_is_refused_alike() {
    let mut both = Both::new();
    let body = full();
    let names = [
        "subject",
        "action",
        "resource",
        "context",
        "options",
        "evaluations",
        "evaluations_semantic",
        "type",
        "id",
        "name",
        "properties",
        "surprise",
        "role",
    ];
    for at in body.match_indices('{').map(|(at, _)| at + 1) {
        let (before, after) = body.split_at(at);
        let comma = if after.trim_start().starts_with('}') { "" } else { "," };
        for name in names {
            for inner in ["{}", "\"a\"", "[{}]", "\"execute_all\""] {
                for written in [name.to_owned(), format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..])] {
                    both.answers(format!("{before}\"{written}\":{inner}{comma}{after}").as_bytes());
                    let twice = format!("{before}\"{name}\":{inner},\"{written}\":{inner}{comma}{after}");
                    assert!(!both.answers(twice.as_bytes()), "{twice}");
                }
            }
        }
    }
    assert!(both.quick() > 100);
}

#[test]
fn limits_are_met_at_the_same_count() {
    let bodies = [full(), plain("{},{}"), plain(&format!("{{}},{{\"context\":{CONTEXT}}}")), plain("{\"context\":{}}")];
    let longest = bodies.iter().map(String::len).max().unwrap_or_default();
    let mut quick = 0;
    let mut held = |limits: &dyn Fn(&mut Limits)| {
        let mut own = Limits::DEFAULT;
        limits(&mut own);
        let mut both = Both::within(own);
        for body in &bodies {
            both.answers(body.as_bytes());
        }
        quick += both.quick();
    };
    for most in 0..90 {
        held(&|limits| limits.request_values_max = most);
        held(&|limits| limits.batch_values_max = most);
        held(&|limits| (limits.request_values_max, limits.request_bytes_max) = (30, most * 4));
    }
    for most in (0..longest + 2).step_by(7) {
        held(&|limits| limits.request_bytes_max = most);
        held(&|limits| limits.batch_bytes_max = most);
    }
    for most in 0..12 {
        held(&|limits| limits.batch_max = most);
        held(&|limits| limits.id_bytes_max = most);
        held(&|limits| limits.request_depth_max = most);
    }
    assert!(quick > 500, "{quick}");
}

#[test]
fn depth_is_counted_alike_wherever_it_is() {
    for most in [0, 1, 2, 3, 5, 8, 124, 125, 126, 127, 128, 200] {
        let mut both = Both::within(Limits { request_depth_max: most, ..Limits::DEFAULT });
        for levels in (0..9).chain(120..130) {
            for deep in ["[".repeat(levels) + &"]".repeat(levels), "{\"a\":".repeat(levels) + "1" + &"}".repeat(levels)]
            {
                if deep.is_empty() {
                    continue;
                }
                for place in
                    ["\"x\":0", "\"list\":[", "\"surprise\":[{", "\"other\":[1", "\"soft\":true", "\"a\":[null]"]
                {
                    let name = place.split_once(':').unwrap().0;
                    both.answers(full().replacen(place, &format!("\"deep\":{deep},{place}"), 1).as_bytes());
                    both.answers(full().replacen(name, &format!("\"deep\":{deep},{name}"), 2).as_bytes());
                }
            }
        }
        let quick = both.quick();
        assert!(most < 8 || quick > 10, "{most}: {quick}");
    }
}

#[test]
fn what_another_policy_reads_is_read_again() {
    let none = || Portion::Named(Named::default());
    let stale = Portions { subject: none(), action: none(), resource: none(), context: none() };
    let mut both = Both::new();
    for body in [full(), plain("{},{}"), plain(&format!("{{\"subject\":{CAROL}}},{{\"action\":{WRITE}}}"))] {
        assert!(both.answers_by(body.as_bytes(), Some(Arc::new(stale.clone()))));
        assert!(both.answers_by(body.as_bytes(), None));
    }
    assert_eq!(both.quick(), 6);
}

/// One of these, or nothing.
fn member(name: &'static str, values: &'static [&'static str]) -> impl Strategy<Value = String> {
    let written = prop::sample::select(values).prop_map(move |value| format!("\"{name}\":{value}"));
    prop_oneof![1 => Just(String::new()), 4 => written]
}

const PARTIES: &[&str] = &[
    USER,
    USER,
    CAROL,
    RECORD,
    RECORD,
    r#"{"type":"record"}"#,
    r#"{"type":"record","id":""}"#,
    r#"{"type":"user","id":5}"#,
    r#"{"type":"user","id":"a","properties":[]}"#,
    "5",
    "null",
    r#"{"id":"a\u0000","type":"user"}"#,
];
const ACTIONS: &[&str] = &[READ, READ, WRITE, WRITE, r#"{"name":"none"}"#, r#"{"name":""}"#, "{}", "\"read\""];
const CONTEXTS: &[&str] = &[
    CONTEXT,
    CONTEXT,
    "{}",
    r#"{"fallgate":{"min_revision":3}}"#,
    r#"{"fallgate":{"min_revision":4}}"#,
    r#"{"fallgate":1}"#,
    r#"{"ip":7}"#,
    "[]",
    "null",
];

fn parts() -> impl Strategy<Value = String> {
    let parts = (
        member("subject", PARTIES),
        member("action", ACTIONS),
        member("resource", PARTIES),
        member("context", CONTEXTS),
    );
    parts.prop_map(|(subject, action, resource, context)| {
        [subject, action, resource, context].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(",")
    })
}

fn items() -> impl Strategy<Value = String> {
    let item = prop_oneof![
        8 => parts().prop_map(|parts| format!("{{{parts}}}")),
        1 => prop::sample::select(vec!["5", "null", "[]", "{\"evaluations\":[]}"]).prop_map(str::to_owned),
    ];
    prop::collection::vec(item, 0..6).prop_map(|items| items.join(","))
}

const OPTIONS: &[&str] = &[
    r#"{"evaluations_semantic":"execute_all"}"#,
    r#"{"evaluations_semantic":"deny_on_first_deny"}"#,
    r#"{"evaluations_semantic":"permit_on_first_permit"}"#,
    "{}",
    r#"{"evaluations_semantic":"all"}"#,
    r#"{"evaluations_semantic":null}"#,
    "[]",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]
    #[test]
    fn whatever_a_batch_is_made_of_it_is_answered_alike(
        bodies in prop::collection::vec((parts(), items(), member("options", OPTIONS), any::<bool>()), 1..4),
    ) {
        let mut both = Both::new();
        for (shared, items, options, last) in bodies {
            let items = format!("\"evaluations\":[{items}]");
            let members = if last { [shared, options, items] } else { [items, shared, options] };
            let members: Vec<String> = members.into_iter().filter(|part| !part.is_empty()).collect();
            both.answers(format!("{{{}}}", members.join(",")).as_bytes());
        }
        both.quick();
    }
}
