//! The layers of `core/src`: an import never runs from a lower one to a higher one, and never in a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{code_only, paths, without_tests};
use crate::tree::File;

/// A layer, the modules in it, and the layers below that it may use besides itself.
struct Layer {
    name: &'static str,
    modules: &'static [&'static str],
    uses: &'static [&'static str],
}

/// The layers, lowest first. A new module of `core/src` gets its place here.
const LAYERS: &[Layer] = &[
    Layer { name: "concurrent", modules: &["concurrent"], uses: &[] },
    Layer {
        name: "words",
        modules: &[
            "error",
            "faults",
            "limits",
            "name",
            "obligation",
            "reason",
            "request",
            "time",
            "value",
            "value_type",
        ],
        uses: &[],
    },
    Layer { name: "resilience", modules: &["resilience"], uses: &["words"] },
    Layer { name: "condition", modules: &["condition"], uses: &["words"] },
    Layer { name: "policy", modules: &["policy"], uses: &["words", "resilience", "condition"] },
    Layer { name: "combine", modules: &["combine"], uses: &["words", "condition", "policy"] },
    Layer { name: "decision", modules: &["decision"], uses: &["words", "condition", "policy", "combine"] },
    Layer {
        name: "state",
        modules: &["state"],
        uses: &["concurrent", "words", "resilience", "condition", "policy", "combine", "decision"],
    },
    Layer {
        name: "telemetry",
        modules: &["telemetry"],
        uses: &["words", "condition", "policy", "combine", "decision", "state"],
    },
    Layer {
        name: "audit",
        modules: &["audit"],
        uses: &["words", "condition", "policy", "combine", "decision", "state"],
    },
    Layer {
        name: "operation",
        modules: &["operation"],
        uses: &["words", "resilience", "condition", "policy", "decision", "state", "telemetry", "audit"],
    },
    Layer { name: "journal", modules: &["journal"], uses: &["words", "condition", "policy", "state", "operation"] },
    Layer {
        name: "engine",
        modules: &["engine"],
        uses: &[
            "concurrent",
            "words",
            "resilience",
            "condition",
            "policy",
            "combine",
            "decision",
            "state",
            "telemetry",
            "operation",
            "audit",
            "journal",
        ],
    },
    Layer {
        name: "drill",
        modules: &["drill"],
        uses: &[
            "words",
            "resilience",
            "condition",
            "policy",
            "combine",
            "decision",
            "state",
            "telemetry",
            "operation",
            "audit",
            "journal",
            "engine",
        ],
    },
    Layer {
        name: "replay",
        modules: &["replay"],
        uses: &[
            "words",
            "condition",
            "policy",
            "decision",
            "state",
            "operation",
            "audit",
            "journal",
            "engine",
            "drill",
        ],
    },
    Layer {
        name: "authzen",
        modules: &["authzen"],
        uses: &[
            "words",
            "condition",
            "policy",
            "combine",
            "decision",
            "state",
            "telemetry",
            "operation",
            "audit",
            "engine",
        ],
    },
    Layer {
        name: "schemas",
        modules: &["schemas"],
        uses: &[
            "words",
            "condition",
            "policy",
            "combine",
            "decision",
            "state",
            "telemetry",
            "operation",
            "audit",
            "engine",
            "drill",
        ],
    },
];

fn layer_of(module: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| layer.modules.contains(&module))
}

/// What is wrong with the imports between these files of `core/src`.
pub(crate) fn check(files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let place = module_path(&file.path);
        // The root names every module: that is what it is for.
        let Some(module) = place.first() else { continue };
        let Some(layer) = layer_of(module) else {
            findings.push(format!(
                "{}:1: `{module}` has no layer; add it to LAYERS in core/tests/tidy/layers.rs",
                file.path
            ));
            continue;
        };
        for named in paths(&without_tests(&code_only(&file.text))) {
            let Some(used) = used_module(&place, &named.parts) else { continue };
            let at = format!("{}:{}", file.path, named.line);
            match layer_of(&used) {
                Some(other) if other.name == layer.name || layer.uses.contains(&other.name) => {
                    if used != *module {
                        graph.entry(module.clone()).or_default().insert(used);
                    }
                }
                Some(other) => findings.push(format!(
                    "{at}: `{}` is in the layer {}, and {} may not use {}; move what is needed down",
                    named.parts.join("::"),
                    layer.name,
                    layer.name,
                    other.name
                )),
                None => findings.push(format!(
                    "{at}: `{}` is no module with a layer; name the module, so that its layer can be seen",
                    named.parts.join("::")
                )),
            }
        }
    }
    findings.extend(cycles(&graph));
    findings
}

