//! Calls through the C ABI, in any order: with handles that live, that are NULL, freed, misaligned or of another kind, with numbers
//! that name nothing, and with requests in arrays that are well formed or not.
//!
//! No panic comes through and no memory is touched that is not the caller's; whatever is wrong with a call, the decision is a deny;
//! and where nothing is wrong, it is what the core decides which was told the same.
#![no_main]

use std::ffi::c_char;
use std::ptr;
use std::sync::LazyLock;

use bumpalo::Bump;
use fallgate::condition::Status;
use fallgate::policy::bundle::Bundle;
use fallgate::time::{Monotonic, Now};
use fallgate::{Config, Engine, Observation};
use fallgate_c::*;
use fallgate_fuzz::bound::within;
use fallgate_fuzz::program::Program;
use fallgate_fuzz::{at, bundle};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value as Json, json};

const STEPS: usize = 80;
const ENGINES: usize = 2;
/// Low enough that the fuzzer gets beyond it inside a buffer of its own.
const REQUEST_BYTES_MAX: usize = 1_000;
const STATUSES: [Status; 4] = [Status::Unknown, Status::Failed, Status::Degraded, Status::Ok];
const SIGNALS: [&str; 4] = ["idp", "a", "store", "none\0"];
const ACTIONS: [&str; 6] = ["plain", "guarded", "stale", "small", "open", "é"];
const OPERATIONS: [&str; 5] = [
    r#"{"quarantine":{"what":{"subject":{"type":"user","id":"u"}},"for":"2s"}}"#,
    r#"{"lift_quarantine":{"subject":{"type":"user","id":"u"}}}"#,
    r#"{"revoke":{"type":"user","id":"u"}}"#,
    r#"{"metrics":{}}"#,
    r#"{"quarantine""#,
];

static BUNDLE: LazyLock<Bundle> = LazyLock::new(bundle);

fn chars(text: &[u8]) -> *const c_char {
    text.as_ptr().cast()
}

fn str_of<'b>(text: &str, arena: &'b Bump) -> fallgate_str {
    let text: &'b str = arena.alloc_str(text);
    fallgate_str { data: chars(text.as_bytes()), length: text.len() }
}

/// A value in C's arrays, and in JSON; nothing there where no JSON says the same.
fn value(program: &mut Program<'_>, arena: &Bump, depth: usize) -> (fallgate_value, Option<Json>) {
    let of = |kind: fallgate_value_kind, of: fallgate_value_data, json: Option<Json>| {
        (fallgate_value { kind: kind as u32, of }, json)
    };
    use fallgate_value_kind::*;
    match program.below(if depth < 4 { 12 } else { 8 }) {
        0 => of(FALLGATE_VALUE_NULL, fallgate_value_data { integer: -1 }, Some(Json::Null)),
        1 => {
            let boolean = program.byte() % 3;
            of(FALLGATE_VALUE_BOOL, fallgate_value_data { boolean }, (boolean < 2).then(|| json!(boolean == 1)))
        }
        2 | 3 => {
            let integer = i64::from(program.byte()) - 100;
            of(FALLGATE_VALUE_INT, fallgate_value_data { integer }, Some(json!(integer)))
        }
        4 => {
            let natural = program.number();
            of(FALLGATE_VALUE_UINT, fallgate_value_data { natural }, Some(json!(natural)))
        }
        5 => {
            let number = program.pick(&[0.5, -0.0, 1e300, f64::NAN, f64::INFINITY, 3.0]);
            of(FALLGATE_VALUE_DOUBLE, fallgate_value_data { number }, number.is_finite().then(|| json!(number)))
        }
        6 => {
            let text = program.pick(&["admin", "", "x\0y", "é"]);
            of(FALLGATE_VALUE_TEXT, fallgate_value_data { text: str_of(text, arena) }, Some(json!(text)))
        }
        7 => match program.below(4) {
            0 => (fallgate_value { kind: 8 + u32::from(program.byte()), of: fallgate_value_data { natural: 0 } }, None),
            1 => {
                let text = fallgate_str { data: chars(b"\xff\xfe"), length: 2 };
                of(FALLGATE_VALUE_TEXT, fallgate_value_data { text }, None)
            }
            2 => {
                let list = fallgate_list { items: ptr::null(), count: 1 + program.below(3) };
                of(FALLGATE_VALUE_LIST, fallgate_value_data { list }, None)
            }
            _ => {
                let list = fallgate_list { items: ptr::dangling(), count: usize::MAX };
                of(FALLGATE_VALUE_LIST, fallgate_value_data { list }, None)
            }
        },
        8 | 9 => {
            let values: Vec<_> = (0..program.below(4)).map(|_| value(program, arena, depth + 1)).collect();
            let items = arena.alloc_slice_fill_iter(values.iter().map(|(value, _)| *value));
            let list = fallgate_list { items: items.as_ptr(), count: items.len() };
            of(FALLGATE_VALUE_LIST, fallgate_value_data { list }, values.into_iter().map(|(_, json)| json).collect())
        }
        _ => {
            let (attributes, json) = attributes(program, arena, depth + 1);
            let map = fallgate_map { entries: attributes.entries, count: attributes.count };
            of(FALLGATE_VALUE_MAP, fallgate_value_data { map }, json)
        }
    }
}

