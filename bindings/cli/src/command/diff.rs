//! `fallgate diff`: what a new pack says differently, and for which requests that makes a difference.

use std::fs;
use std::path::Path;

use fallgate::drill::START;
use fallgate::error::quoted;
use fallgate::policy::bundle::Bundle;
use fallgate::policy::format::{OneOrMany, Pack};
use serde_json::{Value, json};

use super::{Compiled, compile, compile_trusting, counted, eval::instant, read_drill};
use crate::arguments::{Diff, FailOn, FindingFormat};
use crate::audit_log::lines::Lines;
use crate::console::{Colours, Console, Exit, Failure, Paint, painted};
use crate::diff::changes::{Change, changes};
use crate::diff::difference::{Group, Kind};
use crate::diff::recorded::{self, Recorded};
use crate::diff::search::{Compared, Coverage, Search};
use crate::diff::world::deciding;
use crate::finding::{Finding, Severity};
use crate::pack::drill_files;
use crate::progress::Progress;
use crate::reading::shown;
use crate::sarif::{self, Reported};
use crate::source::Part;

/// How many characters of a value are shown to people.
const VALUE_CHARACTERS_MAX: usize = 160;

/// Everything that a comparison found.
struct Report {
    names: [String; 2],
    bundles: [Bundle; 2],
    changes: Vec<Change>,
    groups: Vec<Group>,
    coverage: Vec<Coverage>,
    worlds: Vec<Value>,
    compared: u64,
    notes: Vec<String>,
}

pub(super) fn run(diff: &Diff, console: &mut Console<'_>, colours: Colours) -> Result<Exit, Failure> {
    let old = read(&diff.old, diff)?;
    let new = read(&diff.new, diff)?;
    let report = compare(diff, [&old, &new], console.err_is_terminal)?;
    if let Some(folder) = &diff.witnesses {
        write_witnesses(folder, &report.groups)?;
    }
    match diff.format {
        FindingFormat::Text => show(&report, console, colours.out)?,
        FindingFormat::Json => writeln!(console.out, "{:#}", report.to_json())?,
        FindingFormat::Sarif => writeln!(console.out, "{:#}", to_sarif(&report, &new))?,
    }
    let has = |kind: Kind| report.groups.iter().any(|group| group.kind == kind);
    let fails = match diff.fail_on {
        FailOn::Undeclared => report.groups.iter().any(|group| group.kind == Kind::NewlyAllowed && !group.is_declared),
        FailOn::NewlyAllowed => has(Kind::NewlyAllowed),
        FailOn::NewlyDenied => has(Kind::NewlyAllowed) || has(Kind::NewlyDenied),
        FailOn::Any => !report.groups.is_empty(),
    };
    Ok(if fails { Exit::Denied } else { Exit::Fine })
}

/// Reads one side. A folder is somebody's own work, which nobody can have signed yet; a bundle's file is held to the trust.
fn read(path: &Path, diff: &Diff) -> Result<Compiled, Failure> {
    if path.is_dir() { compile(path) } else { compile_trusting(path, &diff.trusting) }
}

