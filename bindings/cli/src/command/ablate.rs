//! `fallgate ablate`: what is denied is asked again with less, and each deny that becomes an allow is a finding.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use fallgate::condition::rego::{AsItRuns, TestInput, TestInputs};
use fallgate::error::{Diagnostic, quoted};
use fallgate::limits::Limits;
use serde_json::{Map, Value, json};

use super::{compile, counted, eval::machine_time, read_drill};
use crate::ablate::in_pack::{self, PackToAblate, PlacedDrill};
use crate::ablate::in_rego::{self, Input, RegoToAblate, guessed_gates, named_gates};
use crate::ablate::opening::{Ablation, Question};
use crate::ablate::search::Bounds;
use crate::arguments::{Ablate, FindingFormat};
use crate::budget::FILE_BYTES_MAX;
use crate::console::{Colours, Console, Exit, Failure, Paint, painted, show_findings};
use crate::finding::{Finding, Severity};
use crate::pack::drill_files;
use crate::reading::{shown, unreadable};
use crate::rego_folder::RegoFiles;
use crate::sarif::{self, Reported};
use crate::source::{Part, SourceMap, Span};

pub(super) fn run(ablate: &Ablate, console: &mut Console<'_>, colours: Colours) -> Result<Exit, Failure> {
    let path = &ablate.policy;
    let is_rego = match path.is_file() {
        true => path.extension().is_some_and(|extension| extension == "rego"),
        // A misnamed pack is for the loader of packs to refuse.
        false => path.is_dir() && !["pack.yaml", "pack.yml", "pack.json"].iter().any(|name| path.join(name).exists()),
    };
    let only_rego = !ablate.inputs.is_empty() || !ablate.queries.is_empty() || !ablate.data.is_empty();
    let ablation = match is_rego {
        true => of_rego(ablate, console)?,
        false if only_rego => {
            let message = "`--input`, `--query` and `--data` are for Rego without a pack: a pack has its own";
            return Err(Failure::Usage(message.to_owned()));
        }
        false => of_pack(ablate, console)?,
    };
    match ablate.format {
        FindingFormat::Text => show(&ablation, console, colours.out)?,
        FindingFormat::Json => {
            let openings: Vec<Value> = ablation.openings.iter().map(|one| one.to_json(&ablation.files)).collect();
            let output = json!({
                "name": ablation.name, "asked": ablation.asked, "denied": ablation.denied, "tried": ablation.tried,
                "findings": openings, "notes": ablation.notes,
            });
            writeln!(console.out, "{output:#}")?;
        }
        FindingFormat::Sarif => {
            let reported: Vec<Reported<'_>> = ablation
                .openings
                .iter()
                .map(|one| {
                    let related = one.questions.iter();
                    let related = related.filter_map(|asked| Some((asked.place?, asked.name.clone()))).collect();
                    Reported { finding: one.finding(), files: &ablation.files, related }
                })
                .collect();
            writeln!(console.out, "{:#}", sarif::log(&reported, &ablation.notes))?;
        }
    }
    Ok(if ablation.undeclared() == 0 { Exit::Fine } else { Exit::Denied })
}

fn show(ablation: &Ablation, console: &mut Console<'_>, coloured: bool) -> std::io::Result<()> {
    let findings: Vec<Finding> = ablation.openings.iter().map(|one| one.finding()).collect();
    show_findings(console.out, &findings, &ablation.files, coloured)?;
    if !findings.is_empty() {
        writeln!(console.out)?;
    }
    let undeclared = ablation.undeclared();
    let declared = ablation.openings.len().saturating_sub(undeclared);
    let mut verdict = match undeclared {
        0 => painted("no deny becomes an allow", Paint::Good, coloured),
        found => painted(&counted(found, "finding"), Paint::Bad, coloured),
    };
    if ablation.denied == 0 {
        "nothing is denied, so nothing was tried".clone_into(&mut verdict);
    }
    if declared > 0 {
        verdict.push_str(&format!(", {declared} declared"));
    }
    let (denied, tried) = (counted(ablation.denied, "deny"), ablation.tried);
    let denied = denied.strip_suffix("ys").map(|stem| format!("{stem}ies")).unwrap_or(denied);
    let removals = if tried == 1 { "removal" } else { "removals" };
    writeln!(
        console.out,
        "{}: {denied} of {} asked, {tried} {removals} tried: {verdict}",
        ablation.name, ablation.asked
    )?;
    for note in &ablation.notes {
        writeln!(console.out, "  {}", painted(note, Paint::Faint, coloured))?;
    }
    Ok(())
}