fn attributes(program: &mut Program<'_>, arena: &Bump, depth: usize) -> (fallgate_attributes, Option<Json>) {
    let mut json = Some(serde_json::Map::new());
    let mut entries = Vec::new();
    for _ in 0..program.below(4) {
        let name = program.pick(&["level", "roles", "flag", "other"]);
        let (value, as_json) = value(program, arena, depth);
        entries.push(fallgate_attribute { name: str_of(name, arena), value });
        json = json.and_then(|mut members| members.insert(name.to_owned(), as_json?).is_none().then_some(members));
    }
    let entries = arena.alloc_slice_copy(&entries);
    (fallgate_attributes { entries: entries.as_ptr(), count: entries.len() }, json.map(Json::Object))
}

fn party(kind: &str, id: &str, program: &mut Program<'_>, arena: &Bump) -> (fallgate_party, Option<Json>) {
    let (mut properties, mut json) = attributes(program, arena, 0);
    if program.once_in(2) {
        // What the schema wants, so that rules are reached.
        let integer = i64::from(program.byte());
        let level = fallgate_value { kind: 2, of: fallgate_value_data { integer } };
        let list = fallgate_list { items: ptr::null(), count: 0 };
        let roles = fallgate_value { kind: 6, of: fallgate_value_data { list } };
        let named = |name: &str, value| fallgate_attribute { name: str_of(name, arena), value };
        let entries = arena.alloc_slice_copy(&[named("level", level), named("roles", roles)]);
        properties = fallgate_attributes { entries: entries.as_ptr(), count: 2 };
        json = Some(json!({ "level": integer, "roles": [] }));
    }
    let json = json.map(|properties| json!({ "type": kind, "id": id, "properties": properties }));
    (fallgate_party { party_type: str_of(kind, arena), id: str_of(id, arena), properties }, json)
}

/// A host with some engines, and the core beside each.
struct Host {
    engines: [*mut fallgate_engine; ENGINES],
    twins: [Option<Engine>; ENGINES],
    details: *mut fallgate_details,
    ms: u64,
}

impl Host {
    /// A handle as a caller might pass it, and whether it is what it should be.
    fn engine(&self, program: &mut Program<'_>, forged: &[u64; 16]) -> (*const fallgate_engine, Option<&Engine>) {
        let number = program.below(ENGINES);
        let right = self.engines[number].cast_const();
        match program.below(24) {
            0 => (ptr::null(), None),
            1 => (forged.as_ptr().cast(), None),
            2 => (right.wrapping_byte_add(1), None),
            3 => (self.details.cast_const().cast(), None),
            _ => (right, self.twins[number].as_ref()),
        }
    }

    fn now(&self, program: &mut Program<'_>) -> (fallgate_now, Now, bool) {
        let now = if program.once_in(16) {
            Now::new(Monotonic::from_nanos(program.number()), at(self.ms).wall)
        } else {
            at(self.ms)
        };
        (now.into(), now, program.once_in(24))
    }

    /// Takes an answer for what it is worth.
    fn judge(
        &self,
        effect: fallgate_effect,
        answer: &fallgate_decision,
        is_whole: bool,
        expected: Option<fallgate::Decision>,
    ) {
        let allows = effect == fallgate_effect::FALLGATE_EFFECT_ALLOW;
        if is_whole {
            assert_eq!(answer.effect, effect, "{answer:?}");
        }
        assert!(!allows || answer.status == fallgate_status::FALLGATE_STATUS_OK, "{answer:?}");
        match expected {
            None => assert!(!allows, "something was wrong with the call, and it is an allow: {answer:?}"),
            Some(expected) => {
                assert_eq!(allows, expected.is_allow(), "{answer:?}: {expected:?}");
                assert_eq!(answer.reason as u32, expected.reason() as u32, "{answer:?}: {expected:?}");
                assert_eq!(answer.expires_in_ms, expected.expires_in_ms(), "{answer:?}: {expected:?}");
            }
        }
    }

