//! Proposals and approvals, as a shell makes and checks them and an engine takes them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[path = "shell/pages.rs"]
mod pages;
mod shell;

use std::fs;

use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::{EncodePrivateKey as _, spki::der::pem::LineEnding};
use fallgate::drill::Drill;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Engine};
use pages::{fallgate_commands, page};
use serde_json::{Value, json};
use shell::{Ran, fallgate, fallgate_with};
use tempfile::TempDir;

const PAYMENTS: &str = "../../policies/payment-gateway";
const BROKER: &str = "../../policies/idp-outage";

/// 2026-03-02T09:00:00Z.
const NINE: i64 = 1_772_442_000_000;

/// A folder with the keys that the drills of both packs list, and the commands that run in it: `@name` is a file there.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(TempDir::new().unwrap());
        for drill in [format!("{PAYMENTS}/drills/break-glass.yaml"), format!("{BROKER}/drills/emergency-code.yaml")] {
            let loaded = fallgate_cli::pack::load_drill(drill.as_ref()).unwrap();
            let prefix = if drill.starts_with(BROKER) { "broker-" } else { "" };
            for (name, key) in Drill::from_document(&loaded.document, &Limits::DEFAULT).unwrap().keys {
                desk.write_key(&format!("{prefix}{name}.key"), &key);
            }
        }
        desk
    }

    fn write_key(&self, name: &str, key: &str) {
        let text = match key.strip_prefix("ed25519-seed:") {
            Some(seed) => {
                let seed: [u8; 32] = HEXLOWER.decode(seed.as_bytes()).unwrap().try_into().unwrap();
                SigningKey::from_bytes(&seed).to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
            }
            None => format!("{key}\n"),
        };
        fs::write(self.path(name), text).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// The words of a command, with the files of the folder.
    fn words(&self, command: &str) -> Vec<String> {
        let place = |word: String| word.strip_prefix('@').map_or_else(|| word.clone(), |name| self.path(name));
        words(command).into_iter().map(place).collect()
    }

    fn run(&self, command: &str) -> Ran {
        fallgate(&self.words(command).iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn run_with(&self, command: &str, input: &[u8]) -> Ran {
        fallgate_with(&self.words(command).iter().map(String::as_str).collect::<Vec<_>>(), input, false)
    }

    /// A command that must succeed: what it prints.
    fn done(&self, command: &str) -> String {
        let ran = self.run(command);
        assert_eq!(ran.exit, 0, "{command}: {}{}", ran.out, ran.err);
        ran.out.trim_end().to_owned()
    }

    /// A command that must fail: how, and with which code.
    fn refused(&self, command: &str) -> (u8, String) {
        let ran = self.run(command);
        assert_ne!(ran.exit, 0, "{command}: {}", ran.out);
        let code = ran.err.rsplit_once("error[").and_then(|(_, rest)| rest.split_once(']'));
        (ran.exit, code.map_or(ran.err.clone(), |(code, _)| code.to_owned()))
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// Proposes at nine, into `@p.json`; the id.
    fn propose(&self, rest: &str) -> String {
        self.done(&format!("approve propose {PAYMENTS} {rest} --reason why --nonce n --at {} -o @p.json", when(0)))
    }

    fn sign(&self, by: &str, second: i64, output: &str) {
        let at = when(second);
        self.done(&format!("approve sign @p.json --by {by} --key @{by}.key --at {at} -o @{output}"));
    }

    /// Checks `@p.json` with these approvals: the exit code, and the report.
    fn check(&self, approvals: &str, second: i64) -> (u8, Value) {
        let ran =
            self.run(&format!("approve check {PAYMENTS} @p.json {approvals} --at {} --format json", when(second)));
        let report = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err));
        (ran.exit, report)
    }

    /// The codes of the approvals of a check; nothing for one that counts.
    fn codes(&self, approvals: &str, second: i64) -> (u8, Vec<Option<String>>) {
        let (exit, report) = self.check(approvals, second);
        let codes = report["approvals"].as_array().unwrap().iter();
        (exit, codes.map(|one| one["code"].as_str().map(str::to_owned)).collect())
    }
}

/// The words of a command: quotation marks keep blanks together.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('"').enumerate();
    let words = parts.flat_map(|(at, part)| match at % 2 {
        1 => vec![part.to_owned()],
        _ => part.split_whitespace().map(str::to_owned).collect(),
    });
    words.collect()
}