const fn bounds(ablate: &Ablate) -> Bounds {
    Bounds { pairs: ablate.pairs, tries_max: ablate.limit }
}

fn of_pack(ablate: &Ablate, console: &Console<'_>) -> Result<Ablation, Failure> {
    let compiled = compile(&ablate.policy)?;
    let mut files = compiled.sources.files().to_vec();
    let mut drills = Vec::new();
    for path in drill_files(&ablate.policy)? {
        let read = read_drill(&path)?;
        // The files of all drills go into one list, behind those of the pack.
        let first = files.len();
        let steps = (0..read.drill.steps.len()).map(|number| {
            let span = read.sources.place(&format!("/steps/{number}"), Part::Value, None);
            let file = u32::try_from(first.saturating_add(span.file.number())).unwrap_or(u32::MAX);
            Some(Span { file: crate::source::FileId::new(file), ..span })
        });
        let steps = steps.collect();
        files.extend(read.sources.files().iter().cloned());
        drills.push(PlacedDrill { drill: read.drill, steps });
    }
    let sources = SourceMap::new(files, compiled.sources.root().clone());
    let pack =
        PackToAblate { document: &compiled.document, bundle: &compiled.bundle, sources: &sources, drills: &drills };
    Ok(in_pack::ablate(&pack, ablate.items, bounds(ablate), console.err_is_terminal))
}

fn of_rego(ablate: &Ablate, console: &mut Console<'_>) -> Result<Ablation, Failure> {
    let mut read = RegoFiles::open(&ablate.policy)?;
    for path in &ablate.data {
        read.add_data(path, &[])?;
    }
    let refused = |mistakes: Vec<Diagnostic>, read: &RegoFiles| {
        let sources = read.sources();
        let findings = mistakes.iter().map(|one| Finding::from_diagnostic(one, Severity::Error, &sources)).collect();
        Failure::Findings(findings, sources.files().to_vec())
    };
    let deciding: BTreeMap<String, String> = read
        .modules
        .iter()
        .filter(|(path, _)| !path.ends_with("_test.rego"))
        .map(|(path, text)| (path.clone(), text.clone()))
        .collect();
    let data = read.data.as_ref().map(fallgate::value::Value::from);
    let whole = AsItRuns::load(&deciding, data.as_ref(), &Limits::DEFAULT).map_err(|found| refused(found, &read))?;
    let gates = match ablate.queries.is_empty() {
        true => guessed_gates(&whole),
        false => named_gates(&whole, &ablate.queries),
    };
    let gates = gates.map_err(Failure::Usage)?;

    let mut notes = Vec::new();
    let mut inputs = Vec::new();
    for path in &ablate.inputs {
        let (name, found) = given(path, &mut read, console)?;
        let many = found.len() > 1;
        for (number, (input, place)) in found.into_iter().enumerate() {
            let name = match many {
                true => format!("the input `{name}` number {}", number.saturating_add(1)),
                false => format!("the input `{name}`"),
            };
            inputs.push(Input { question: Question { name, place: Some(place) }, input, data: read.data.clone() });
        }
    }
    if ablate.inputs.is_empty() {
        let tests = tests_of(&read, data.as_ref(), &mut notes);
        let sources = read.sources();
        if !tests.unread.is_empty() {
            let places = tests.unread.iter().filter_map(|(pointer, span)| {
                sources.line_column(pointer, Some(span.start)).map(|(path, line, _)| format!("{path}:{line}"))
            });
            let places: Vec<String> = places.take(3).collect();
            let count = counted(tests.unread.len(), "input");
            notes.push(format!(
                "{count} of tests could not be found out ({} …); give them with `--input`",
                places.join(", ")
            ));
        }
        let (asked, mocking): (Vec<TestInput>, Vec<TestInput>) =
            tests.inputs.into_iter().partition(|test| test.data.iter().all(|(path, _)| !touches_rule(&whole, path)));
        if !mocking.is_empty() {
            let count = counted(mocking.len(), "test");
            notes
                .push(format!("{count} put a value in place of a rule, which is not the policy as it runs: not asked"));
        }
        inputs.extend(asked.into_iter().map(|test| of_test(test, read.data.as_ref(), &sources)));
        if inputs.is_empty() {
            let why = notes.first().map(|note| format!(": {note}")).unwrap_or_default();
            let message = format!("{} has no test with an input{why}", quoted(&shown(&ablate.policy)));
            let help =
                "give inputs with `--input FILE`, or write tests: `not allow with input as {…}` in a `_test.rego`";
            return Err(Finding::unreadable(message).help(help).into());
        }
    }
    let unanswered = whole.unanswered();
    if !unanswered.is_empty() {
        let names: Vec<String> = unanswered.iter().map(|name| format!("`{name}`")).collect();
        notes.push(format!("not answered here, and so undefined, as if lost: {}", names.join(", ")));
    }
    let sources = read.sources();
    let rego = RegoToAblate {
        name: shown(&ablate.policy),
        modules: &deciding,
        sources: &sources,
        gates: &gates,
        inputs: &inputs,
        now: machine_time().as_timestamp(),
    };
    let mut ablation = in_rego::ablate(&rego, &whole, ablate.items, bounds(ablate), console.err_is_terminal);
    ablation.notes.extend(notes);
    Ok(ablation)
}