    fn decide(&mut self, program: &mut Program<'_>, forged: &[u64; 16]) {
        let arena = Bump::new();
        let (now, time, is_misaligned) = self.now(program);
        let now_at = if is_misaligned { (&raw const now).wrapping_byte_add(1) } else { &raw const now };
        let (engine, twin) = self.engine(program, forged);
        let twin = twin.filter(|_| !is_misaligned);
        let (details, is_wrong) = match program.below(12) {
            0 => (engine.cast_mut().cast(), !engine.is_null()),
            1 => (forged.as_ptr().cast_mut().cast(), true),
            2 => (ptr::null_mut(), false),
            _ => (self.details, false),
        };
        let twin = twin.filter(|_| !is_wrong);
        // What stands there from the last time must not be taken for an answer.
        let mut answer: fallgate_decision = unsafe { std::mem::zeroed() };
        answer.effect = fallgate_effect::FALLGATE_EFFECT_ALLOW;
        let place = match program.below(24) {
            0 => ptr::null_mut(),
            1 => (&raw mut answer).wrapping_byte_add(1),
            _ => &raw mut answer,
        };
        let is_whole = place == &raw mut answer;
        if program.once_in(2) {
            let (subject, subject_json) = party("user", "u", program, &arena);
            let (resource, resource_json) = party("doc", "d", program, &arena);
            let (context, context_json) = attributes(program, &arena, 0);
            let name = program.pick(&ACTIONS);
            let properties = fallgate_attributes { entries: ptr::null(), count: 0 };
            let action = fallgate_action { name: str_of(name, &arena), properties };
            let request = fallgate_request { subject, action, resource, context };
            let is_null = program.once_in(24);
            let request_at = if is_null { ptr::null() } else { &raw const request };
            let effect = unsafe { fallgate_engine_decide(engine, request_at, now_at, place, details) };
            let json = subject_json.zip(resource_json).zip(context_json);
            let Some(twin) = twin.filter(|_| is_whole && !is_null) else {
                return self.judge(effect, &answer, is_whole, None);
            };
            if let Some(((subject, resource), context)) = json {
                let request =
                    json!({ "subject": subject, "action": { "name": name }, "resource": resource, "context": context });
                let expected = twin.decide_json(request.to_string().as_bytes(), time);
                // Arrays and text count bytes in different ways: what is too long as the one may fit as the other.
                let limits = [expected.reason() as u32, answer.reason as u32];
                if !limits.contains(&(fallgate::Reason::LimitExceeded as u32)) {
                    self.judge(effect, &answer, true, Some(expected));
                }
            } else {
                assert_eq!(effect, fallgate_effect::FALLGATE_EFFECT_DENY, "{answer:?}");
                // Whether it came to the engine, and with it the time, is not said.
                let advanced = unsafe { fallgate_engine_advance(engine, now_at) };
                assert_eq!(advanced, fallgate_status::FALLGATE_STATUS_OK);
                twin.advance(time);
            }
            return;
        }
        let name = program.pick(&ACTIONS);
        let level = program.byte();
        let mut text = format!(
            r#"{{"subject":{{"type":"user","id":"u","properties":{{"level":{level},"roles":["admin"]}}}},"action":{{"name":"{name}"}},"resource":{{"type":"doc","id":"d","properties":{{"level":50}}}}}}"#
        );
        if program.once_in(6) {
            text.extend(std::iter::repeat_n(' ', REQUEST_BYTES_MAX));
        }
        let length = if program.once_in(8) { program.below(text.len()) } else { text.len() };
        let data = if program.once_in(24) { ptr::null() } else { chars(text.as_bytes()) };
        let effect = unsafe { fallgate_engine_decide_json(engine, data, length, now_at, place, details) };
        let twin = twin.filter(|_| is_whole && (!data.is_null() || length == 0));
        self.judge(effect, &answer, is_whole, twin.map(|twin| twin.decide_json(&text.as_bytes()[..length], time)));
    }

