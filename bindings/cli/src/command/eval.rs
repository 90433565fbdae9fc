//! `fallgate eval`: one request, one decision.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use fallgate::condition::Truth;
use fallgate::condition::rego::{self, Outcome};
use fallgate::drill::parse_status;
use fallgate::error::{nearest, quoted};
use fallgate::limits::Limits;
use fallgate::policy::bundle::Bundle;
use fallgate::policy::guard::GuardSpec;
use fallgate::policy::signal::Source;
use fallgate::request::parse_strict;
use fallgate::resilience::breaker::CallOutcome;
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::value::Timestamp;
use fallgate::{Config, Decision, Engine, Observation, Request};
use serde_json::json;

use super::{compile_trusting, explanation};
use crate::arguments::{Eval, Format};
use crate::budget::FILE_BYTES_MAX;
use crate::console::{Colours, Console, Exit, Failure, Paint, painted};
use crate::finding::{Finding, Severity};
use crate::reading::{bytes_of, shown, unreadable};
use crate::scalar::Style;
use crate::source::{Content, FileId, Node, SourceFile, SourceMap, Span};

pub(super) fn run(eval: &Eval, console: &mut Console<'_>, colours: Colours) -> Result<Exit, Failure> {
    match (&eval.pack, &eval.rego, &eval.query) {
        (_, Some(module), Some(query)) => lone_rego(eval, module, query, console, colours),
        (Some(pack), ..) => decide(eval, pack, console, colours),
        _ => Err(Failure::Usage("name a pack, or a Rego file and a query".to_owned())),
    }
}

fn decide(eval: &Eval, pack: &Path, console: &mut Console<'_>, colours: Colours) -> Result<Exit, Failure> {
    let compiled = compile_trusting(pack, &eval.trusting)?;
    let bundle = &compiled.bundle;
    let wall = match &eval.at {
        Some(at) => instant(at)?,
        None => machine_time(),
    };
    let now = Now::new(Monotonic::ZERO, wall);
    let engine = Engine::new(Config::default());
    if let Err(error) = engine.activate(bundle.clone().without_tests(), now) {
        return Err(Finding::unreadable(format!("the pack cannot decide: {error}")).into());
    }
    if eval.all_signals_ok {
        for signal in observed(bundle) {
            engine.observe(&Observation::ok(signal), now);
        }
        call_well(&engine, bundle, &BTreeSet::new(), now);
    }
    for (name, status) in &eval.signals {
        for member in members(bundle, name)? {
            engine.observe(&Observation::new(member, parse_status(status).unwrap_or_default()), now);
        }
    }
    let input = input(&eval.input, console)?;
    let decision = engine.decide_json(&input, now);
    let request = Request::from_json(&input, &Limits::DEFAULT).ok();
    let explanation = request.filter(|_| eval.explain).map(|request| engine.explain(&request, now));
    match eval.format {
        Format::Json => {
            let mut output = decision.to_json();
            if let (Some(explanation), Some(fields)) = (&explanation, output.as_object_mut()) {
                let explanation = serde_json::to_value(explanation).map_err(std::io::Error::other)?;
                fields.insert("explanation".to_owned(), explanation);
            }
            writeln!(console.out, "{output:#}")?;
        }
        Format::Text => {
            show_decision(&decision, console, colours.out)?;
            if let Some(explanation) = &explanation {
                explanation::show(explanation, &compiled.document, console, colours.out)?;
            }
        }
    }
    Ok(if decision.is_allow() { Exit::Fine } else { Exit::Denied })
}

fn show_decision(decision: &Decision, console: &mut Console<'_>, coloured: bool) -> std::io::Result<()> {
    let (word, paint) = if decision.is_allow() { ("allow", Paint::Good) } else { ("deny", Paint::Bad) };
    writeln!(console.out, "{}: {}", painted(word, paint, coloured), decision.reason().code())?;
    let degraded: Vec<&str> = decision.degraded().iter().map(|name| name.as_str()).collect();
    let obligations: Vec<&str> = decision.obligations().iter().map(|obligation| &*obligation.id).collect();
    let bundle = format!("{} revision {}", decision.bundle(), decision.revision());
    for (what, text) in [
        ("rule", decision.rule().unwrap_or_default()),
        ("because", decision.detail().unwrap_or_default()),
        ("not ok", &degraded.join(", ")),
        ("obligations", &obligations.join(", ")),
        ("bundle", &bundle),
    ] {
        if !text.is_empty() {
            writeln!(console.out, "  {what:<12}{text}")?;
        }
    }
    for message in decision.messages() {
        writeln!(console.out, "  {:<12}{message}", "says")?;
    }
    Ok(())
}

/// The signals that a host observes.
fn observed(bundle: &Bundle) -> Vec<&str> {
    let specs = bundle.policy().signals.iter();
    let observed = specs.filter(|spec| matches!(spec.source, Source::Observed { .. }));
    observed.map(|spec| spec.name.as_str()).collect()
}

