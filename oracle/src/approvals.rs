//! Proposals, approvals, overrides and flags: chapter 21.

use fallgate::condition::Truth;
use fallgate::policy::format::{Approvals, Approver, RuleEffect};
use fallgate::time::Ttl;
use serde_json::Value as Json;

use crate::Time;
use crate::codes::{Shown, key_of};
use crate::pack::{Pack, fits};
use crate::postures::Entry;
use crate::request::Asked;
use crate::rules::Truths;
use crate::told::Oracle;

#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    /// What is proposed, as the proposal writes it.
    operation: Json,
    by: String,
    expires: i64,
    until: Time,
    need: Approvals,
    approved_by: Vec<String>,
    /// Whether it waits: for approvals, or for all else that a leave takes.
    open: bool,
    /// Which entry a leave is about.
    entry: Option<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Override {
    proposal: usize,
    /// For whom, for which actions, and on what.
    covers: Json,
    /// Who approved it, and with which key.
    approved_by: Vec<(String, Option<String>)>,
    until: (Time, i64),
    uses: u64,
}

impl Override {
    fn covers(&self, action: &str, [subject, resource]: &[String; 2]) -> bool {
        texts(&self.covers["subjects"]).any(|held| held == subject)
            && texts(&self.covers["actions"]).any(|pattern| fits(pattern, action))
            && texts(&self.covers["resources"]).any(|pattern| fits(pattern, resource))
    }
}

/// The subject that an approver is, where it is a subject of any type the type is left out.
fn subject_of(pack: &Pack, name: &str) -> Option<(Option<String>, String)> {
    let approver = pack.document.approvers.values().find_map(|group| group.get(name))?;
    match approver {
        Approver::Key(_) => Some((None, name.to_owned())),
        Approver::Person(person) => {
            let (type_name, id) = person.subject.split_once(':')?;
            Some((Some(type_name.to_owned()), id.to_owned()))
        }
    }
}

/// What an operation does, and to what.
fn verb(operation: &Json) -> (&str, &Json) {
    let member = operation.as_object().and_then(|members| members.iter().next());
    member.map(|(verb, of)| (verb.as_str(), of)).expect("it was written by the tests")
}

fn texts(list: &Json) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Json::as_str)
}

fn span(text: &Json) -> Time {
    serde_json::from_value::<Ttl>(text.clone()).expect("it was written by the tests").as_nanos()
}

/// Whether a subject has the benefit of what is proposed.
fn has_benefit(operation: &Json, who: &(Option<String>, String)) -> bool {
    let is = |subject: &str| {
        let (type_name, id) = subject.split_once(':').expect("it is so written");
        id == who.1 && who.0.as_ref().is_none_or(|of| of == type_name)
    };
    texts(&operation["grant_override"]["subjects"]).any(is)
}

impl Oracle {
    /// What an operation takes, where it can be proposed at all.
    fn takes(&self, pack: &Pack, operation: &Json) -> Option<Approvals> {
        match verb(operation) {
            ("leave_posture", of) => {
                let posture = of["posture"].as_str()?;
                self.entry(posture, of["scope"].as_str())?;
                pack.posture(posture)?.leave.as_ref()?.approvals.clone()
            }
            ("grant_override", of) => {
                let terms = pack.document.overrides.as_ref()?;
                let within =
                    span(&of["for"]) <= terms.max_window.as_nanos() && of["uses"].as_u64()? <= terms.max_uses.into();
                within.then(|| Approvals { need: terms.need, from: terms.from.clone() })
            }
            ("promote", of) if of["bundle"].as_str() != self.staged() => None,
            ("promote" | "activate", _) => pack.document.rollout.as_ref()?.approvals.clone(),
            (_, of) => pack.document.flags.get(of["flag"].as_str()?)?.approvals.clone(),
        }
    }