    fn fetch(&self, program: &mut Program<'_>, forged: &[u64; 16]) {
        let details = match program.below(8) {
            0 => ptr::null(),
            1 => forged.as_ptr().cast(),
            _ => self.details.cast_const(),
        };
        let mut buffer = vec![0x7f_u8; program.below(600)];
        let (room, capacity) =
            if program.once_in(8) { (ptr::null_mut(), 9) } else { (buffer.as_mut_ptr().cast(), buffer.len()) };
        let length = unsafe {
            match program.below(5) {
                0 => fallgate_details_json(details, room, capacity),
                1 => fallgate_details_obligations(details, room, capacity),
                2 => fallgate_details_degraded(details, program.below(4), room, capacity),
                3 => fallgate_details_message(details, usize::MAX, room, capacity),
                _ => fallgate_details_detail(details, room, capacity),
            }
        };
        if !room.is_null() && capacity > 0 {
            let end = buffer.iter().position(|byte| *byte == 0).expect("a text ends with a NUL");
            assert!(end == length || end == 0, "{end} bytes of {length}");
            assert!(str::from_utf8(&buffer[..end]).is_ok(), "a text is UTF-8");
        }
    }

    fn tell(&mut self, program: &mut Program<'_>, forged: &[u64; 16]) {
        let (now, time, is_misaligned) = self.now(program);
        let now_at = if is_misaligned { (&raw const now).wrapping_byte_add(1) } else { &raw const now };
        let (engine, twin) = self.engine(program, forged);
        let twin = twin.filter(|_| !is_misaligned);
        match program.below(6) {
            0..=2 => {
                let (signal, status) = (program.pick(&SIGNALS), program.below(6));
                let length = if program.once_in(16) { usize::MAX } else { signal.len() };
                let told = unsafe {
                    fallgate_engine_observe(
                        engine,
                        chars(signal.as_bytes()),
                        length,
                        status as u32,
                        ptr::null(),
                        now_at,
                    )
                };
                let known = STATUSES.get(status).filter(|_| length == signal.len());
                let taken =
                    twin.zip(known).map(|(twin, status)| twin.observe(&Observation::new(signal, *status), time));
                let is_ok = told == fallgate_status::FALLGATE_STATUS_OK;
                assert_eq!(is_ok, taken.is_some_and(|taken| taken.code() == "taken"), "{told:?}, {taken:?}");
            }
            3 => {
                let told = unsafe { fallgate_engine_advance(engine, now_at) };
                assert_eq!(told == fallgate_status::FALLGATE_STATUS_OK, twin.is_some());
                twin.inspect(|twin| twin.advance(time));
            }
            4 => {
                let told = unsafe { fallgate_engine_anchor_clocks(engine, now_at) };
                assert_eq!(told == fallgate_status::FALLGATE_STATUS_OK, twin.is_some());
                twin.inspect(|twin| twin.anchor_clocks(time));
            }
            _ => {
                let operation = program.pick(&OPERATIONS);
                let (mut outcome, mut error) = (ptr::null_mut(), ptr::null_mut());
                let error_at = if program.once_in(2) { ptr::null_mut() } else { &raw mut error };
                let told = unsafe {
                    fallgate_engine_operate(
                        engine,
                        chars(operation.as_bytes()),
                        operation.len(),
                        now_at,
                        &raw mut outcome,
                        error_at,
                    )
                };
                let done = twin.map(|twin| twin.operate_json(operation.as_bytes(), time));
                let is_ok = told == fallgate_status::FALLGATE_STATUS_OK;
                assert_eq!(is_ok, done.is_some_and(|done| done.is_ok()), "{told:?}: {operation}");
                assert_eq!(is_ok, !outcome.is_null(), "an outcome where there is none");
                assert!(is_ok || error_at.is_null() || !error.is_null(), "no error where there is one");
                unsafe {
                    assert_eq!(fallgate_text_length(outcome) > 0, is_ok);
                    let message = std::ffi::CStr::from_ptr(fallgate_error_message(error));
                    assert!(message.to_str().is_ok_and(|message| !message.contains('\n')), "{message:?}");
                    assert_eq!(fallgate_text_free(&raw mut outcome), fallgate_status::FALLGATE_STATUS_OK);
                    assert_eq!(fallgate_error_free(&raw mut error), fallgate_status::FALLGATE_STATUS_OK);
                    // The variable was set to NULL, which may be freed.
                    assert_eq!(fallgate_error_free(&raw mut error), fallgate_status::FALLGATE_STATUS_OK);
                }
            }
        }
    }

