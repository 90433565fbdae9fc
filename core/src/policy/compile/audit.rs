//! Audit: which decisions are recorded, and the paths of what must not be written.

use super::Compiler;
use crate::error::{Code, quoted};
use crate::policy::audit::{AuditSpec, Path, Replacement};
use crate::policy::format::{ActionAudit, AuditLevel, Pack};

/// Of a million ordinary allows, how many are recorded where a pack does not say.
const SAMPLED_PER_MILLION: u32 = 10_000;

/// The most paths that a pack may redact.
const PATHS_MAX: usize = 1_000;

impl Compiler<'_> {
    /// What is recorded; nothing where the pack declares no audit at all.
    pub(super) fn audit(&mut self, pack: &Pack) -> Option<AuditSpec> {
        let Some(audit) = &pack.audit else {
            let declared =
                pack.actions.values().any(|action| action.audit.is_some_and(|level| level != ActionAudit::None));
            return declared.then(|| AuditSpec {
                level: AuditLevel::None,
                sampled_per_million: SAMPLED_PER_MILLION,
                redaction: [].into(),
            });
        };
        let sampled = audit.level == AuditLevel::Sampled
            || pack.actions.values().any(|action| action.audit == Some(ActionAudit::Sampled));
        if let Some(sample) = audit.sample {
            if !(sample > 0.0 && sample <= 1.0) {
                let help = "write a share above 0 and at most 1, as in `0.01`";
                self.fault(Code::InvalidValue, "/audit/sample", "this is no share of the decisions", help);
            } else if !sampled {
                let message = "nothing is sampled, so that this says nothing";
                self.fault(Code::InvalidValue, "/audit/sample", message, "set a level to `sampled`, or leave it out");
            }
        }
        self.limit("/audit", "paths", audit.redact.len().saturating_add(audit.commit.len()), PATHS_MAX);
        let lists = [("redact", Replacement::Tag, &audit.redact), ("commit", Replacement::Commitment, &audit.commit)];
        let mut redaction = Vec::new();
        for (list, replacement, texts) in lists {
            for (at, text) in texts.iter().enumerate().take(PATHS_MAX) {
                match Path::parse(text, replacement) {
                    Ok(path) if self.leads_somewhere(&path, pack) => redaction.push(path),
                    Ok(_) => {
                        let message = format!("the schema declares nothing at {}", quoted(text));
                        let help = "name a declared attribute, `id`, or drop it: what is not declared is never written";
                        self.fault(Code::UnknownAttribute, format!("/audit/{list}/{at}"), message, help);
                    }
                    Err(error) => {
                        let message = format!("{} leads nowhere: {error}", quoted(text));
                        let help = "begin with subject, action, resource or context";
                        self.fault(Code::InvalidValue, format!("/audit/{list}/{at}"), message, help);
                    }
                }
            }
        }
        // Both bounds were looked at: a share is from 0 to 1.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is from 0 to 1")]
        let sampled_per_million =
            audit.sample.map_or(SAMPLED_PER_MILLION, |sample| (sample.clamp(0.0, 1.0) * 1_000_000.0).ceil() as u32);
        Some(AuditSpec { level: audit.level, sampled_per_million, redaction: redaction.into() })
    }

    /// Whether what the path begins with can stand in a record: a mistyped `subject.emial` must not leave the address in.
    fn leads_somewhere(&self, path: &Path, pack: &Pack) -> bool {
        let mut steps = path.steps();
        let (entity, name) = (steps.next().unwrap_or_default(), steps.next().unwrap_or_default());
        let schema = pack.schema.as_ref();
        let in_types = |types: Option<&std::collections::BTreeMap<String, crate::policy::format::Attributes>>| {
            types.is_some_and(|types| types.values().any(|attributes| attributes.contains_key(name)))
        };
        match entity {
            "subject" => name == "id" || in_types(schema.and_then(|schema| schema.subject.as_ref())),
            "resource" => name == "id" || in_types(schema.and_then(|schema| schema.resource.as_ref())),
            "action" => in_types(schema.and_then(|schema| schema.action.as_ref())),
            _ => {
                let context = schema.and_then(|schema| schema.context.as_ref());
                name == "*" || context.is_some_and(|attributes| attributes.contains_key(name))
            }
        }
    }
}
