//! Conditions on requests that are not part of a pack: compiled against it when an operator quarantines by one.

use super::Policy;
use super::postures::Vocabulary;
use crate::condition::program::Program;
use crate::condition::{Scope, SignalView, Truth, cel};
use crate::error::{Code, Diagnostic};
use crate::limits::Limits;
use crate::policy::schema::{Schema, Slots};
use crate::request::{RequestView, Spelling};
use crate::time::Now;

/// Conditions, each of which selects requests.
#[derive(Debug)]
pub struct Conditions {
    /// The policy's schema, with slots for what these conditions read. Those of the rules stay as they are.
    schema: Schema,
    /// Nothing where not all could be compiled: then every request is selected.
    programs: Option<Vec<Program>>,
}

/// What a decision lets such conditions read, besides the request.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The signals.
    pub signals: &'a [SignalView],
    /// The time.
    pub now: Now,
    /// Whether the wall clock is to be trusted.
    pub clock_ok: bool,
    /// How many steps each condition may take.
    pub steps_max: u32,
}

impl Conditions {
    /// Compiles conditions against a policy. They read requests, signals and the time; the posture comes after quarantine,
    /// and a pack's data is its rules' own.
    ///
    /// # Errors
    /// The first mistake, with the number of its text in the pointer.
    pub fn compile<'t>(
        policy: &Policy,
        texts: impl IntoIterator<Item = &'t str>,
        limits: &Limits,
    ) -> Result<Self, Diagnostic> {
        let mut schema = policy.schema.clone();
        let mut programs = Vec::new();
        for (at, text) in texts.into_iter().enumerate() {
            let signals = &policy.signal_numbers;
            let mut names = Vocabulary { schema: &mut schema, signals, data: None, postures: None };
            let pointer = format!("/{at}");
            let first = |found: Vec<Diagnostic>| {
                let unknown = || Diagnostic::new(Code::ConditionSyntax, "", "the condition cannot be compiled");
                Diagnostic { pointer: pointer.clone(), ..found.into_iter().next().unwrap_or_else(unknown) }
            };
            let program = cel::compile(text, &mut names, limits).map_err(first)?;
            if let Some(span) = program.falls() {
                let message = "the condition could become false, and quarantine no longer, when what it tests is lost";
                return Err(Diagnostic::new(Code::InformationLoss, pointer, message)
                    .with_span(span)
                    .with_help("test for absence, not for presence, or drop the test"));
            }
            programs.push(program);
        }
        if schema.slots().len() > limits.slots_max {
            let message = format!("more attributes are read than the limit of {}", limits.slots_max);
            return Err(Diagnostic::new(Code::LimitExceeded, "", message));
        }
        Ok(Self { schema, programs: Some(programs) })
    }

    /// What stands for conditions that cannot be compiled any more: every request is selected.
    #[must_use]
    pub fn of_everything() -> Self {
        Self { schema: Schema::default(), programs: None }
    }

    /// Whether any of them selects the request: one that cannot be established does.
    #[must_use]
    pub fn select(&self, request: &RequestView<'_>, seen: Seen<'_>) -> bool {
        self.any(request, seen, |_| true)
    }

    /// Whether any of those that are marked does, by the order in which they were compiled.
    #[must_use]
    pub fn select_marked(&self, marked: &[bool], request: &RequestView<'_>, seen: Seen<'_>) -> bool {
        marked.contains(&true) && self.any(request, seen, |at| marked.get(at) == Some(&true))
    }

    fn any(&self, request: &RequestView<'_>, seen: Seen<'_>, counts: impl Fn(usize) -> bool) -> bool {
        let Some(programs) = &self.programs else { return true };
        let arena = bumpalo::Bump::new();
        let mut slots = Slots::new();
        if self.schema.fill(request, &Spelling::of(request), &arena, &mut slots).is_err() {
            return true;
        }
        programs.iter().enumerate().filter(|(at, _)| counts(*at)).any(|(_, program)| {
            let arena = bumpalo::Bump::new();
            let scope = Scope {
                slots: &slots,
                signals: seen.signals,
                posture: None,
                monotonic: seen.now.monotonic,
                wall: seen.clock_ok.then(|| seen.now.wall.as_timestamp()),
                arena: &arena,
                steps_left: std::cell::Cell::new(seen.steps_max),
            };
            program.truth(&scope) != Truth::False
        })
    }
}
