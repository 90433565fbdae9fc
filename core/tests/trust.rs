//! Signed bundles and trust roots: what is taken, what is refused and with which code, and that nothing else moves.

// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use data_encoding::BASE64;
use ed25519_dalek::{Signer as _, SigningKey};
use fallgate::error::Code;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, BundleId, Provenance, Trust};
use fallgate::policy::trust::envelope::{self, Envelope, encoding};
use fallgate::policy::trust::key::PublicKey;
use fallgate::policy::trust::root::{KeyStanding, TrustRoot};
use fallgate::request::Party;
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate::{Config, Engine, Reason, Request};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000;

fn wall(days: i64) -> Wall {
    Wall::from_millis(START + days * 86_400_000)
}

fn now() -> Now {
    Now::new(Monotonic::ZERO, wall(0))
}

/// The keys of these tests: fixed, so that a failure is the same twice.
fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn public(number: u8) -> PublicKey {
    PublicKey::from_bytes(&key(number).verifying_key().to_bytes()).unwrap()
}

fn id(number: u8) -> String {
    public(number).id().to_string()
}

fn entry(number: u8) -> Value {
    json!({ "id": id(number), "key": public(number).to_string() })
}

fn canonical(document: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(document).unwrap()
}

fn root_form(version: u64, threshold: u64, keys: &[Value]) -> Value {
    json!({ "fallgate_trust": 1, "version": version, "threshold": threshold, "keys": keys })
}

fn read_root(form: &Value) -> Result<TrustRoot, fallgate::error::Diagnostic> {
    TrustRoot::from_json(&canonical(form), &Limits::DEFAULT)
}

fn root(threshold: u64, numbers: &[u8]) -> TrustRoot {
    let keys: Vec<Value> = numbers.iter().map(|number| entry(*number)).collect();
    read_root(&root_form(1, threshold, &keys)).unwrap()
}

fn document(revision: u64) -> Value {
    json!({
        "fallgate": 1, "name": "shop", "revision": revision,
        "actions": { "read": {} },
        "rules": [{ "id": "anybody-reads", "effect": "allow", "action": "read" }],
    })
}

fn sign(envelope: &mut Envelope, numbers: &[u8]) {
    for number in numbers {
        let signature = key(*number).sign(&envelope.encoding()).to_bytes();
        envelope.add(public(*number).id(), signature).unwrap();
    }
}

fn signed_as(payload_type: &str, payload: &Value, numbers: &[u8]) -> Vec<u8> {
    let mut envelope = Envelope::new(payload_type, canonical(payload));
    sign(&mut envelope, numbers);
    envelope.to_json()
}

fn signed(revision: u64, numbers: &[u8]) -> Vec<u8> {
    signed_as(envelope::BUNDLE, &document(revision), numbers)
}

fn load_at(bytes: &[u8], root: &TrustRoot, at: Wall) -> Result<Bundle, Code> {
    Bundle::from_signed(bytes, &Trust::keys(root.clone()), &Limits::DEFAULT, at)
        .map_err(|error| error.diagnostics()[0].code)
}

fn load(bytes: &[u8], root: &TrustRoot) -> Result<Bundle, Code> {
    load_at(bytes, root, wall(0))
}

fn engine(root: &TrustRoot) -> Engine {
    let mut config = Config::default();
    config.trust = Trust::keys(root.clone());
    Engine::new(config)
}

fn codes(engine: &Engine) -> Vec<&'static str> {
    std::iter::from_fn(|| engine.poll_event()).map(|event| event.kind.code()).collect()
}

fn decides(engine: &Engine, now: Now) -> Reason {
    engine.decide(&Request::new(Party::new("user", "ann"), "read", Party::new("page", "1")), now).reason()
}

/// Edits the JSON of an envelope.
fn edited(bytes: &[u8], edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut document: Value = serde_json::from_slice(bytes).unwrap();
    edit(&mut document);
    canonical(&document)
}

#[test]
fn a_bundle_that_enough_keys_have_signed_is_taken() {
    let bytes = signed(1, &[1]);
    let bundle = load(&bytes, &root(1, &[1, 2])).unwrap();
    assert_eq!((bundle.name(), bundle.revision()), ("shop", 1));
    assert_eq!(bundle.bytes(), canonical(&document(1)));
    let signers = [public(1).id()].into();
    assert_eq!(*bundle.provenance(), Provenance::Signed { signers, threshold: 1 });

    let two = signed(1, &[2, 1]);
    let bundle = load(&two, &root(2, &[1, 2, 3])).unwrap();
    let mut signers = [public(1).id(), public(2).id()];
    signers.sort();
    assert_eq!(*bundle.provenance(), Provenance::Signed { signers: signers.into(), threshold: 2 });
    // Keys that this host does not know neither count nor spoil.
    assert!(load(&signed(1, &[9, 1]), &root(1, &[1])).is_ok());
}