fn compare(diff: &Diff, compiled: [&Compiled; 2], is_terminal: bool) -> Result<Report, Failure> {
    let [old, new] = compiled;
    let first = diff.at.as_deref().map_or(Ok(START), instant)?;
    let bundles = [deciding(&old.document)?, deciding(&new.document)?];
    let packs = [pack(&bundles[0])?, pack(&bundles[1])?];
    let mut notes = Vec::new();
    let paths = [&diff.old, &diff.new];
    let mut seen = Vec::new();
    for (compiled, path) in compiled.into_iter().zip(paths) {
        seen.extend(written(compiled, path)?);
    }
    let compared =
        [Compared { bundle: &bundles[0], pack: &packs[0] }, Compared { bundle: &bundles[1], pack: &packs[1] }];
    let mut search = Search::new(compared, first)?;
    for (request, from) in &seen {
        search.ask(request, from)?;
    }
    if search.worlds_left_out > 0 {
        notes.push(format!("{} not tried: there are too many", states(search.worlds_left_out)));
    }
    let requests: Vec<Value> = seen.into_iter().map(|(request, _)| request).collect();
    let actions = search.actions();
    let length = diff.limit.saturating_mul(u64::try_from(actions.len()).unwrap_or(u64::MAX));
    let mut progress = Progress::new(length, is_terminal);
    let mut coverage = Vec::new();
    for (done, action) in (1_u64..).zip(actions) {
        coverage.push(search.action(action, &requests, diff.limit, &mut || progress.advance())?);
        progress.advance_to(done.saturating_mul(diff.limit));
    }
    progress.finish();
    for path in &diff.requests {
        ask_requests(path, &mut search, is_terminal)?;
    }
    if !diff.audit.is_empty() {
        ask_audit(diff, compiled, &mut search, &mut notes, is_terminal)?;
    }
    search.ask_after_losses()?;
    let said = changes(&old.document, &new.document);
    if said.iter().any(|change| ["valid", "overrides", "audit"].contains(&change.what)) {
        let note = "decided as if both packs were valid, without overrides, and with room for every audit record";
        notes.push(note.to_owned());
    }
    Ok(Report {
        names: paths.map(|path| shown(path)),
        bundles: [old.bundle.clone(), new.bundle.clone()],
        changes: said,
        groups: search.differences.groups(&declared(&new.document)),
        coverage,
        worlds: search.worlds().map(crate::diff::world::World::to_json).collect(),
        compared: search.differences.compared,
        notes,
    })
}

/// The actions that a pack says it newly allows.
fn declared(document: &Value) -> Vec<OneOrMany> {
    let named = document.pointer("/rollout/newly_allows").and_then(Value::as_array);
    let texts = named.into_iter().flatten().filter_map(Value::as_str);
    texts.map(|text| OneOrMany::One(text.to_owned())).collect()
}

/// The document of a bundle as a pack.
fn pack(bundle: &Bundle) -> Result<Pack, Failure> {
    serde_json::from_slice(bundle.bytes())
        .map_err(|error| Finding::unreadable(format!("the bundle cannot be read again: {error}")).into())
}

/// The requests that the authors of a pack wrote: those of its cases, and of its drills.
fn written(compiled: &Compiled, path: &Path) -> Result<Vec<(Value, String)>, Failure> {
    let name = shown(path);
    let cases = compiled.bundle.policy().tests.iter();
    let mut found: Vec<(Value, String)> =
        cases.map(|case| (case.request.clone(), format!("the case `{}` of {name}", case.name))).collect();
    for file in drill_files(path)? {
        let read = read_drill(&file)?;
        for (number, step) in read.drill.steps.iter().enumerate() {
            if let Some(request) = &step.decide {
                found.push((request.clone(), read.step_at(number)));
            }
        }
    }
    Ok(found)
}

/// Asks every line of a file of requests.
fn ask_requests(path: &Path, search: &mut Search<'_>, is_terminal: bool) -> Result<(), Failure> {
    let mut lines = Lines::of(&[path.to_owned()])?;
    let mut progress = Progress::new(lines.bytes(), is_terminal);
    while let Some(line) = lines.next()? {
        if line.text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let from = format!("{}:{}", shown(line.path), line.number);
        let request = recorded::request(line.text);
        let asked = match &request {
            Some(request) => search.ask(request, &from)?,
            None => false,
        };
        if !asked {
            let finding = Finding::unreadable(format!("{from} is no request"));
            return Err(finding.help("write one request a line, as `fallgate eval --input` takes it").into());
        }
        let read = lines.bytes_read();
        progress.advance_to(read);
    }
    progress.finish();
    Ok(())
}