fn wall(second: i64) -> Wall {
    Wall::from_millis(NINE + second * 1_000)
}

/// So many seconds after nine.
fn when(second: i64) -> String {
    wall(second).to_string()
}

/// The same on both clocks, of an engine that was started ten minutes before nine.
fn at(second: i64) -> Now {
    Now::new(Monotonic::from_millis(u64::try_from((600 + second) * 1_000).unwrap()), wall(second))
}

fn engine(pack: &str) -> Engine {
    let document = fallgate_cli::pack::load_pack(pack.as_ref()).unwrap().document;
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    let engine = Engine::new(Config::default());
    engine.activate(bundle, at(-600)).unwrap();
    engine
}

fn operate(engine: &Engine, operation: &Value, second: i64) -> Value {
    match engine.operate_json(operation.to_string().as_bytes(), at(second)) {
        Ok(outcome) => outcome.to_json(),
        Err(error) => error.code().into(),
    }
}

fn refund(engine: &Engine, second: i64) -> String {
    let request = fs::read(format!("{PAYMENTS}/requests/refund.json")).unwrap();
    engine.decide_json(&request, at(second)).reason().code().to_owned()
}

const OVERRIDE: &str =
    "--override --subject user:ana --action payment:refund --resource payment:p-17 --for 10m --uses 2";

#[test]
fn an_override_goes_all_the_way_from_the_command_to_an_allow() {
    let desk = Desk::new();
    let id = desk.propose(&format!("{OVERRIDE} --by sre-1 --key @sre-1.key"));
    assert_eq!(id.len(), 64);
    assert_eq!(desk.check("", 0).0, 1);
    desk.sign("sec-1", 1, "one.json");
    assert_eq!(desk.check("@one.json", 2).0, 1);
    desk.sign("sec-2", 2, "two.json");
    let (exit, report) = desk.check("@one.json @two.json", 3);
    assert_eq!(exit, 0);
    let counts = |by: &str| json!({"by": by, "counts": true, "code": null});
    let approvals = [counts("sec-1"), counts("sec-2")];
    assert_eq!(
        report,
        json!({
            "proposal": id, "valid": true, "code": null, "approvals": approvals, "count": 2, "need": 2,
            "from": "security", "enough": true,
        })
    );
    let engine = engine(PAYMENTS);
    // Nothing is known of the ledger for ten minutes: the gateway is read-only.
    assert_eq!(refund(&engine, 0), "posture");
    assert_eq!(operate(&engine, &desk.json("p.json"), 1), json!({"proposed": id}));
    operate(&engine, &desk.json("one.json"), 2);
    assert_ne!(refund(&engine, 2), "allowed_by_override");
    let approved = json!({"approved": {"approvals": 2, "need": 2, "waits_for": null}});
    assert_eq!(operate(&engine, &desk.json("two.json"), 3), approved);
    assert_eq!(refund(&engine, 4), "allowed_by_override");
}

#[test]
fn a_posture_is_left_by_what_the_command_writes() {
    let desk = Desk::new();
    let id = desk.propose("--leave read-only --by sre-1 --key @sre-1.key");
    desk.sign("sre-2", 1, "yes.json");
    assert_eq!(desk.codes("@yes.json", 2), (0, vec![None]));
    let engine = engine(PAYMENTS);
    engine.enter_posture("read-only", None, at(-300)).unwrap();
    for second in (-100..=8).step_by(4) {
        for signal in ["ledger-a", "ledger-b", "ledger-c", "idp"] {
            engine.observe(&fallgate::Observation::ok(signal), at(second));
        }
    }
    assert_eq!(engine.posture(None).unwrap().as_str(), "read-only");
    assert_eq!(operate(&engine, &desk.json("p.json"), 9), json!({"proposed": id}));
    assert_eq!(operate(&engine, &desk.json("yes.json"), 10)["approved"]["waits_for"], Value::Null);
    assert_eq!(engine.posture(None).unwrap().as_str(), "normal");
    // One who has withdrawn it first has the last word.
    let other = self::engine(PAYMENTS);
    other.enter_posture("read-only", None, at(-300)).unwrap();
    operate(&other, &desk.json("p.json"), 9);
    desk.done(&format!("approve withdraw @p.json --by sec-1 --key @sec-1.key --at {} -o @no.json", when(9)));
    assert_eq!(operate(&other, &desk.json("no.json"), 9), json!({}));
    assert_eq!(operate(&other, &desk.json("yes.json"), 10), json!("unknown_proposal"));
}