#[test]
fn each_refusal_has_its_code() {
    let one = root(1, &[1, 2]);
    let two = root(2, &[1, 2, 3]);
    let good = signed(1, &[1]);
    let windows = json!([
        { "id": id(1), "key": public(1).to_string(), "valid": { "until": "2026-01-01T00:00:00Z" } },
        { "id": id(2), "key": public(2).to_string(), "valid": { "from": "2026-01-01T00:00:00.000000001Z" } },
    ]);
    let windows = read_root(&root_form(1, 1, windows.as_array().unwrap())).unwrap();
    let mut form = root_form(2, 1, &[entry(1), entry(2)]);
    form["revoked"] = json!({ "keys": [id(1)] });
    let revoked = read_root(&form).unwrap();
    form["revoked"] = json!({ "bundles": [BundleId::of(&canonical(&document(1))).to_string()] });
    let revoked_bundle = read_root(&form).unwrap();
    let mut spaced = canonical(&document(1));
    spaced.insert(1, b' ');
    let mut spaced = Envelope::new(envelope::BUNDLE, spaced);
    sign(&mut spaced, &[1]);
    let mut behind = canonical(&document(1));
    behind.extend_from_slice(b"{}");
    let mut behind = Envelope::new(envelope::BUNDLE, behind);
    sign(&mut behind, &[1]);

    let cases: Vec<(&str, Vec<u8>, &TrustRoot, Code)> = vec![
        ("no envelope", canonical(&document(1)), &one, Code::Unsigned),
        ("an empty document", b"{}".to_vec(), &one, Code::Unsigned),
        ("signatures taken away", edited(&good, |all| all["signatures"] = json!([])), &one, Code::Stripped),
        (
            "the field taken away",
            edited(&good, |all| drop(all.as_object_mut().unwrap().remove("signatures"))),
            &one,
            Code::Stripped,
        ),
        ("one of two", good.clone(), &two, Code::UnderSigned),
        (
            "one key twice",
            edited(&good, |all| {
                let signature = all["signatures"][0].clone();
                all["signatures"].as_array_mut().unwrap().push(signature);
            }),
            &two,
            Code::SignedTwice,
        ),
        (
            "one key twice where one is enough",
            edited(&good, |all| {
                let signature = all["signatures"][0].clone();
                all["signatures"].as_array_mut().unwrap().push(signature);
            }),
            &one,
            Code::SignedTwice,
        ),
        (
            "another payload",
            edited(&good, |all| all["payload"] = BASE64.encode(&canonical(&document(2))).into()),
            &one,
            Code::Altered,
        ),
        (
            "the signature of another",
            edited(&good, |all| all["signatures"][0]["keyid"] = id(2).into()),
            &one,
            Code::Altered,
        ),
        ("a signature cut", edited(&good, |all| all["signatures"][0]["sig"] = "e30=".into()), &one, Code::Altered),
        ("no signature", edited(&good, |all| all["signatures"][0]["sig"] = "".into()), &one, Code::Altered),
        (
            "one good and one bad signature",
            edited(&signed(1, &[1, 2]), |all| {
                all["signatures"][1]["sig"] = all["signatures"][0]["sig"].clone();
            }),
            &one,
            Code::Altered,
        ),
        ("another kind, signed", signed_as(envelope::TRUST, &document(1), &[1]), &one, Code::WrongPayloadType),
        (
            "another kind, claimed",
            edited(&good, |all| all["payloadType"] = "application/json".into()),
            &one,
            Code::WrongPayloadType,
        ),
        ("a key of nobody", signed(1, &[9]), &one, Code::UnknownKey),
        ("a key of nobody beside a good one", signed(1, &[9, 1]), &two, Code::UnknownKey),
        ("an empty id", edited(&good, |all| all["signatures"][0]["keyid"] = "".into()), &one, Code::UnknownKey),
        (
            "an id in capitals",
            edited(&good, |all| {
                let id = all["signatures"][0]["keyid"].as_str().unwrap().to_uppercase();
                all["signatures"][0]["keyid"] = id.into();
            }),
            &one,
            Code::UnknownKey,
        ),
        ("a revoked key", good.clone(), &revoked, Code::RevokedKey),
        ("a key at its end", good.clone(), &windows, Code::KeyExpired),
        ("a key before its beginning", signed(1, &[2]), &windows, Code::KeyNotYetValid),
        ("a revoked bundle", good.clone(), &revoked_bundle, Code::BundleRevoked),
        ("a field too many", edited(&good, |all| all["extra"] = json!(1)), &one, Code::UnknownField),
        (
            "an algorithm in the envelope",
            edited(&good, |all| all["signatures"][0]["alg"] = "none".into()),
            &one,
            Code::UnknownField,
        ),
        ("something behind", [good.as_slice(), b"x"].concat(), &one, Code::TrailingData),
        ("two envelopes", [good.as_slice(), good.as_slice()].concat(), &one, Code::TrailingData),
        ("something behind the bundle", behind.to_json(), &one, Code::TrailingData),
        ("not canonical", spaced.to_json(), &one, Code::NotCanonical),
        ("nothing", Vec::new(), &one, Code::Syntax),
        ("one byte", b"{".to_vec(), &one, Code::Syntax),
        ("only a signature", br#"{"signatures":[]}"#.to_vec(), &one, Code::MissingField),
    ];
    let engine = engine(&one);
    engine.activate_signed(&good, now()).unwrap();
    codes(&engine);
    for (what, bytes, root, code) in cases {
        assert_eq!(load(&bytes, root).unwrap_err(), code, "{what}");
    }
    // The other half of the windows: a nanosecond later or a day earlier.
    assert!(load_at(&good, &windows, wall(-1)).is_ok());
    assert!(load_at(&signed(1, &[2]), &windows, wall(1)).is_ok());
    // A key that is revoked or unknown takes nothing from those that are enough.
    assert!(load(&signed(1, &[1, 2]), &revoked).is_ok());
}

#[test]
fn a_message_names_what_there_is_and_what_is_needed() {
    let trust = Trust::keys(root(2, &[1, 2]));
    let error = Bundle::from_signed(&signed(1, &[1]), &trust, &Limits::DEFAULT, wall(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "under_signed: 1 of 2 signatures that count (at /signatures); \
         let keys of the trust root sign it, as many as it asks for"
    );
}

#[test]
fn no_changed_byte_and_no_cut_is_ever_accepted() {
    let root = root(1, &[1]);
    let good = signed(1, &[1]);
    assert!(load(&good, &root).is_ok());
    for at in 0..good.len() {
        for byte in 0..=u8::MAX {
            if byte != good[at] {
                let mut other = good.clone();
                other[at] = byte;
                assert!(load(&other, &root).is_err(), "byte {at} as {byte}");
            }
        }
        assert!(load(&good[..at], &root).is_err(), "cut at {at}");
        let mut without = good.clone();
        without.remove(at);
        assert!(load(&without, &root).is_err(), "without byte {at}");
    }
}

#[test]
fn where_keys_are_trusted_no_way_leads_around_them() {
    let trust = Trust::keys(root(1, &[1]));
    let unsigned = |error: fallgate::error::BundleError| error.diagnostics()[0].code;
    assert_eq!(unsigned(Bundle::from_json(&canonical(&document(1)), &trust).unwrap_err()), Code::Unsigned);
    assert_eq!(unsigned(Bundle::from_document(&document(1), &trust, &Limits::DEFAULT).unwrap_err()), Code::Unsigned);
    // Not even with a bundle that was loaded by another trust.
    let engine = engine(&root(1, &[1]));
    let bundle = Bundle::from_document(&document(1), &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    assert_eq!(engine.activate(bundle, now()).unwrap_err().code(), "unsigned");
    let development = Trust::unsigned_for_development();
    let opened = Bundle::from_signed(&signed(1, &[1]), &development, &Limits::DEFAULT, wall(0)).unwrap();
    assert_eq!(engine.activate(opened, now()).unwrap_err().code(), "unsigned");
    let of_others = load(&signed(1, &[5]), &root(1, &[5])).unwrap();
    assert_eq!(engine.activate(of_others, now()).unwrap_err().code(), "unknown_key");
    assert_eq!(decides(&engine, now()), Reason::NoPolicy);
    assert_eq!(codes(&engine), ["bundle_refused"; 3]);
}

#[test]
fn development_takes_anybody_and_says_so() {
    let development = Trust::unsigned_for_development();
    let bare = Bundle::from_signed(&canonical(&document(1)), &development, &Limits::DEFAULT, wall(0)).unwrap();
    assert_eq!(*bare.provenance(), Provenance::Unsigned);
    let opened = Bundle::from_signed(&signed(1, &[1]), &development, &Limits::DEFAULT, wall(0)).unwrap();
    assert_eq!((opened.id(), opened.provenance()), (bare.id(), &Provenance::Unsigned));
    let other = signed_as(envelope::TRUST, &document(1), &[1]);
    let error = Bundle::from_signed(&other, &development, &Limits::DEFAULT, wall(0)).unwrap_err();
    assert_eq!(error.diagnostics()[0].code, Code::WrongPayloadType);

    let engine = Engine::new(Config::default());
    engine.activate(bare, now()).unwrap();
    assert_eq!(codes(&engine), ["bundle_activated", "bundle_unsigned"]);
    assert_eq!(engine.rotate_trust(b"{}", now()).unwrap_err().diagnostics()[0].code, Code::Untrusted);
    assert_eq!(codes(&engine), ["trust_refused"]);
}

#[test]
fn a_refused_bundle_leaves_everything_as_it_was() {
    let engine = engine(&root(1, &[1, 2]));
    engine.activate_signed(&signed(5, &[1]), now()).unwrap();
    assert_eq!(codes(&engine), ["bundle_activated"]);
    let before = engine.bundle().unwrap().id();
    let mut other_rules = document(5);
    other_rules["rules"][0]["id"] = "everybody-reads".into();
    let mut other_name = document(6);
    other_name["name"] = "bank".into();
    let mut invalid = document(6);
    invalid["actions"] = json!(1);
    for (what, bytes, code) in [
        ("stripped", edited(&signed(6, &[1]), |all| all["signatures"] = json!([])), "stripped"),
        ("bare", canonical(&document(6)), "unsigned"),
        ("older", signed(4, &[1, 2]), "older_revision"),
        ("another of this revision", signed_as(envelope::BUNDLE, &other_rules, &[1]), "same_revision"),
        ("another name", signed_as(envelope::BUNDLE, &other_name, &[1]), "other_name"),
        ("signed, and no bundle", signed_as(envelope::BUNDLE, &invalid, &[1]), "invalid_value"),
    ] {
        assert_eq!(engine.activate_signed(&bytes, now()).unwrap_err().code(), code, "{what}");
        assert_eq!(codes(&engine), ["bundle_refused"], "{what}");
        assert_eq!(engine.bundle().unwrap().id(), before, "{what}");
        assert_eq!(decides(&engine, now()), Reason::AllowedByRule, "{what}");
    }
    // The same bundle again is no other, whoever has signed it.
    engine.activate_signed(&signed(5, &[2]), now()).unwrap();
    engine.activate_signed(&signed(6, &[1]), now()).unwrap();
}

fn rotation(form: &Value, numbers: &[u8]) -> Vec<u8> {
    signed_as(envelope::TRUST, form, numbers)
}

#[test]
fn a_trust_root_is_followed_by_one_that_it_has_signed() {
    let first = root(2, &[1, 2, 3]);
    let second = root_form(2, 1, &[entry(4)]);
    let rotate = |form: &Value, numbers: &[u8]| {
        first.rotate(&rotation(form, numbers), &Limits::DEFAULT, wall(0)).map_err(|error| error.code)
    };
    let next = rotate(&second, &[1, 3]).unwrap();
    assert_eq!((next.version(), next.threshold(), next.keys().len()), (2, 1, 1));
    assert!(load(&signed(1, &[4]), &next).is_ok());
    assert_eq!(load(&signed(1, &[1, 2]), &next).unwrap_err(), Code::UnknownKey);
    // The old keys decide, and enough of them; the new ones have no say in it.
    assert_eq!(rotate(&second, &[1]).unwrap_err(), Code::UnderSigned);
    assert_eq!(rotate(&second, &[4]).unwrap_err(), Code::UnknownKey);
    assert_eq!(rotate(&root_form(1, 1, &[entry(4)]), &[1, 2]).unwrap_err(), Code::OlderTrust);
    assert_eq!(rotate(&root_form(2, 2, &[entry(4)]), &[1, 2]).unwrap_err(), Code::InvalidValue);
    // What is revoked stays so.
    let mut revoking = root_form(2, 1, &[entry(2), entry(3)]);
    revoking["revoked"] = json!({ "keys": [id(1)], "bundles": [id(9)] });
    let revoking_root = read_root(&revoking).unwrap();
    revoking["version"] = json!(3);
    let mut more = revoking.clone();
    more["revoked"]["keys"] = json!([id(1), id(8)]);
    for form in [&revoking, &more] {
        assert!(revoking_root.rotate(&rotation(form, &[2]), &Limits::DEFAULT, wall(0)).is_ok());
    }
    for lost in
        [json!({ "keys": [id(1)] }), json!({ "bundles": [id(9)] }), json!({ "keys": [id(8)], "bundles": [id(9)] })]
    {
        revoking["revoked"] = lost;
        let error = revoking_root.rotate(&rotation(&revoking, &[2]), &Limits::DEFAULT, wall(0)).unwrap_err();
        assert_eq!(error.code, Code::RevocationLost);
    }
    // A bundle is no root, and a root no bundle.
    let as_bundle = signed_as(envelope::BUNDLE, &second, &[1, 2]);
    let refused = first.rotate(&as_bundle, &Limits::DEFAULT, wall(0)).unwrap_err();
    assert_eq!(refused.code, Code::WrongPayloadType);
    // An unsigned root is an anchor, never a rotation.
    assert!(first.rotate(&canonical(&second), &Limits::DEFAULT, wall(0)).is_err());
}

#[test]
fn a_root_that_is_not_exactly_one_is_refused() {
    let one = || root_form(1, 1, &[entry(1)]);
    let with = |edit: &dyn Fn(&mut Value)| {
        let mut form = one();
        edit(&mut form);
        form
    };
    let weak = format!("ed25519:{}", BASE64.encode(&[0; 32]));
    let cases: Vec<(Value, Code)> = vec![
        (with(&|form| form["fallgate_trust"] = json!(2)), Code::Unsupported),
        (with(&|form| form["version"] = json!(0)), Code::InvalidValue),
        (with(&|form| form["version"] = json!(-1)), Code::InvalidValue),
        (with(&|form| form["version"] = json!(1.5)), Code::InvalidValue),
        (with(&|form| form["version"] = json!(u64::MAX)), Code::InvalidValue),
        (with(&|form| form["version"] = json!(9_007_199_254_740_992_u64)), Code::InvalidValue),
        (with(&|form| form["threshold"] = json!(0)), Code::InvalidValue),
        (with(&|form| form["threshold"] = json!(2)), Code::InvalidValue),
        (with(&|form| form["keys"] = json!([])), Code::InvalidValue),
        (with(&|form| form["keys"] = json!([entry(1), entry(1)])), Code::DuplicateName),
        (with(&|form| form["keys"][0]["id"] = id(2).into()), Code::WrongKeyId),
        (with(&|form| form["keys"][0]["id"] = "mine".into()), Code::WrongKeyId),
        (with(&|form| form["keys"][0]["key"] = "rsa:AAAA".into()), Code::UnknownAlgorithm),
        (with(&|form| form["keys"][0]["key"] = "AAAA".into()), Code::UnknownAlgorithm),
        (with(&|form| form["keys"][0]["key"] = weak.clone().into()), Code::WeakKey),
        (with(&|form| form["keys"][0]["key"] = "ed25519:AAAA".into()), Code::InvalidValue),
        (with(&|form| form["keys"][0]["valid"] = json!({ "form": "2026-01-01T00:00:00Z" })), Code::UnknownField),
        (with(&|form| form["keys"][0]["valid"] = json!({ "from": "tomorrow" })), Code::InvalidValue),
        (
            with(&|form| {
                form["keys"][0]["valid"] = json!({ "from": "2026-01-02T00:00:00Z", "until": "2026-01-02T00:00:00Z" });
            }),
            Code::InvalidWindow,
        ),
        (with(&|form| form["keys"][0] = json!([id(1), public(1).to_string()])), Code::InvalidValue),
        (with(&|form| form["revoked"] = json!({ "keys": [id(1)] })), Code::InvalidValue),
        (with(&|form| form["revoked"] = json!({ "keys": [id(2), id(2)] })), Code::DuplicateName),
        (with(&|form| form["revoked"] = json!({ "keys": ["0A"] })), Code::InvalidValue),
        (with(&|form| form["revoked"] = json!({ "bundles": ["x"] })), Code::InvalidValue),
        (with(&|form| form["revoked"] = json!({ "people": [] })), Code::UnknownField),
        (with(&|form| form["expires"] = json!("never")), Code::UnknownField),
        (with(&|form| drop(form.as_object_mut().unwrap().remove("threshold"))), Code::MissingField),
        (json!([]), Code::InvalidValue),
        (json!({}), Code::MissingField),
    ];
    assert!(read_root(&one()).is_ok());
    // The highest that canonical JSON (RFC 8785) writes exactly: 2^53 - 1.
    assert!(read_root(&with(&|form| form["version"] = json!(9_007_199_254_740_991_u64))).is_ok());
    for (form, code) in cases {
        let error = read_root(&form).unwrap_err();
        assert_eq!(error.code, code, "{form}: {error}");
    }
    // The bytes are the canonical ones, each key once, with nothing behind.
    let bytes = canonical(&one());
    let text = String::from_utf8(bytes.clone()).unwrap();
    for (other, code) in [
        (text.replacen(':', ": ", 1), Code::NotCanonical),
        (text.replacen("{\"fall", "{\"threshold\":1,\"fall", 1), Code::DuplicateKey),
        (text.clone() + "\n", Code::NotCanonical),
        (text.clone() + "{}", Code::TrailingData),
        (text.replacen("\"version\":1", "\"version\":1.0", 1), Code::InvalidValue),
    ] {
        assert_eq!(TrustRoot::from_json(other.as_bytes(), &Limits::DEFAULT).unwrap_err().code, code, "{other}");
    }
    for at in 0..bytes.len() {
        assert!(TrustRoot::from_json(&bytes[..at], &Limits::DEFAULT).is_err(), "cut at {at}");
    }
}

#[test]
fn the_tables_of_a_root_are_bounded() {
    let mut limits = Limits::default();
    (limits.trust_keys_max, limits.revocations_max, limits.trust_bytes_max) = (1, 2, 10_000);
    let read = |form: &Value| TrustRoot::from_json(&canonical(form), &limits).map_err(|error| error.code);
    assert!(read(&root_form(1, 1, &[entry(1)])).is_ok());
    assert_eq!(read(&root_form(1, 1, &[entry(1), entry(2)])).unwrap_err(), Code::LimitExceeded);
    let mut form = root_form(1, 1, &[entry(1)]);
    form["revoked"] = json!({ "keys": [id(2), id(3)], "bundles": [] });
    let canonical_form = json!({ "keys": [id(2), id(3)] });
    form["revoked"] = canonical_form;
    assert!(read(&form).is_ok());
    form["revoked"] = json!({ "keys": [id(2), id(3)], "bundles": [id(4)] });
    assert_eq!(read(&form).unwrap_err(), Code::LimitExceeded);
    limits.trust_bytes_max = 100;
    let error = TrustRoot::from_json(&canonical(&root_form(1, 1, &[entry(1)])), &limits).unwrap_err();
    assert_eq!(error.code, Code::LimitExceeded);
}

#[test]
fn a_revoked_bundle_denies_at_once_and_is_never_active_again() {
    let engine = engine(&root(1, &[1, 2]));
    let bytes = signed(1, &[1]);
    engine.activate_signed(&bytes, now()).unwrap();
    assert_eq!(decides(&engine, now()), Reason::AllowedByRule);
    let mut form = root_form(2, 1, &[entry(1), entry(2)]);
    form["revoked"] = json!({ "bundles": [engine.bundle().unwrap().id().to_string()] });
    assert_eq!(engine.rotate_trust(&rotation(&form, &[1]), now()), Ok(2));
    let told = std::iter::from_fn(|| engine.poll_event()).map(|event| (event.kind.code(), event.severity.code()));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            ("bundle_activated", "info"),
            ("trust_rotated", "info"),
            ("bundle_revoked", "page"),
            ("policy_suspended", "info")
        ],
        "one cause, one page"
    );
    assert_eq!(decides(&engine, now()), Reason::NoPolicy);
    assert_eq!(engine.activate_signed(&bytes, now()).unwrap_err().code(), "bundle_revoked");
    // Nor by whoever kept it loaded; nor an older one.
    let kept = load(&bytes, &root(1, &[1])).unwrap();
    assert_eq!(engine.activate(kept, now()).unwrap_err().code(), "bundle_revoked");
    assert_eq!(engine.activate_signed(&signed(0, &[1]), now()).unwrap_err().code(), "older_revision");
    assert_eq!(decides(&engine, now()), Reason::NoPolicy);
    engine.activate_signed(&signed(2, &[1]), now()).unwrap();
    assert_eq!(decides(&engine, now()), Reason::AllowedByRule);
}

#[test]
fn a_revoked_signer_takes_the_bundle_back_where_too_few_are_left() {
    let revoke = |signers: &[u8]| {
        let engine = engine(&root(2, &[1, 2, 3]));
        engine.activate_signed(&signed(1, signers), now()).unwrap();
        let mut form = root_form(2, 2, &[entry(2), entry(3)]);
        form["revoked"] = json!({ "keys": [id(1)] });
        engine.rotate_trust(&rotation(&form, &[1, 2]), now()).unwrap();
        decides(&engine, now())
    };
    assert_eq!(revoke(&[1, 2]), Reason::NoPolicy);
    assert_eq!(revoke(&[1, 2, 3]), Reason::AllowedByRule);
    assert_eq!(revoke(&[2, 3]), Reason::AllowedByRule);
    // A key that the new root merely no longer names takes nothing back.
    let engine = engine(&root(1, &[1]));
    engine.activate_signed(&signed(1, &[1]), now()).unwrap();
    engine.rotate_trust(&rotation(&root_form(2, 1, &[entry(2)]), &[1]), now()).unwrap();
    assert_eq!(decides(&engine, now()), Reason::AllowedByRule);
    assert_eq!(engine.activate_signed(&signed(2, &[1]), now()).unwrap_err().code(), "unknown_key");
}

#[test]
fn a_refused_root_leaves_the_held_one() {
    let engine = engine(&root(1, &[1]));
    let next = rotation(&root_form(2, 1, &[entry(2)]), &[1]);
    let refused = |bytes: &[u8], now: Now| engine.rotate_trust(bytes, now).unwrap_err().diagnostics()[0].code;
    assert_eq!(refused(&rotation(&root_form(2, 1, &[entry(2)]), &[2]), now()), Code::UnknownKey);
    assert_eq!(refused(&next[..next.len() - 1], now()), Code::Syntax);
    assert_eq!(engine.trust().root().unwrap().version(), 1);
    assert_eq!(codes(&engine), ["trust_refused"; 2]);
    assert_eq!(engine.rotate_trust(&next, now()), Ok(2));
    // The old root's keys have nothing to say any more, and the same root again is none that is newer.
    assert_eq!(refused(&next, now()), Code::UnknownKey);
    assert_eq!(refused(&rotation(&root_form(2, 1, &[entry(2)]), &[2]), now()), Code::OlderTrust);
}

#[test]
fn a_clock_that_is_not_to_be_trusted_ends_the_keys_that_it_bounds() {
    let bounded = json!({ "id": id(1), "key": public(1).to_string(), "valid": { "until": "2027-01-01T00:00:00Z" } });
    let root = read_root(&root_form(1, 1, &[bounded, entry(2)])).unwrap();
    let engine = engine(&root);
    engine.activate_signed(&signed(1, &[1]), now()).unwrap();
    // The wall clock jumps ten days while the other stands still.
    let parted = Now::new(Monotonic::from_millis(1_000), wall(10));
    assert_eq!(engine.activate_signed(&signed(2, &[1]), parted).unwrap_err().code(), "key_expired");
    engine.advance(parted);
    assert_eq!(engine.activate_signed(&signed(2, &[1]), parted).unwrap_err().code(), "key_expired");
    let next = rotation(&root_form(2, 1, &[entry(2)]), &[2]);
    assert_eq!(engine.rotate_trust(&next, parted).unwrap_err().diagnostics()[0].code, Code::Untrusted);
    // A key that time does not bound is as good as before.
    engine.activate_signed(&signed(2, &[2]), parted).unwrap();
    engine.anchor_clocks(parted);
    engine.activate_signed(&signed(3, &[1]), parted.after(Ttl::from_millis(1))).unwrap();
    assert_eq!(engine.rotate_trust(&next, parted.after(Ttl::from_millis(2))), Ok(2));
}

#[test]
fn a_key_stands_as_its_window_says() {
    let window = json!({ "from": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z" });
    let bounded = json!({ "id": id(1), "key": public(1).to_string(), "valid": window });
    let root = read_root(&root_form(1, 1, &[bounded])).unwrap();
    let standing = |at| root.standing(&root.keys()[0], at).name();
    let before = Wall::from_nanos(wall(0).as_nanos() - 1);
    let last = Wall::from_nanos(wall(1).as_nanos() - 1);
    assert_eq!(standing(Some(before)), "not_yet_valid");
    assert_eq!(standing(Some(wall(0))), "valid");
    assert_eq!(standing(Some(last)), "valid");
    assert_eq!(standing(Some(wall(1))), "expired");
    assert_eq!(standing(None), "expired");
    assert_eq!(KeyStanding::Revoked.name(), "revoked");
}

#[test]
fn a_signature_makes_nothing_of_a_bundle_that_is_none() {
    let root = root(1, &[1]);
    let of = |edit: &dyn Fn(&mut Value)| {
        let mut pack = document(1);
        edit(&mut pack);
        load(&signed_as(envelope::BUNDLE, &pack, &[1]), &root).unwrap_err()
    };
    // 2^64 - 1 has no exact form in canonical JSON, and the nearest one does not fit.
    assert_eq!(of(&|pack| pack["revision"] = json!(u64::MAX)), Code::InvalidValue);
    assert_eq!(of(&|pack| pack["revision"] = json!(-1)), Code::InvalidValue);
    assert_eq!(of(&|pack| pack["valid"] = json!({ "until": "2020", "from": "2021" })), Code::InvalidValue);
    assert_eq!(of(&|pack| pack["fallgate"] = json!(2)), Code::InvalidValue);
    assert_eq!(of(&|pack| pack["posture"] = json!({})), Code::UnknownField);
    // Limits are met before the work that they bound, signed or not.
    let mut limits = Limits::default();
    limits.rules_max = 10;
    let mut many = document(1);
    let rule = |number: usize| json!({ "id": format!("r-{number}"), "effect": "allow", "action": "read" });
    many["rules"] = (0..11).map(rule).collect::<Vec<_>>().into();
    let bytes = signed_as(envelope::BUNDLE, &many, &[1]);
    let error = Bundle::from_signed(&bytes, &Trust::keys(root.clone()), &limits, wall(0)).unwrap_err();
    assert_eq!(error.diagnostics()[0].code, Code::LimitExceeded);
    limits.bundle_bytes_max = 100;
    let error = Bundle::from_signed(&bytes, &Trust::keys(root.clone()), &limits, wall(0)).unwrap_err();
    assert_eq!(error.diagnostics()[0].code, Code::LimitExceeded);
    limits.signatures_max = 1;
    limits.bundle_bytes_max = 1 << 20;
    let two = signed(1, &[1, 2]);
    let error = Bundle::from_signed(&two, &Trust::keys(root), &limits, wall(0)).unwrap_err();
    assert_eq!(error.diagnostics()[0].code, Code::LimitExceeded);
}

#[test]
fn the_type_and_the_payload_cannot_trade_bytes() {
    // "ab" + "c" and "a" + "bc" are different messages to sign.
    assert_ne!(encoding("ab", b"c"), encoding("a", b"bc"));
    assert_ne!(encoding("a 1 b", b""), encoding("a", b"b 0 "));
}

#[test]
fn a_candidate_that_is_revoked_decides_for_nobody() {
    let engine = engine(&root(1, &[1, 2]));
    let in_steps = |revision| {
        let mut document = document(revision);
        document["rollout"] = json!({ "shadow": "10s" });
        signed_as(envelope::BUNDLE, &document, &[1])
    };
    engine.activate_signed(&in_steps(1), now()).unwrap();
    engine.stage_signed(&in_steps(2), now()).unwrap();
    assert!(engine.is_in_rollout());
    let mut form = root_form(2, 1, &[entry(1), entry(2)]);
    let candidate = load(&in_steps(2), &root(1, &[1])).unwrap();
    form["revoked"] = json!({ "bundles": [candidate.id().to_string()] });
    assert_eq!(engine.rotate_trust(&rotation(&form, &[1]), now()), Ok(2));
    engine.advance(now());
    assert!(!engine.is_in_rollout());
    assert_eq!((engine.bundle().unwrap().revision(), decides(&engine, now())), (1, Reason::AllowedByRule));
    assert_eq!(engine.stage_signed(&in_steps(2), now()).unwrap_err().code(), "bundle_revoked");
}

#[test]
fn a_root_keeps_its_bytes_and_their_digest() {
    let bytes = canonical(&root_form(7, 1, &[entry(1)]));
    let root = TrustRoot::from_json(&bytes, &Limits::DEFAULT).unwrap();
    assert_eq!((root.bytes(), root.version()), (&*bytes, 7));
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(root.digest(), digest);
}

#[test]
fn a_key_that_is_none_is_named_with_its_place() {
    let mut form = root_form(1, 1, &[entry(1), entry(2)]);
    form["keys"][1]["key"] = "rsa:AAAA".into();
    assert_eq!(read_root(&form).unwrap_err().pointer, "/keys/1/key");
}