/// Asks every decision of an audit chain again, and notes which could not be.
fn ask_audit(
    diff: &Diff,
    compiled: [&Compiled; 2],
    search: &mut Search<'_>,
    notes: &mut Vec<String>,
    is_terminal: bool,
) -> Result<(), Failure> {
    let policies = compiled.map(|one| &**one.bundle.policy());
    let mut lines = Lines::of(&diff.audit)?;
    let mut progress = Progress::new(lines.bytes(), is_terminal);
    let (mut asked, mut redacted, mut unread, mut undeclared) = (0_usize, 0_usize, 0_usize, 0_usize);
    let mut missing = String::new();
    while let Some(line) = lines.next()? {
        let from = format!("{}:{}", shown(line.path), line.number);
        match recorded::record(line.text, &policies) {
            Recorded::Request(request) => match search.ask(&request, &from)? {
                true => asked = asked.saturating_add(1),
                false => unread = unread.saturating_add(1),
            },
            Recorded::NoDecision => {}
            Recorded::Unread => unread = unread.saturating_add(1),
            Recorded::Redacted => redacted = redacted.saturating_add(1),
            Recorded::NotYetDeclared(attribute) => {
                undeclared = undeclared.saturating_add(1);
                missing = attribute;
            }
            Recorded::NoRecord => {
                let finding = Finding::unreadable(format!("{from} is no audit record"));
                return Err(finding.help("name the files of a chain, or its folder").into());
            }
        }
        let read = lines.bytes_read();
        progress.advance_to(read);
    }
    progress.finish();
    notes.push(format!("{} asked again", counted(asked, "recorded decision")));
    if redacted > 0 {
        notes.push(format!("{} not asked again: an attribute is redacted", counted(redacted, "recorded decision")));
    }
    if undeclared > 0 {
        let count = counted(undeclared, "recorded decision");
        notes.push(format!("{count} not asked again: `{missing}` was not declared, and so not recorded"));
    }
    if unread > 0 {
        notes.push(format!(
            "{} not asked again: the request is not in the record",
            counted(unread, "recorded decision")
        ));
    }
    Ok(())
}