#[test]
fn what_an_engine_would_not_count_does_not_count() {
    let desk = Desk::new();
    desk.propose(&format!("{OVERRIDE} --by sec-1 --key @sec-1.key"));
    desk.sign("sec-2", 1, "sec-2.json");
    desk.sign("sre-1", 1, "sre-1.json");
    let code = |code: &str| Some(code.to_owned());
    // The same person twice, and one of another group.
    assert_eq!(desk.codes("@sec-2.json @sec-2.json", 2), (1, vec![None, code("already_approved")]));
    assert_eq!(desk.codes("@sre-1.json", 2), (1, vec![code("not_of_the_group")]));
    // A signature of another key, of another purpose, of another proposal, and of a stranger.
    let forged = |change: &dyn Fn(&mut Value), name: &str| {
        let mut operation = desk.json("sec-2.json");
        change(&mut operation["approve"]);
        fs::write(desk.path(name), operation.to_string()).unwrap();
        desk.codes(&format!("@{name}"), 2)
    };
    let other_key = desk.json("sre-1.json")["approve"]["signature"].clone();
    let proposed = desk.json("p.json")["propose"]["signature"].clone();
    assert_eq!(forged(&|one| one["signature"] = other_key.clone(), "f1"), (1, vec![code("bad_signature")]));
    assert_eq!(forged(&|one| one["signature"] = proposed.clone(), "f2"), (1, vec![code("bad_signature")]));
    assert_eq!(forged(&|one| one["proposal"] = "0".repeat(64).into(), "f3"), (1, vec![code("unknown_proposal")]));
    assert_eq!(forged(&|one| one["by"] = "eve".into(), "f4"), (1, vec![code("unknown_approver")]));
    assert_eq!(forged(&|one| one["by"] = "sec-1".into(), "f5"), (1, vec![code("own_proposal")]));
    // One's own is refused where it would be signed.
    assert_eq!(desk.refused("approve sign @p.json --by sec-1 --key @sec-1.key"), (3, "own_proposal".to_owned()));
    // A proposal that was changed after it was signed is not what was signed.
    let mut altered = desk.json("p.json");
    altered["propose"]["proposal"]["operation"]["grant_override"]["uses"] = 9.into();
    fs::write(desk.path("p.json"), altered.to_string()).unwrap();
    let (exit, report) = desk.check("@sec-2.json", 2);
    assert_eq!((exit, &report["code"], &report["count"]), (1, &json!("bad_signature"), &json!(0)));
}

#[test]
fn who_has_the_benefit_does_not_count() {
    let desk = Desk::new();
    desk.propose(&OVERRIDE.replace("user:ana", "user:sol").replace("--uses", "--by sre-1 --key @sre-1.key --uses"));
    for by in ["sec-1", "sec-2"] {
        desk.sign(by, 1, &format!("{by}.json"));
    }
    // `sec-2` is user:sol.
    let beneficiary = Some("beneficiary".to_owned());
    assert_eq!(desk.codes("@sec-1.json @sec-2.json", 2), (1, vec![None, beneficiary]));
}

#[test]
fn time_ends_a_proposal_and_a_code() {
    let desk = Desk::new();
    desk.propose(&format!("{OVERRIDE} --by sre-1 --key @sre-1.key --valid 10m"));
    desk.sign("sec-1", 1, "one.json");
    desk.sign("sec-3", 100, "code.json");
    let code = desk.json("code.json")["approve"]["code"].as_str().unwrap().to_owned();
    assert_eq!(code.len(), 6);
    // The code of 09:01:30 counts until 09:02:30, and at no other time.
    let bad = Some("bad_code".to_owned());
    assert_eq!(desk.codes("@one.json @code.json", 89), (1, vec![None, bad.clone()]));
    assert_eq!(desk.codes("@one.json @code.json", 90), (0, vec![None, None]));
    assert_eq!(desk.codes("@one.json @code.json", 149), (0, vec![None, None]));
    assert_eq!(desk.codes("@one.json @code.json", 150), (1, vec![None, bad]));
    // A code that was typed is the same as one that was computed.
    desk.done(&format!("approve sign @p.json --by sec-3 --code {code} --at {} -o @typed.json", when(100)));
    assert_eq!(desk.json("typed.json"), desk.json("code.json"));
    assert_eq!(desk.codes("@one.json", 599).1, [None]);
    for (second, why) in [(-1, "not_yet_issued"), (600, "proposal_expired")] {
        let (exit, report) = desk.check("@one.json", second);
        assert_eq!((exit, &report["code"]), (1, &json!(why)), "{second}");
    }
    let late = format!("approve sign @p.json --by sec-2 --key @sec-2.key --at {}", when(600));
    assert_eq!(desk.refused(&late), (3, "proposal_expired".to_owned()));
}

