//! A rule whose condition is an entry point of a Rego module, and what it reads that no request is said to have.

use std::collections::BTreeSet;

use super::Compiler;
use super::postures::Vocabulary;
use crate::condition::Names;
use crate::condition::rego::{InputPath, Modules};
use crate::error::{Code, Diagnostic, quoted};
use crate::policy::rule::Condition;
use crate::reason::Effect;

/// What the input has beside the parts of the request (spec 1.10).
const BESIDE_THE_REQUEST: [&str; 3] = ["signals", "posture", "now"];

impl Compiler<'_> {
    /// The condition that asks this entry point, where there is one.
    pub(super) fn rego_condition(
        &mut self,
        pointer: &str,
        path: &str,
        effect: Effect,
        names: &mut Vocabulary<'_>,
        modules: Option<&Modules>,
    ) -> Option<Condition> {
        let Some(modules) = modules else {
            let message = format!("{} is not there: the pack has no usable Rego module", quoted(path));
            self.fault(Code::RegoEntryPoint, pointer, message, "put the module into the folder `rego`");
            return None;
        };
        let entry = if effect == Effect::Deny { modules.deny_entry_point(path) } else { modules.entry_point(path) };
        match entry {
            Ok(entry) => {
                self.warn_of_undeclared(pointer, entry.input_paths(), names);
                Some(Condition::Rego(Box::new(entry.requiring(|path| names.schema.says_optional(path)))))
            }
            Err(found) => {
                self.found.push(Diagnostic { pointer: pointer.to_owned(), ..found });
                None
            }
        }
    }

    /// Warns of each path that is misspelt or undeclared. It has to be there for the rule to be evaluated (spec 1.3), so a
    /// slip of the pen leaves the rule indeterminate for every request; a compiler of CEL refuses it.
    fn warn_of_undeclared(&mut self, pointer: &str, paths: &[InputPath], names: &mut Vocabulary<'_>) {
        let undeclared: BTreeSet<(&[String], Option<String>)> = paths
            .iter()
            .filter(|path| path.first().is_none_or(|root| !BESIDE_THE_REQUEST.contains(&root.as_str())))
            .filter_map(|path| names.schema.undeclared(path))
            .collect();
        for (path, meant) in undeclared {
            let path = format!("input.{}", path.join("."));
            let message = format!(
                "the schema does not declare {}, which this entry point reads: for a request without it the rule is indeterminate",
                quoted(&path)
            );
            let help = meant.map_or_else(
                || "declare it under `schema`, with `optional: true` where it may be absent".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            self.warnings.push(Diagnostic::new(Code::UnknownAttribute, pointer, message).with_help(help));
        }
        let signals: BTreeSet<&String> = paths
            .iter()
            .filter(|path| path.first().is_some_and(|root| root == "signals"))
            .filter_map(|path| path.get(1))
            .collect();
        for signal in signals {
            let Err(meant) = names.signal(signal) else { continue };
            let message = format!(
                "no signal is named {}, whose state this entry point reads: for every request the rule is indeterminate",
                quoted(signal)
            );
            let help = meant
                .map_or_else(|| "declare it under `signals`".to_owned(), |meant| format!("did you mean `{meant}`?"));
            self.warnings.push(Diagnostic::new(Code::UnknownSignal, pointer, message).with_help(help));
        }
    }
}