    fn make(&mut self, program: &mut Program<'_>) {
        let number = program.below(ENGINES);
        assert_eq!(unsafe { fallgate_engine_free(&raw mut self.engines[number]) }, fallgate_status::FALLGATE_STATUS_OK);
        self.twins[number] = None;
        let mut config: fallgate_config = unsafe { std::mem::zeroed() };
        assert_eq!(
            unsafe { fallgate_config_defaults(&raw mut config, size_of::<fallgate_config>()) },
            fallgate_status::FALLGATE_STATUS_OK
        );
        config.limits.request_bytes_max = REQUEST_BYTES_MAX as u64;
        let version = if program.once_in(8) { u32::from(program.byte()) } else { FALLGATE_ABI_VERSION };
        if program.once_in(8) {
            config.size = program.below(9_000);
        }
        let is_right = version == FALLGATE_ABI_VERSION && config.size == size_of::<fallgate_config>();
        let made =
            unsafe { fallgate_engine_new(version, &raw const config, &raw mut self.engines[number], ptr::null_mut()) };
        assert_eq!(made == fallgate_status::FALLGATE_STATUS_OK, is_right, "{made:?}");
        assert_eq!(!self.engines[number].is_null(), is_right);
        if is_right {
            let mut config = Config::default();
            config.limits.request_bytes_max = REQUEST_BYTES_MAX;
            self.twins[number] = Some(Engine::new(config));
        }
    }

    fn activate(&mut self, program: &mut Program<'_>, forged: &[u64; 16]) {
        let (now, time, _) = self.now(program);
        let (engine, twin) = self.engine(program, forged);
        let bundle = &*BUNDLE;
        let length = if program.once_in(8) { program.below(bundle.bytes().len()) } else { bundle.bytes().len() };
        let trust =
            if program.once_in(8) { u32::from(program.byte()) } else { FALLGATE_TRUST_UNSIGNED_FOR_DEVELOPMENT };
        let data = chars(bundle.bytes());
        let mut error = ptr::null_mut();
        let done =
            unsafe { fallgate_engine_activate_bundle(engine, data, length, trust, &raw const now, &raw mut error) };
        let is_right = trust == FALLGATE_TRUST_UNSIGNED_FOR_DEVELOPMENT && length == bundle.bytes().len();
        let taken = twin.filter(|_| is_right).is_some_and(|twin| twin.activate(bundle.clone(), time).is_ok());
        assert_eq!(done == fallgate_status::FALLGATE_STATUS_OK, taken, "{done:?}");
        assert_eq!(error.is_null(), taken);
        assert_eq!(unsafe { fallgate_error_free(&raw mut error) }, fallgate_status::FALLGATE_STATUS_OK);
        if let Some(twin) = twin.filter(|_| !taken) {
            assert_eq!(twin.bundle().is_some(), unsafe { has_bundle(engine) });
        }
    }
}

/// Whether an engine has a bundle.
unsafe fn has_bundle(engine: *const fallgate_engine) -> bool {
    let mut found: fallgate_bundle = unsafe { std::mem::zeroed() };
    unsafe { fallgate_engine_bundle(engine, &raw mut found) == fallgate_status::FALLGATE_STATUS_OK }
}

fn live(bytes: &[u8]) {
    let mut program = Program::of(bytes);
    // No mark of a handle has this bit: what has the mark of one is one, as far as anybody can tell.
    let forged = [program.number() | 1 << 63; 16];
    let mut details = ptr::null_mut();
    assert_eq!(unsafe { fallgate_details_new(&raw mut details, ptr::null_mut()) }, fallgate_status::FALLGATE_STATUS_OK);
    let mut host = Host { engines: [ptr::null_mut(); ENGINES], twins: [None, None], details, ms: 0 };
    // All that follows shall have something to be asked of.
    let mut begin = Program::of(&[]);
    host.make(&mut begin);
    for _ in 0..STEPS {
        if program.is_over() {
            break;
        }
        match program.below(16) {
            0 => host.make(&mut program),
            1 | 2 => host.activate(&mut program, &forged),
            3 => host.ms += u64::from(program.byte()) * 41,
            4..=7 => host.tell(&mut program, &forged),
            8 | 9 => host.fetch(&mut program, &forged),
            _ => host.decide(&mut program, &forged),
        }
    }
    unsafe {
        for engine in &mut host.engines {
            assert_eq!(fallgate_engine_free(engine), fallgate_status::FALLGATE_STATUS_OK);
        }
        assert_eq!(fallgate_details_free(&raw mut host.details), fallgate_status::FALLGATE_STATUS_OK);
    }
}

fuzz_target!(|bytes: &[u8]| within(100, || live(bytes)));
