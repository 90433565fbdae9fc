//! The failover of a pack: its posture and its checks, by number.

use super::postures::Ranked;
use super::{ByName, Compiler};
use crate::error::{Code, nearest, quoted};
use crate::policy::failover::FailoverSpec;
use crate::policy::format::Pack;

impl Compiler<'_> {
    pub(super) fn failover(&mut self, pack: &Pack, ranked: &Ranked<'_>, signals: &ByName) -> Option<FailoverSpec> {
        let failover = pack.failover.as_ref()?;
        let posture = ranked.number(&failover.posture);
        if posture.is_none() {
            let help = nearest(&failover.posture, ranked.entered()).map_or_else(
                || "declare it under `postures`, with a rank above 0".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            let message = format!("no posture but the normal one is named {}", quoted(&failover.posture));
            self.fault(Code::UnknownPosture, "/failover/posture", message, help);
        }
        let checks = self.checks("/failover", &failover.checks, signals);
        Some(FailoverSpec { posture: posture?, checks })
    }
}