/// What the tests give. A test that cannot be taken is left out, with a note: the policy itself is sound.
fn tests_of(read: &RegoFiles, data: Option<&fallgate::value::Value>, notes: &mut Vec<String>) -> TestInputs {
    let sources = read.sources();
    let mut modules = read.modules.clone();
    loop {
        let found = match TestInputs::read(&modules, data, &Limits::DEFAULT) {
            Ok(tests) => return tests,
            Err(found) => found,
        };
        let count = modules.len();
        for mistake in &found {
            let place = sources.line_column(&mistake.pointer, mistake.span.as_ref().map(|span| span.start));
            let Some((path, line, _)) = place.filter(|(path, ..)| path.ends_with("_test.rego")) else { continue };
            if modules.remove(path).is_some() {
                let message = &mistake.message;
                notes.push(format!("{path}:{line} cannot be taken, so that its inputs were not asked: {message}"));
            }
        }
        if modules.len() == count {
            let said = found.first().map(|mistake| mistake.message.clone()).unwrap_or_default();
            notes.push(format!("the tests cannot be taken together, so that no input of theirs was asked: {said}"));
            return TestInputs::default();
        }
    }
}

/// The inputs of a file, or of the standard input, and what they are called.
fn given(
    path: &Path,
    read: &mut RegoFiles,
    console: &mut Console<'_>,
) -> Result<(String, Vec<(Value, Span)>), Failure> {
    if path != Path::new("-") {
        return Ok((shown(path), read.inputs(path)?));
    }
    let mut bytes = Vec::new();
    let taken = console.input.take(FILE_BYTES_MAX).read_to_end(&mut bytes);
    taken.map_err(|error| unreadable(path, &error))?;
    Ok(("-".to_owned(), read.inputs_of("-", &bytes)?))
}

/// Whether a path below `data` leads to a rule, through one, or to what holds one.
fn touches_rule(modules: &AsItRuns, path: &[String]) -> bool {
    modules.rules().any(|(rule, _)| rule.split('.').skip(1).zip(path).all(|(name, other)| name == other))
}

/// The input of a test, with the data that the test puts in place of what there is.
fn of_test(test: TestInput, data: Option<&Value>, sources: &SourceMap) -> Input {
    let mut data = data.cloned();
    for (path, value) in test.data {
        let mut at = data.get_or_insert(Value::Null);
        for name in path {
            if !at.is_object() {
                *at = Value::Object(Map::new());
            }
            let Value::Object(members) = at else { break };
            at = members.entry(name).or_insert(Value::Null);
        }
        *at = value;
    }
    let place = sources.place(&test.pointer, Part::Value, Some(&test.span));
    let question = Question { name: format!("the test `{}`", test.test), place: Some(place) };
    Input { question, input: test.input, data }
}