/// Makes one call through every guard but some, which comes back well: then each is ok.
pub(crate) fn call_well(engine: &Engine, bundle: &Bundle, but: &BTreeSet<&str>, now: Now) {
    for signal in bundle.policy().signals.iter().filter(|signal| !but.contains(signal.name.as_str())) {
        let Source::Guard { spec, .. } = &signal.source else { continue };
        let key = matches!(**spec, GuardSpec::Limiter(_) | GuardSpec::ReplayGuard(_)).then_some("eval");
        if let Ok(permit) = engine.acquire(&signal.name, key, now) {
            // A fresh guard takes it; a limiter and a guard against replays need none.
            let _taken = engine.report(&signal.name, permit, CallOutcome::Success, None, now);
        }
    }
}

/// The signals to observe for a name: itself, or all members of a quorum.
pub(super) fn members<'b>(bundle: &'b Bundle, name: &str) -> Result<Vec<&'b str>, Failure> {
    let policy = bundle.policy();
    let spec = policy.signals.iter().find(|spec| spec.name.as_str() == name);
    match spec.map(|spec| (spec, &spec.source)) {
        Some((_, Source::Quorum { members, .. })) => {
            let specs = members.iter().filter_map(|member| policy.signals.get(usize::from(*member)));
            Ok(specs.map(|spec| spec.name.as_str()).collect())
        }
        Some((spec, Source::Observed { .. })) => Ok(vec![spec.name.as_str()]),
        Some((_, Source::Guard { .. })) => Err(Failure::Usage(format!(
            "{} is a guard, whose status comes from the calls of its host; try it in a case or a drill",
            quoted(name)
        ))),
        Some((_, Source::Heartbeat { feed, .. })) => Err(Failure::Usage(format!(
            "{} follows the control feed {}, and no observation makes it ok; try it in a drill",
            quoted(name),
            quoted(feed)
        ))),
        Some((_, Source::BuiltIn)) => Err(Failure::Usage(format!("the engine itself observes {}", quoted(name)))),
        None => {
            let near = nearest(name, observed(bundle)).map(|near| format!("; did you mean `{near}`?"));
            Err(Failure::Usage(format!("the pack has no signal {}{}", quoted(name), near.unwrap_or_default())))
        }
    }
}

fn lone_rego(
    eval: &Eval,
    module: &Path,
    query: &str,
    console: &mut Console<'_>,
    colours: Colours,
) -> Result<Exit, Failure> {
    let bytes = bytes_of(module)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Finding::unreadable(format!("{} is not UTF-8", quoted(&shown(module)))))?;
    let bytes = input(&eval.input, console)?;
    let document = parse_strict(&bytes, &Limits::DEFAULT)
        .map_err(|error| Finding::unreadable(format!("the input cannot be read: {error}")))?;
    let path = shown(module);
    let Outcome { truth, detail, .. } = rego::evaluate(&path, &text, query, &document, None, &Limits::DEFAULT)
        .map_err(|mistakes| {
            let sources = module_map(&path, text.clone());
            let findings =
                mistakes.iter().map(|one| Finding::from_diagnostic(one, Severity::Error, &sources)).collect();
            Failure::Findings(findings, sources.files().to_vec())
        })?;
    // Whatever is neither true nor false is a deny, as it would be in a pack.
    let (value, is_allow) = match truth {
        Truth::True => ("true", true),
        Truth::False => ("false", false),
        Truth::Indeterminate(_) => ("indeterminate", false),
    };
    match eval.format {
        Format::Json => {
            let output = json!({ "decision": is_allow, "query": query, "value": value, "detail": detail });
            writeln!(console.out, "{output:#}")?;
        }
        Format::Text => {
            let (word, paint) = if is_allow { ("allow", Paint::Good) } else { ("deny", Paint::Bad) };
            writeln!(console.out, "{}: {query} is {value}", painted(word, paint, colours.out))?;
            if let Some(detail) = detail {
                writeln!(console.out, "  {detail}")?;
            }
        }
    }
    Ok(if is_allow { Exit::Fine } else { Exit::Denied })
}

/// A map with a lone module, under the pointer that a pack would have it.
fn module_map(path: &str, text: String) -> SourceMap {
    let file = FileId::new(0);
    let leaf = Node { key: None, value: Span::new(file, 0..text.len()), content: Content::Scalar(Style::Verbatim) };
    let map = |name: &str, node: Node| {
        let value = Span::new(file, 0..0);
        Node { key: None, value, content: Content::Map(vec![(name.into(), node)]) }
    };
    let root = map("rego", map(path, leaf));
    SourceMap::new(vec![SourceFile::new(path, text)], root)
}

fn input(path: &Path, console: &mut Console<'_>) -> Result<Vec<u8>, Failure> {
    if path != Path::new("-") {
        return Ok(bytes_of(path)?);
    }
    let mut bytes = Vec::new();
    let read = console.input.take(FILE_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(Path::new("-"), &error))?;
    Ok(bytes)
}

pub(super) fn instant(text: &str) -> Result<Wall, Failure> {
    let nanos = text.parse::<Timestamp>().ok().and_then(|at| i64::try_from(at.as_nanosecond()).ok());
    nanos.map(Wall::from_nanos).ok_or_else(|| {
        Failure::Usage(format!("{} is no timestamp; write RFC 3339, as in 2026-01-01T00:00:00Z", quoted(text)))
    })
}

/// The machine's clock: a command is a host, and a host reads its clocks.
#[allow(clippy::disallowed_methods)]
pub(super) fn machine_time() -> Wall {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Wall::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