    /// Takes a proposal; gives its number, or what it lacks.
    pub fn propose(
        &mut self,
        operation: Json,
        by: &str,
        (issued, expires): (i64, i64),
        shown: Shown,
    ) -> Result<usize, &'static str> {
        let pack = self.pack().ok_or("no_policy")?.clone();
        if !self.clock_ok {
            return Err("clock_failed");
        }
        subject_of(&pack, by).ok_or("unknown_approver")?;
        if issued > self.wall || expires <= self.wall || issued < self.began {
            return Err("not_of_now");
        }
        let need = self.takes(&pack, &operation).ok_or("no_approvals_declared")?;
        let counts =
            |name: &String| name != by && subject_of(&pack, name).is_some_and(|who| !has_benefit(&operation, &who));
        if pack.document.approvers[&need.from].keys().filter(|name| counts(name)).count() < need.need as usize {
            return Err("too_few_are_left");
        }
        self.prove(&pack, by, shown)?;
        let leaves = &operation["leave_posture"];
        let is = |held: &Entry| leaves["posture"] == held.posture && leaves["scope"].as_str() == held.scope.as_deref();
        let entry = self.entries.iter().rposition(is);
        let until = self.by_monotonic(expires);
        let by = by.to_owned();
        self.proposals.push(Proposal {
            operation,
            by,
            expires,
            until,
            need,
            approved_by: Vec::new(),
            open: true,
            entry,
        });
        Ok(self.proposals.len() - 1)
    }

    /// Counts an approval, or says why it does not count.
    pub fn approve(&mut self, number: usize, by: &str, shown: Shown) -> Result<(), &'static str> {
        let pack = self.pack().ok_or("no_policy")?.clone();
        if !self.clock_ok {
            return Err("clock_failed");
        }
        let proposal = self.proposals.get(number).filter(|found| found.open).ok_or("unknown_proposal")?.clone();
        let who = subject_of(&pack, by).ok_or("unknown_approver")?;
        if !pack.document.approvers[&proposal.need.from].contains_key(by) {
            return Err("not_of_the_group");
        }
        if proposal.by == by {
            return Err("own_proposal");
        }
        if has_benefit(&proposal.operation, &who) {
            return Err("beneficiary");
        }
        if proposal.approved_by.iter().any(|name| name == by) {
            return Err("already_approved");
        }
        self.prove(&pack, by, shown)?;
        self.proposals[number].approved_by.push(by.to_owned());
        if self.proposals[number].approved_by.len() == proposal.need.need as usize {
            return self.carry_out(&pack, number);
        }
        Ok(())
    }

    fn carry_out(&mut self, pack: &Pack, number: usize) -> Result<(), &'static str> {
        let operation = self.proposals[number].operation.clone();
        let (verb, of) = verb(&operation);
        if verb == "leave_posture" {
            // It waits for the rest: see `leave_what_is_approved`.
            self.touch_now();
            return Ok(());
        }
        let digest = of["bundle"].as_str().unwrap_or_default();
        if verb == "promote" {
            self.approve_promotion(digest);
        }
        if verb == "activate" {
            let Proposal { until, expires, .. } = self.proposals[number];
            self.cleared.push((digest.to_owned(), (until, expires)));
        }
        let flag = of["flag"].as_str().unwrap_or_default();
        let is_set = self.flags.iter().any(|set| set == flag);
        self.flags.retain(|set| set != flag);
        if verb == "set_flag" {
            self.flags.push(flag.to_owned());
        }
        if verb == "grant_override" {
            let window = span(&of["for"]);
            let wall = i64::try_from(window).expect("a window is short");
            let until = (self.now.saturating_add(window), self.wall.saturating_add(wall));
            let uses = of["uses"].as_u64().expect("it was read when it was proposed");
            let who = self.proposals[number].approved_by.iter();
            let approved_by = who.map(|name| (name.clone(), key_of(pack, name).map(str::to_owned))).collect();
            self.overrides.push(Override { proposal: number, covers: of.clone(), approved_by, until, uses });
        }
        self.proposals[number].open = false;
        self.touch_now();
        self.follow_rollout();
        if verb == "clear_flag" && !is_set { Err("not_set") } else { Ok(()) }
    }

    /// Withdraws a proposal that waits, or says why not.
    pub fn withdraw(&mut self, number: usize, by: &str, shown: Shown) -> Result<(), &'static str> {
        let pack = self.pack().ok_or("no_policy")?.clone();
        let open = self.proposals.get(number).is_some_and(|found| found.open);
        subject_of(&pack, by).filter(|_| open).ok_or("unknown_proposal")?;
        self.prove(&pack, by, shown)?;
        self.proposals[number].open = false;
        Ok(())
    }

    /// Ends an override, where there is one.
    pub fn revoke_override(&mut self, number: usize) -> Result<(), &'static str> {
        let before = self.overrides.len();
        self.overrides.retain(|held| held.proposal != number);
        if self.overrides.len() < before { Ok(()) } else { Err("unknown_override") }
    }

    /// How many proposals wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.proposals.iter().filter(|proposal| proposal.open).count()
    }

    /// How many uses are left of all overrides that are in force.
    #[must_use]
    pub fn uses_left(&self) -> u64 {
        self.overrides.iter().map(|held| held.uses).sum()
    }

    /// Sets or clears a flag by an operator's word, or says why not.
    pub fn put_flag(&mut self, flag: &str, set: bool) -> Result<(), &'static str> {
        let pack = self.pack().ok_or("no_policy")?;
        if pack.document.flags.get(flag).ok_or("unknown_flag")?.approvals.is_some() {
            return Err("not_approved");
        }
        let is_set = self.flags.iter().any(|held| held == flag);
        if !set && !is_set {
            return Err("not_set");
        }
        self.flags.retain(|held| held != flag);
        if set {
            self.flags.push(flag.to_owned());
        }
        self.touch_now();
        Ok(())
    }

    /// Whether a flag holds a posture.
    pub(crate) fn is_flagged(&self, pack: &Pack, posture: &str) -> bool {
        self.flags.iter().any(|flag| pack.document.flags.get(flag).is_some_and(|flag| flag.posture == posture))
    }

    /// Leaves what may be left now by approvals that are in.
    pub(crate) fn leave_what_is_approved(&mut self, pack: &Pack, at: Time) {
        for number in 0..self.proposals.len() {
            let proposal = self.proposals[number].clone();
            let leaves = &proposal.operation["leave_posture"];
            let (Some(posture), true) = (leaves["posture"].as_str(), proposal.open) else { continue };
            let left = proposal.entry.is_none_or(|entry| self.entries[entry].left.is_some());
            let is_approved = proposal.approved_by.len() >= proposal.need.need as usize;
            if at >= proposal.until || left {
                self.proposals[number].open = false;
            } else if is_approved && self.may_leave(pack, posture, leaves["scope"].as_str(), at).is_ok() {
                self.proposals[number].open = false;
                self.leave_at(posture, leaves["scope"].as_str(), at);
            }
        }
    }

    /// Closes what time has ended.
    pub(crate) fn end_approvals(&mut self) {
        let (now, wall) = (self.now, self.wall);
        for proposal in &mut self.proposals {
            proposal.open &= now < proposal.until && wall < proposal.expires;
        }
        self.overrides.retain(|held| now < held.until.0 && wall < held.until.1 && held.uses > 0);
    }

    /// Closes what does not outlive clocks that part.
    pub(crate) fn void_approvals(&mut self) {
        self.proposals.iter_mut().for_each(|proposal| proposal.open = false);
        self.overrides.clear();
        self.cleared.clear();
    }

    /// Closes what was proposed about a candidate that is none any more.
    pub(crate) fn close_promotions(&mut self) {
        let promotions = self.proposals.iter_mut().filter(|proposal| verb(&proposal.operation).0 == "promote");
        promotions.for_each(|proposal| proposal.open = false);
    }

    /// Closes what does not outlive another bundle.
    pub(crate) fn void_by(&mut self, before: &Pack, new: &Pack) {
        if before.text != new.text {
            self.proposals.iter_mut().for_each(|proposal| proposal.open = false);
            self.cleared.clear();
        }
        // It stays where the new one would have granted it on the word of those who did approve it.
        self.overrides.retain(|held| {
            let still = |(name, key): &&(String, Option<String>)| key_of(new, name) == key.as_deref();
            let still = held.approved_by.iter().filter(still).count();
            new.document.overrides.as_ref().is_some_and(|terms| still >= terms.need as usize)
        });
    }

    /// Whether an override covers a request that names all that it has to.
    pub(crate) fn is_covered(&self, [subject_type, subject, action, resource_type, resource]: [&str; 5]) -> bool {
        let parties = [[subject_type, subject].join(":"), [resource_type, resource].join(":")];
        self.overrides.iter().any(|held| held.covers(action, &parties))
    }

    /// Gets past a deny, if an override covers the request; gives the proposal of it, and the obligation of its review.
    /// What only waits for its record uses none up.
    pub(crate) fn override_deny(
        &mut self,
        pack: &Pack,
        asked: &Asked,
        truths: &Truths<'_>,
        uses: bool,
    ) -> Option<(usize, Vec<String>)> {
        let stands = |(rule, truth): &(&fallgate::policy::format::Rule, Truth)| {
            rule.effect == RuleEffect::Deny && rule.absolute && *truth != Truth::False
        };
        if truths.iter().any(stands) || self.is_quarantined(pack, asked, true) {
            return None;
        }
        let text = |entity, name| asked.text(entity, name).unwrap();
        let parties = ["subject", "resource"].map(|entity| [text(entity, "type"), text(entity, "id")].join(":"));
        let held = self.overrides.iter_mut().find(|held| held.covers(&asked.action, &parties))?;
        held.uses -= u64::from(uses);
        let proposal = held.proposal;
        self.overrides.retain(|held| held.uses > 0);
        let review = pack.document.overrides.as_ref().and_then(|terms| terms.review.as_ref());
        Some((proposal, review.map(|review| review.id.clone()).into_iter().collect()))
    }
}