/// Writes each request that is shown to a file of its own.
fn write_witnesses(folder: &Path, groups: &[Group]) -> Result<(), Failure> {
    let failed = |path: &Path, error: &std::io::Error| {
        Failure::from(Finding::unreadable(format!("cannot write {}: {error}", quoted(&shown(path)))))
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    let mut number = 0_u64;
    for group in groups {
        for witness in &group.witnesses {
            number = number.saturating_add(1);
            let path = folder.join(format!("{number:03}-{}.json", group.kind.code()));
            fs::write(&path, format!("{:#}\n", witness.request)).map_err(|error| failed(&path, &error))?;
        }
    }
    Ok(())
}

impl Report {
    fn to_json(&self) -> Value {
        let side = |path: &str, bundle: &Bundle| {
            json!({
                "path": path, "name": bundle.name(), "revision": bundle.revision(),
                "id": bundle.id().to_string(),
            })
        };
        let coverage: Vec<Value> = self
            .coverage
            .iter()
            .map(|one| {
                json!({
                    "action": one.action, "complete": one.is_complete(), "unchanged": one.is_unchanged,
                    "requests": one.requests, "gaps": one.gaps,
                })
            })
            .collect();
        json!({
            "old": side(&self.names[0], &self.bundles[0]), "new": side(&self.names[1], &self.bundles[1]),
            "changes": self.changes.iter().map(Change::to_json).collect::<Vec<_>>(),
            "differences": self.groups.iter().map(Group::to_json).collect::<Vec<_>>(),
            "coverage": coverage, "worlds": self.worlds, "compared": self.compared, "notes": self.notes,
        })
    }
}

fn show(report: &Report, console: &mut Console<'_>, coloured: bool) -> std::io::Result<()> {
    let [old, new] = &report.bundles;
    let out = &mut *console.out;
    writeln!(out, "{} revision {} -> {} revision {}", old.name(), old.revision(), new.name(), new.revision())?;
    if report.changes.is_empty() {
        writeln!(out, "\nno part of the pack changes")?;
    } else {
        writeln!(out, "\nwhat changes")?;
    }
    for change in &report.changes {
        let words: Vec<&str> = [change.what, change.name.as_str(), change.part.as_str()]
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect();
        writeln!(out, "  {}: {}", change.kind(), words.join(" "))?;
        for (sign, value, paint) in [("-", &change.old, Paint::Bad), ("+", &change.new, Paint::Good)] {
            if let Some(value) = value {
                writeln!(out, "    {}", painted(&format!("{sign} {}", in_one_line(value)), paint, coloured))?;
            }
        }
    }
    for kind in [Kind::NewlyAllowed, Kind::NewlyDenied, Kind::ReasonOnly] {
        let groups: Vec<&Group> = report.groups.iter().filter(|group| group.kind == kind).collect();
        if groups.is_empty() {
            continue;
        }
        let (words, paint) = match kind {
            Kind::NewlyAllowed => ("newly allowed", Paint::Bad),
            Kind::NewlyDenied => ("newly denied", Paint::Doubtful),
            Kind::ReasonOnly => ("for another reason, by another rule, or with other obligations", Paint::Faint),
        };
        writeln!(out, "\n{}", painted(words, paint, coloured))?;
        for group in groups {
            let declared = if group.is_declared { " (declared)" } else { "" };
            writeln!(out, "  {}: {}{declared}", group.action, group.shown())?;
            // Of what is still allowed or still denied the line says enough.
            if kind == Kind::ReasonOnly {
                continue;
            }
            if let Some(witness) = group.witnesses.first() {
                writeln!(out, "    {}", witness.request)?;
                let from = if witness.from == "search" { String::new() } else { format!(", from {}", witness.from) };
                writeln!(out, "    with {}{from}", witness.world.shown())?;
            }
            if group.decisions > 1 {
                let more = group.decisions.saturating_sub(1);
                let text = format!("    and {more} more, in {}", states(group.worlds));
                writeln!(out, "{}", painted(&text, Paint::Faint, coloured))?;
            }
        }
    }
    if report.groups.is_empty() {
        writeln!(out, "\n{}", painted("no request is decided differently", Paint::Good, coloured))?;
    }
    writeln!(out, "\nhow far this was searched")?;
    let unchanged = report.coverage.iter().filter(|one| one.is_unchanged).count();
    for one in report.coverage.iter().filter(|one| !one.is_unchanged) {
        let requests = if one.requests == 1 { "1 request".to_owned() } else { format!("{} requests", one.requests) };
        match one.is_complete() {
            true => writeln!(out, "  {}: complete: {requests} stand for all", one.action)?,
            false => writeln!(out, "  {}: a sample of {requests}: {}", one.action, one.gaps.join("; "))?,
        }
    }
    if unchanged > 0 {
        writeln!(out, "  nothing that decides on {} changes", counted(unchanged, "action"))?;
    }
    let decisions = if report.compared == 1 { "decision" } else { "decisions" };
    writeln!(out, "  {} {decisions} compared, in {}", report.compared, states(report.worlds.len()))?;
    for note in &report.notes {
        writeln!(out, "  {note}")?;
    }
    Ok(())
}

fn states(count: usize) -> String {
    if count == 1 { "1 state of things".to_owned() } else { format!("{count} states of things") }
}

/// A value in one line, cut where it is long.
fn in_one_line(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    match text.char_indices().nth(VALUE_CHARACTERS_MAX) {
        Some((at, _)) => format!("{} …", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

/// The differences as findings about the new pack: at the rule that decides now, else at the one that decided.
fn to_sarif(report: &Report, new: &Compiled) -> Value {
    let rules = new.document.get("rules").and_then(Value::as_array);
    let place = |group: &Group| {
        let rule = group.new.rule.as_ref().or(group.old.rule.as_ref());
        let number = rules.zip(rule).and_then(|(rules, id)| {
            rules.iter().position(|rule| rule.get("id").and_then(Value::as_str) == Some(id.as_str()))
        });
        let pointer = match number {
            Some(number) => format!("/rules/{number}/id"),
            None => format!("/actions/{}", group.action.replace('~', "~0").replace('/', "~1")),
        };
        new.sources.place(&pointer, Part::Value, None)
    };
    let reported: Vec<Reported<'_>> = report
        .groups
        .iter()
        .map(|group| {
            let witness = group.witnesses.first();
            let request = witness.map(|one| one.request.to_string()).unwrap_or_default();
            let world = witness.map(|one| one.world.shown()).unwrap_or_default();
            let (severity, words) = match group.kind {
                Kind::NewlyAllowed if group.is_declared => (Severity::Note, "newly allowed, as declared"),
                Kind::NewlyAllowed => (Severity::Error, "newly allowed"),
                Kind::NewlyDenied => (Severity::Warning, "newly denied"),
                Kind::ReasonOnly => (Severity::Note, "decided otherwise"),
            };
            let message = format!("`{}` is {words}: {}: {request}, with {world}", group.action, group.shown());
            let mut finding = Finding::with_code(group.kind.code(), message).at(place(group));
            finding.severity = severity;
            Reported { finding, files: new.sources.files(), related: Vec::new() }
        })
        .collect();
    sarif::log(&reported, &report.notes)
}
