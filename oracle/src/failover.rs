//! Who is active: chapter 22, from S-22.10 on.

use fallgate::condition::Status;
use serde_json::Value as Json;

use crate::Time;
use crate::pack::Pack;
use crate::told::Oracle;

/// What is known of who is active.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    /// The epoch of this engine, and whether it claims to be active with it.
    own: u64,
    is_active: bool,
    /// The highest epoch that was seen.
    seen: u64,
    /// Whether another engine is known to claim to be active as well.
    pub(crate) contested: bool,
    /// The postures that were entered everywhere for this, and were not left since.
    pub(crate) entered_for: Vec<String>,
}

impl Claims {
    /// What is known after a restart, which makes nobody active.
    pub(crate) fn restored(&self, known: impl Fn(&str) -> bool) -> Self {
        let entered_for = self.entered_for.iter().filter(|posture| known(posture)).cloned().collect();
        Self { is_active: false, contested: false, entered_for, ..self.clone() }
    }
}

impl Oracle {
    /// Makes this engine the active one; gives the epoch that it claims.
    pub fn take_over(&mut self) -> Result<u64, &'static str> {
        let pack = self.pack().ok_or("no_policy")?.clone();
        let own = self.claims.own.max(self.claims.seen) + 1;
        (self.claims.own, self.claims.seen) = (own, own);
        (self.claims.is_active, self.claims.contested) = (true, false);
        // Another engine may have carried out meanwhile what was proposed.
        self.void_approvals();
        self.began = self.began.max(self.wall);
        if let Some(posture) = pack.text["failover"]["posture"].as_str() {
            self.enter_for_failover(posture);
        }
        self.touch_now();
        Ok(own)
    }

    /// Takes in a claim, of another engine or of one that goes by the name of this one.
    pub fn witness(&mut self, epoch: u64, by_another: bool) {
        let is_rival = self.claims.is_active && (by_another || epoch > self.claims.own);
        let is_news = is_rival && (!self.claims.contested || epoch > self.claims.seen);
        self.claims.seen = self.claims.seen.max(epoch);
        self.claims.contested |= is_rival;
        if is_news {
            let pack = self.pack().expect("who is active has a bundle").clone();
            let named = pack.text["failover"]["posture"].as_str();
            let posture =
                named.unwrap_or_else(|| &pack.postures().last().expect("the packs of these days have some").name);
            self.enter_for_failover(posture);
        }
        self.touch_now();
    }

    /// Gives up being active.
    pub fn resign(&mut self) -> Result<(), &'static str> {
        if !self.claims.is_active {
            return Err("not_active");
        }
        (self.claims.is_active, self.claims.contested) = (false, false);
        self.touch_now();
        Ok(())
    }

    fn enter_for_failover(&mut self, posture: &str) {
        self.put(posture, None, self.now, 0);
        if !self.claims.entered_for.iter().any(|name| name == posture) {
            self.claims.entered_for.push(posture.to_owned());
        }
    }

    /// Whether what a failover demands before its posture is left is not there.
    pub(crate) fn lacks_failover_checks(&self, pack: &Pack, posture: &str, scope: Option<&str>, at: Time) -> bool {
        let applies = scope.is_none() && self.claims.entered_for.iter().any(|name| name == posture);
        let checks = pack.text["failover"]["checks"].as_array().into_iter().flatten().filter_map(Json::as_str);
        applies && checks.chain(["epoch"]).any(|check| self.status(pack, check, at) != Status::Ok)
    }
}
