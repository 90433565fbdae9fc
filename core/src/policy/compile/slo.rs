//! Objectives of a pack, held against what can be measured.

use super::Compiler;
use crate::error::Code;
use crate::policy::format::{self, Pack};
use crate::policy::slo::{Aim, Objective, WINDOW_DEFAULT, WINDOW_MAX, WINDOW_MIN};

impl Compiler<'_> {
    /// The objectives, safety first.
    pub(super) fn objectives(&mut self, pack: &Pack) -> Vec<Objective> {
        let Some(slo) = &pack.slo else { return Vec::new() };
        let declared = [(Aim::Safety, &slo.safety), (Aim::Availability, &slo.availability)];
        declared.into_iter().filter_map(|(aim, declared)| self.objective(aim, declared.as_ref()?)).collect()
    }

    fn objective(&mut self, aim: Aim, declared: &format::Objective) -> Option<Objective> {
        let (target, window) = (declared.target, declared.window.unwrap_or(WINDOW_DEFAULT));
        if !(target > 0.0 && target < 1.0) {
            let message = format!("{target} is no target");
            let help = "write a number greater than 0 and less than 1, as in 0.999: a target of 1 has no error budget";
            self.fault(Code::InvalidValue, format!("/slo/{}/target", aim.code()), message, help);
            return None;
        }
        if !(WINDOW_MIN..=WINDOW_MAX).contains(&window) {
            let message = format!("{window} is no window");
            self.fault(
                Code::InvalidValue,
                format!("/slo/{}/window", aim.code()),
                message,
                "write a time from 1m to 35d",
            );
            return None;
        }
        Some(Objective { aim, target, window })
    }
}