#[test]
fn what_the_pack_would_refuse_is_refused_at_once() {
    let desk = Desk::new();
    let at = when(0);
    let base = format!("approve propose {PAYMENTS} --reason why --at {at} -o @no.json");
    let by = "--by sre-1 --key @sre-1.key";
    for (rest, code) in [
        ("--leave read-only --by sre-9 --key @sre-1.key".to_owned(), "unknown_approver"),
        ("--leave read-only --by sre-2 --key @sre-1.key".to_owned(), "bad_signature"),
        ("--leave read-only --by sre-1 --code 123456".to_owned(), "proof_missing"),
        ("--leave read-only --by sec-3 --code 12345".to_owned(), "bad_code"),
        (format!("--leave lockdown {by}"), "no_approvals_declared"),
        (format!("--leave nowhere {by}"), "unknown_posture"),
        (format!("--leave read-only {by} --valid 25h"), "open_too_long"),
        (format!("--leave read-only {by} --valid 0s"), "malformed_proposal"),
        (format!("--clear-flag emergency-read-only {by}"), "no_approvals_declared"),
        (format!("--set-flag no-such {by}"), "unfit_proposal"),
        (format!("{} {by}", OVERRIDE.replace("10m", "61m")), "unfit_proposal"),
        (format!("{} {by}", OVERRIDE.replace("--uses 2", "--uses 11")), "unfit_proposal"),
        (format!("{} {by}", OVERRIDE.replace("payment:refund", "payment:refuse")), "unfit_proposal"),
    ] {
        assert_eq!(desk.refused(&format!("{base} {rest}")), (1, code.to_owned()), "{rest}");
    }
    assert!(!std::path::Path::new(&desk.path("no.json")).exists());
    let said = desk.run(&format!("{base} --leave read-only --by sre-3 --key @sre-1.key")).err;
    assert!(said.contains("did you mean `sre-"), "{said}");
    let said = desk.run(&format!("{base} --leave lockdown {by}")).err;
    assert!(said.contains("help: it is left by an operator's word"), "{said}");
    // Half a command line.
    for rest in [
        by.to_owned(),
        "--leave read-only --by sre-1".to_owned(),
        format!("--leave read-only {by} --code 123456"),
        format!("--leave read-only {by} --uses 3"),
        format!("--leave read-only {by} --for 3m"),
        format!("--leave read-only {by} --subject user:ana"),
        format!("--set-flag emergency-read-only {by} --action payment:refund"),
        format!("--leave read-only --set-flag emergency-read-only {by}"),
        format!("--override --subject user:ana {by}"),
        format!("{OVERRIDE} {by} --scope tenant:acme"),
    ] {
        assert_eq!(desk.run(&format!("{base} {rest}")).exit, 2, "{rest}");
    }
}

