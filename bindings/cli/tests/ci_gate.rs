//! The pipeline of `examples/ci-gate`, its steps run by a shell as a runner does, with what stops it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::disallowed_methods)]
// The example is for POSIX shells.
#![cfg(unix)]

mod tools;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use data_encoding::BASE64;
use fallgate_cli::budget::Budget;
use fallgate_cli::source::FileId;
use fallgate_cli::yaml;
use serde_json::{Value, json};
use tempfile::TempDir;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const ARTIFACT: &[u8] = b"what the builder made";
const KEY: &str = "builder-release-2026";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A checkout in which everything is in order, on a machine with the command.
struct Pipeline {
    folder: TempDir,
    /// Where the programs of the steps are looked for before the machine's own.
    programs: PathBuf,
}

/// What became of the steps of a job.
#[derive(Debug)]
struct Ran {
    /// The name of the step that failed, and its exit code.
    stopped: Option<(String, i32)>,
    out: String,
}

impl Ran {
    fn stopped_at(&self, step: &str, code: i32, saying: &str) {
        assert_eq!(self.stopped, Some((step.to_owned(), code)), "{self:?}");
        assert!(self.out.contains(saying), "{saying} is not in {}", self.out);
    }
}

impl Pipeline {
    /// Nothing on a machine without what signs and verifies.
    fn new() -> Option<Self> {
        if !tools::has("openssl", "the gate of `examples/ci-gate`") {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for copy in ["active", "policy"] {
            copy_folder(&Path::new(ROOT).join("policies/deploy-gate"), &root.join(copy));
        }
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci-gate");
        std::fs::copy(example.join("release_gate.py"), root.join("release_gate.py")).unwrap();
        for name in ["production", "facts/keys", "secret"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        std::fs::write(root.join("web.tar"), ARTIFACT).unwrap();
        let programs = Path::new(env!("CARGO_BIN_EXE_fallgate")).parent().unwrap().to_owned();
        let pipeline = Self { folder, programs };
        for key in [KEY, "stranger"] {
            pipeline.new_key(key);
        }
        let request: Value = json_of(&pipeline.at("policy/requests/production.json"));
        let context = &request["context"];
        let change = json!({
            "run": request["subject"]["id"],
            "repository": request["resource"]["properties"]["repository"],
            "author": context["author"],
            "reviewers": context["reviewers"],
            "critical_findings": context["critical_findings"],
        });
        pipeline.write("facts/change.json", &change);
        pipeline.write("facts/signals.json", &json!({ "builders": "ok", "transparency": "ok", "pipeline": "ok" }));
        pipeline.attest(&pipeline.statement(), KEY);
        Some(pipeline)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &Value) {
        std::fs::write(self.at(name), content.to_string()).unwrap();
    }

    /// The recorded statement of the pack, about the artifact that is here.
    fn statement(&self) -> Value {
        let mut request: Value = json_of(&self.at("policy/requests/production.json"));
        let mut statement = request["context"]["provenance"].take();
        let digest = self.run("openssl", &["dgst", "-sha256", "-r"], ARTIFACT).stdout;
        statement["subject"][0]["digest"]["sha256"] = json!(String::from_utf8(digest).unwrap()[..64]);
        statement
    }

    fn new_key(&self, name: &str) {
        let (secret, public) = (format!("secret/{name}.pem"), format!("facts/keys/{name}.pem"));
        let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
        assert!(self.run("openssl", &[&["genpkey"], &curve[..], &["-out", &secret]].concat(), b"").status.success());
        assert!(self.run("openssl", &["pkey", "-in", &secret, "-pubout", "-out", &public], b"").status.success());
    }

    /// Signs a statement as a builder does, with the machine's openssl, and leaves the envelope among the facts.
    fn attest(&self, statement: &Value, key: &str) {
        let payload = statement.to_string();
        let signed = format!("DSSEv1 {} {PAYLOAD_TYPE} {} {payload}", PAYLOAD_TYPE.len(), payload.len());
        let secret = format!("secret/{key}.pem");
        let made = self.run("openssl", &["dgst", "-sha256", "-sign", &secret], signed.as_bytes());
        assert!(made.status.success(), "{made:?}");
        let signature = json!({ "keyid": key, "sig": BASE64.encode(&made.stdout) });
        let payload = BASE64.encode(payload.as_bytes());
        let envelope = json!({ "payloadType": PAYLOAD_TYPE, "payload": payload, "signatures": [signature] });
        self.write("facts/attestation.json", &envelope);
    }

    fn run(&self, program: &str, arguments: &[&str], input: &[u8]) -> Output {
        let path = format!("{}:{}", self.programs.display(), std::env::var("PATH").unwrap());
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(self.folder.path())
            .env("PATH", path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A step that reads no input closes it.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// Runs the steps of a job of the workflow, until one fails.
    fn job(&self, name: &str) -> Ran {
        let text = include_str!("../examples/ci-gate/workflow.yaml");
        let workflow = yaml::parse(text, FileId::new(0), &mut Budget::default()).unwrap().value;
        let mut ran = Ran { stopped: None, out: String::new() };
        for step in workflow["jobs"][name]["steps"].as_array().unwrap() {
            assert!(step.get("continue-on-error").is_none());
            let ended = self.run("bash", &["-e", "-c", step["run"].as_str().unwrap()], b"");
            ran.out += &String::from_utf8_lossy(&ended.stdout);
            ran.out += &String::from_utf8_lossy(&ended.stderr);
            if !ended.status.success() {
                ran.stopped = Some((step["name"].as_str().unwrap().to_owned(), ended.status.code().unwrap()));
                break;
            }
        }
        ran
    }

    fn policy_passes(&self) -> bool {
        self.job("policy").stopped.is_none()
    }

    /// Runs the release, which must stop before anything is deployed.
    fn is_shut(&self, saying: &str) {
        self.job("release").stopped_at("what a trusted builder made of reviewed source", 1, saying);
        assert!(!self.at("production/web.tar").exists());
    }

    fn is_open(&self) {
        let ran = self.job("release");
        assert_eq!(ran.stopped, None, "{ran:?}");
        assert_eq!(std::fs::read(self.at("production/web.tar")).unwrap(), std::fs::read(self.at("web.tar")).unwrap());
        std::fs::remove_file(self.at("production/web.tar")).unwrap();
    }

    /// Puts text in place of another in a file, which must have it.
    fn edit(&self, name: &str, old: &str, new: &str) {
        let text = std::fs::read_to_string(self.at(name)).unwrap();
        assert!(text.contains(old), "{name} has no {old}");
        std::fs::write(self.at(name), text.replace(old, new)).unwrap();
    }
}

fn json_of(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn what_is_in_order_is_deployed() {
    let Some(pipeline) = Pipeline::new() else { return };
    assert!(pipeline.policy_passes());
    pipeline.is_open();
}

#[test]
fn an_attestation_that_does_not_hold_stops_the_release() {
    let Some(pipeline) = Pipeline::new() else { return };
    let attestation = pipeline.at("facts/attestation.json");
    let sound = std::fs::read(&attestation).unwrap();
    let again = || std::fs::write(&attestation, &sound).unwrap();

    std::fs::remove_file(&attestation).unwrap();
    pipeline.is_shut("gate: shut: indeterminate");

    // What it says was changed behind its signature.
    let mut envelope: Value = serde_json::from_slice(&sound).unwrap();
    let mut forged = pipeline.statement();
    forged["predicate"]["runDetails"]["builder"]["note"] = json!("trust me");
    envelope["payload"] = json!(BASE64.encode(forged.to_string().as_bytes()));
    pipeline.write("facts/attestation.json", &envelope);
    pipeline.is_shut("gate: shut: no_matching_rule");

    pipeline.attest(&pipeline.statement(), "stranger");
    pipeline.is_shut("gate: shut: no_matching_rule");

    let mut branch = pipeline.statement();
    branch["predicate"]["buildDefinition"]["externalParameters"]["workflow"]["ref"] = json!("refs/heads/mine");
    pipeline.attest(&branch, KEY);
    pipeline.is_shut("gate: shut: denied_by_rule `production-comes-from-the-main-branch`");

    for nonsense in ["", "{", "[]", r#"{"payloadType":"text/plain","payloadType":"application/vnd.in-toto+json"}"#] {
        std::fs::write(&attestation, nonsense).unwrap();
        pipeline.is_shut("gate: shut: ");
    }
    again();
    pipeline.is_open();
}

#[test]
fn another_artifact_is_not_the_one_that_was_attested() {
    let Some(pipeline) = Pipeline::new() else { return };
    std::fs::write(pipeline.at("web.tar"), "what somebody else made").unwrap();
    pipeline.is_shut("gate: shut: no_matching_rule");
    std::fs::write(pipeline.at("web.tar"), ARTIFACT).unwrap();
    pipeline.is_open();
}

#[test]
fn what_nobody_found_out_stops_the_release() {
    let Some(pipeline) = Pipeline::new() else { return };
    let known = std::fs::read(pipeline.at("facts/signals.json")).unwrap();
    std::fs::remove_file(pipeline.at("facts/signals.json")).unwrap();
    pipeline.is_shut("gate: shut: signal_unavailable, for want of builders, pipeline, transparency");
    pipeline.write("facts/signals.json", &json!({ "builders": "ok", "transparency": "failed", "pipeline": "ok" }));
    pipeline.is_shut("gate: shut: signal_unavailable, for want of transparency");
    pipeline.write("facts/signals.json", &json!({ "builders": "fine" }));
    pipeline.is_shut("`fallgate` gave no decision, and ended with 2");
    std::fs::write(pipeline.at("facts/signals.json"), known).unwrap();

    let change = std::fs::read(pipeline.at("facts/change.json")).unwrap();
    pipeline.edit("facts/change.json", r#""critical_findings":0"#, r#""critical_findings":null"#);
    pipeline.is_shut("gate: shut: ");
    pipeline.edit("facts/change.json", r#""reviewers":["ben"]"#, r#""reviewers":["ann"]"#);
    pipeline.is_shut("gate: shut: ");
    std::fs::remove_file(pipeline.at("facts/change.json")).unwrap();
    pipeline.is_shut("gate: shut: FileNotFoundError");
    std::fs::write(pipeline.at("facts/change.json"), change).unwrap();
    pipeline.is_open();
}

/// Without the command, with one that says nothing, or one that says yes to everything, nothing is deployed.
#[test]
fn a_gate_without_its_engine_is_shut() {
    let Some(mut pipeline) = Pipeline::new() else { return };
    let programs = pipeline.at("programs");
    std::fs::create_dir(&programs).unwrap();
    let there = std::mem::replace(&mut pipeline.programs, programs);
    let put = |text: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        let file = pipeline.programs.join("fallgate");
        std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    put("exit 0");
    pipeline.is_shut("`fallgate` gave no decision, and ended with 0");
    put("echo yes");
    pipeline.is_shut("gate: shut: ");
    put("echo '{\"decision\": true}'; exit 139");
    pipeline.is_shut("`fallgate` gave no decision, and ended with 139");
    put("exec fallgate-that-is-not-installed \"$@\"");
    pipeline.is_shut("ended with 127");
    pipeline.job("policy").stopped_at("the policy has no mistakes", 127, "not found");
    pipeline.programs = there;
    assert!(pipeline.policy_passes());
    pipeline.is_open();
}

#[test]
fn a_policy_that_got_worse_stops_the_pipeline() {
    let Some(pipeline) = Pipeline::new() else { return };
    let sound = std::fs::read_to_string(pipeline.at("policy/rules.yaml")).unwrap();
    let again = || std::fs::write(pipeline.at("policy/rules.yaml"), &sound).unwrap();

    pipeline.edit("policy/rules.yaml", "resource.ran_here", "resource.run_here");
    pipeline.job("policy").stopped_at("the policy has no mistakes", 1, "run_here");
    again();
    pipeline.edit("policy/rules.yaml", "context.critical_findings > 0", "context.critical_findings > 9");
    pipeline.job("policy").stopped_at("it passes its cases and its drills", 1, "critical findings");
    again();
    // Its authors changed the case along with the rule; the active policy remembers.
    pipeline.edit(
        "policy/rules.yaml",
        "subject: { type: user, roles: on-call }\n    when: resource.ran_here",
        "subject: { type: user, roles: [on-call, intern] }\n    when: resource.ran_here",
    );
    let ran = pipeline.job("policy");
    ran.stopped_at("it allows nothing that the active one denies", 1, "newly allowed");
    assert!(ran.out.contains("deploy:restore"), "{}", ran.out);
    again();
    std::fs::remove_dir_all(pipeline.at("active")).unwrap();
    pipeline.job("policy").stopped_at("it allows nothing that the active one denies", 3, "active");
    copy_folder(&pipeline.at("policy"), &pipeline.at("active"));
    assert!(pipeline.policy_passes());
}