/// `core/src/policy/format.rs` is `[policy, format]`; `core/src/policy/mod.rs` is `[policy]`; the root is empty.
fn module_path(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches("core/src/").trim_end_matches(".rs");
    inner.split('/').filter(|part| !matches!(*part, "mod" | "lib")).map(str::to_owned).collect()
}

/// Which module of the crate's root a path leads to, if it leads there.
fn used_module(place: &[String], parts: &[String]) -> Option<String> {
    let ups = parts.iter().take_while(|part| *part == "super").count();
    let rest = match parts.first()?.as_str() {
        "crate" => &parts[1..],
        "super" if ups >= place.len() => &parts[ups..],
        _ => return None,
    };
    // `crate` alone stands in `pub(crate)`.
    rest.first().cloned()
}

/// Modules that use one another in a circle.
fn cycles(graph: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let reaches = |from: &str, to: &str| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(module) = open.pop() {
            for next in graph.get(module).into_iter().flatten() {
                if next == to {
                    return true;
                }
                if seen.insert(next.as_str()) {
                    open.push(next);
                }
            }
        }
        false
    };
    let circle: Vec<&str> = graph.keys().map(String::as_str).filter(|module| reaches(module, module)).collect();
    if circle.is_empty() {
        return Vec::new();
    }
    vec![format!("core/src: modules use one another in a circle: {}; move what they share down", circle.join(", "))]
}

#[cfg(test)]
fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}

#[test]
fn the_table_itself_runs_downwards() {
    for (height, layer) in LAYERS.iter().enumerate() {
        for used in layer.uses {
            let position = LAYERS.iter().position(|other| other.name == *used);
            assert!(position.is_some_and(|below| below < height), "{} uses {used}", layer.name);
        }
    }
}

#[test]
fn an_upward_import_is_found() {
    for (path, text) in [
        ("core/src/value.rs", "use crate::condition::Program;"),
        ("core/src/value.rs", "fn a() { crate::engine::Engine::new() }"),
        ("core/src/condition/cel.rs", "use crate::{error::Code, policy::Policy};"),
        ("core/src/condition/cel.rs", "use super::super::policy::Policy;"),
        ("core/src/policy/mod.rs", "use super::engine::Engine;"),
        ("core/src/policy/signal.rs", "use crate::decision::Name;"),
        ("core/src/state/cache.rs", "use crate::engine::Engine;"),
        ("core/src/combine.rs", "use crate::state::Signals;"),
        ("core/src/engine.rs", "use crate::drill::Drill;"),
        ("core/src/engine.rs", "use crate::Engine;"),
        ("core/src/widgets.rs", "fn a() {}"),
    ] {
        let found = check(&[file(path, text)]);
        assert_eq!(found.len(), 1, "{path} `{text}`: {found:?}");
        assert!(found[0].starts_with(path), "{found:?}");
    }
}

#[test]
fn a_downward_import_passes() {
    let files = [
        file("core/src/lib.rs", "pub mod engine; pub use crate::engine::Engine;"),
        file(
            "core/src/condition/cel.rs",
            "use super::program::Program;\npub(crate) fn a() { crate::error::quoted(b) }",
        ),
        file("core/src/engine.rs", "use crate::{combine, state::signals, policy::Policy};"),
        file(
            "core/src/value.rs",
            "/// See [`crate::engine`].\nfn a() {}\n#[cfg(test)]\nmod tests { use crate::engine; }",
        ),
    ];
    assert!(check(&files).is_empty(), "{:?}", check(&files));
}

#[test]
fn a_circle_is_found() {
    let files =
        [file("core/src/value.rs", "use crate::time::Now;"), file("core/src/time.rs", "use crate::value::Value;")];
    assert_eq!(check(&files).len(), 1);
}