#[test]
fn what_cannot_be_read_is_bad_input() {
    let desk = Desk::new();
    desk.propose(&format!("{OVERRIDE} --by sre-1 --key @sre-1.key"));
    desk.sign("sec-1", 1, "one.json");
    fs::write(desk.path("empty.json"), "{}").unwrap();
    fs::write(desk.path("twice.json"), r#"{"fallgate": "proposal/1", "fallgate": "proposal/1"}"#).unwrap();
    fs::write(desk.path("bad.key"), "totp:no base32\n").unwrap();
    let check = |files: &str| desk.run(&format!("approve check {PAYMENTS} {files} --at {}", when(2))).exit;
    for files in ["@none.json", "@empty.json", "@twice.json", "@one.json", "@p.json @p.json", "@p.json @empty.json"] {
        assert_eq!(check(files), 3, "{files}");
    }
    assert_eq!(desk.refused("approve sign @p.json --by sec-3 --key @bad.key").0, 3);
    assert_eq!(desk.refused("approve sign @p.json --by sec-3 --code 1 --at noon").0, 2);
    // Another pack's approvers have no say, whatever they are called.
    let ran = desk.run(&format!("approve check {BROKER} @p.json @one.json --at {}", when(2)));
    assert_eq!(ran.exit, 1);
    assert!(ran.err.starts_with("error[other_bundle]"), "{}", ran.err);
}

#[test]
fn the_same_words_make_the_same_bytes_and_others_are_told_apart() {
    let desk = Desk::new();
    let command = format!("approve propose {PAYMENTS} --leave read-only --by sre-1 --reason why --key @sre-1.key");
    let fixed = format!("{command} --nonce n --at {}", when(0));
    let (one, two) = (desk.run(&fixed), desk.run(&fixed));
    assert_eq!((one.exit, &one.out, &one.err), (0, &two.out, &two.err));
    assert_eq!(one.err.trim_end().len(), 64);
    assert_ne!(desk.done(&format!("{command} --at {}", when(0))), desk.done(&format!("{command} --at {}", when(0))));
    // From hand to hand: the proposal alone is signed as the operation is, from the standard input too.
    let operation: Value = serde_json::from_str(&one.out).unwrap();
    let alone = operation["propose"]["proposal"].to_string();
    let sign = format!("approve sign - --by sre-2 --key @sre-2.key --at {}", when(1));
    let signed = desk.run_with(&sign, alone.as_bytes());
    assert_eq!((signed.exit, &signed.out), (0, &desk.run_with(&sign, one.out.as_bytes()).out));
    assert!(signed.err.starts_with("sre-1 proposes to leave the posture read-only everywhere\n"), "{}", signed.err);
    assert!(signed.err.contains("  because   why\n  for       payment-gateway revision 7\n"), "{}", signed.err);
}

#[test]
fn what_is_shown_to_who_signs_cannot_hide_anything() {
    let desk = Desk::new();
    desk.propose("--leave read-only --by sre-1 --key @sre-1.key");
    let mut proposal = desk.json("p.json")["propose"]["proposal"].clone();
    proposal["reason"] = "fine\u{1b}[2K\r\u{202e}eslaf\nuntil never".into();
    let sign = format!("approve sign - --by sre-2 --key @sre-2.key --at {}", when(1));
    let ran = desk.run_with(&sign, proposal.to_string().as_bytes());
    let because = r"  because   fine\u{1b}[2K\r\u{202e}eslaf\nuntil never";
    assert!(ran.err.lines().any(|line| line == because), "{}", ran.err);
}

#[test]
fn who_signs_for_a_bundle_sees_which() {
    let desk = Desk::new();
    desk.propose("--leave read-only --by sre-1 --key @sre-1.key");
    let mut proposal = desk.json("p.json")["propose"]["proposal"].clone();
    let digest = "ab".repeat(32);
    for (change, words) in [
        ("promote", format!("to promote the staged bundle {digest}: what it newly allows is allowed from then on")),
        ("activate", format!("to let the bundle {digest} become the active one at once, whatever its revision")),
    ] {
        proposal["operation"] = json!({ change: { "bundle": digest } });
        let sign = format!("approve sign - --by sre-2 --key @sre-2.key --at {}", when(1));
        let ran = desk.run_with(&sign, proposal.to_string().as_bytes());
        assert!(ran.err.lines().any(|line| line == format!("sre-1 proposes {words}")), "{}", ran.err);
    }
}

#[test]
fn a_flag_is_set_and_cleared_by_what_the_command_writes() {
    let desk = Desk::new();
    let keys = fs::read_to_string(format!("{PAYMENTS}/pack.yaml")).unwrap();
    let key = |name: &str| keys.lines().find(|line| line.trim_start().starts_with(name)).unwrap().trim().to_owned();
    let pack = desk.path("pack");
    fs::create_dir(&pack).unwrap();
    let text = format!(
        "fallgate: 1\nname: shop\nrevision: 1\nactions:\n  order:read: {{ class: read }}\nrules:\n  - {{ id: all, effect: allow, \
         action: \"order:read\" }}\npostures:\n  - {{ name: shut, rank: 1, permits: none, leave: {{}} }}\napprovers:\n  sre:\n    \
         {}\n    {}\nflags:\n  closed: {{ posture: shut, owner: sre, max_age: 1h, approvals: {{ need: 1, from: sre }} }}\n",
        key("sre-1:"),
        key("sre-2:")
    );
    fs::write(format!("{pack}/pack.yaml"), text).unwrap();
    let engine = engine(&pack);
    for change in ["--set-flag closed --for 30m", "--clear-flag closed"] {
        let by = format!("--by sre-1 --key @sre-1.key --reason why --nonce n --at {}", when(0));
        let id = desk.done(&format!("approve propose @pack {change} {by} -o @p.json"));
        desk.sign("sre-2", 1, "yes.json");
        // To clear it counts though nobody has set it where it is checked.
        let check = desk.done(&format!("approve check @pack @p.json @yes.json --at {}", when(2)));
        assert!(check.ends_with("\n  counts   sre-2\n1 of 1 from sre: enough"), "{check}");
        assert_eq!(operate(&engine, &desk.json("p.json"), 3), json!({ "proposed": id }));
        assert_eq!(operate(&engine, &desk.json("yes.json"), 4)["approved"]["waits_for"], Value::Null, "{change}");
        // A posture does not go with its flag: it can be left then.
        assert_eq!(engine.posture(None).unwrap().as_str(), "shut");
    }
    assert!(engine.leave_posture("shut", None, at(5)).is_ok(), "no flag holds it any more");
}

#[test]
fn with_a_trust_root_only_a_signed_pack_says_who_approves() {
    let desk = Desk::new();
    desk.done("keys new -o @release");
    desk.done("keys trust --key @release.pub -o @trust.json");
    desk.done(&format!("build {PAYMENTS} --key @release -o @signed.json"));
    desk.propose("--leave read-only --by sre-1 --key @sre-1.key");
    let of_the_folder = desk.json("p.json");
    let rest = format!("--leave read-only --reason why --nonce n --by sre-1 --key @sre-1.key --at {}", when(0));
    desk.done(&format!("approve propose @signed.json --trust @trust.json {rest} -o @p.json"));
    assert_eq!(desk.json("p.json"), of_the_folder, "the same pack, the same proposal");
    desk.sign("sre-2", 1, "yes.json");
    let check = |pack: &str| format!("approve check {pack} --trust @trust.json @p.json @yes.json --at {}", when(2));
    desk.done(&check("@signed.json"));
    assert_eq!(desk.refused(&check(PAYMENTS)), (3, "unsigned".to_owned()));
}

#[test]
fn a_secret_of_codes_is_made_once_and_signs() {
    let desk = Desk::new();
    let line = desk.done("keys new --totp -o @new.totp");
    assert_eq!(fs::read_to_string(desk.path("new.totp")).unwrap(), format!("{line}\n"));
    let secret = line.strip_prefix("totp:").unwrap();
    assert!(secret.len() == 32 && secret.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')), "{line}");
    assert_eq!(desk.refused("keys new --totp -o @new.totp"), (3, "unreadable".to_owned()));
    assert_ne!(desk.done("keys new --totp -o @other.totp"), line);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(desk.path("new.totp")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // RFC 6238, appendix B: at 59 s the code of its secret is 94287082, of which these are the last six digits.
    desk.propose("--leave read-only --by sre-1 --key @sre-1.key");
    desk.write_key("rfc.totp", "totp:GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    desk.done("approve sign @p.json --by sec-3 --key @rfc.totp --at 1970-01-01T00:00:59Z -o @rfc.json");
    assert_eq!(desk.json("rfc.json")["approve"]["code"], "287082");
}

#[test]
fn the_document_shows_what_the_commands_print() {
    let desk = Desk::new();
    let mut runs = 0;
    for (command, expected) in fallgate_commands(&page("approving.md")) {
        let words = command.split(' ').map(|word| {
            let is_file = [".key", ".json"].iter().any(|end| word.ends_with(end));
            if is_file { format!("@{word}") } else { word.replace("policies/", "../../policies/") }
        });
        let ran = desk.run(&words.collect::<Vec<_>>().join(" "));
        assert_eq!(format!("{}{}", ran.err, ran.out).trim_end(), expected.trim_end(), "{command}");
        runs += 1;
    }
    assert_eq!(runs, 14, "the commands of docs/approving.md");
}
