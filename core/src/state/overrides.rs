//! Overrides: denies that approved people may get past for a while, so often, and no more (spec 1.9).
//!
//! An override ends by its window, by its uses, by being revoked, when the clocks are not to be trusted, and when a bundle
//! becomes active that would not have granted it. What covers the same may not last longer than one window may, however
//! many overrides it is made of.

use std::sync::Arc;

use super::approvals::ApprovalError;
use super::proposal::{GrantOverride, ProposalId};
use crate::concurrent::{AtomicU32, Ordering};
use crate::error::quoted;
use crate::name::Name;
use crate::policy::approver::{Fingerprint, OverrideSpec};
use crate::policy::compile::Policy;
use crate::request::RequestView;
use crate::time::{Monotonic, Now, Ttl, Wall};

/// How many subjects, actions or resources one override may name.
const NAMED_MAX: usize = 64;

/// What an override covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// Subjects, by type and id.
    subjects: Vec<(Box<str>, Box<str>)>,
    actions: Vec<ActionPattern>,
    /// Resources, by type and id; nothing for all of the type.
    resources: Vec<(Box<str>, Option<Box<str>>)>,
}

/// An action, or the beginning of several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ActionPattern {
    Exactly(Box<str>),
    StartingWith(Box<str>),
}

/// Why an override ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// Its window is over.
    Window,
    /// It was used as often as it may be.
    Uses,
    /// An operator revoked it.
    Revoked,
    /// The engine restored a state or took over: nobody here knows how often it was used.
    Anew,
    /// The clocks are not to be trusted.
    Clock,
    /// The bundle that is active now would not have granted it.
    Bundle,
}

impl End {
    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Uses => "uses",
            Self::Revoked => "revoked",
            Self::Anew => "anew",
            Self::Clock => "clock",
            Self::Bundle => "bundle",
        }
    }
}

/// An override that was granted; shared with decisions, which count its uses.
#[derive(Debug)]
pub struct Grant {
    /// The proposal that granted it, which is its name too.
    pub id: ProposalId,
    /// What it covers.
    pub scope: Scope,
    /// Since when it is in force.
    pub from: Monotonic,
    /// When it ends, exclusive, on the monotonic clock.
    pub until: Monotonic,
    /// When it ends, exclusive, on the wall clock: the earlier of the two counts.
    pub until_wall: Wall,
    /// How many uses were granted.
    pub uses: u32,
    /// Who approved it, with what.
    pub approvers: Vec<(Name, Fingerprint)>,
    /// How many uses are left.
    left: AtomicU32,
}

/// An override that is over, for as long as it counts against another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// What it covered.
    pub scope: Scope,
    /// Since when what it belongs to was covered.
    pub covered_from: Monotonic,
    /// When it ended.
    pub ended: Monotonic,
}

/// All overrides.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Those in force, with since when what they belong to is covered, oldest first.
    active: Vec<(Monotonic, Arc<Grant>)>,
    past: Vec<Past>,
    /// The longest window of any bundle so far: for so long what is past counts.
    window_max: Ttl,
    overrides_max: usize,
    in_force: Arc<[Arc<Grant>]>,
}

impl Scope {
    /// The scope of a proposal.
    ///
    /// # Errors
    /// What is wrong with it: nothing named, too much, or everything at once.
    pub fn of(grant: &GrantOverride) -> Result<Self, String> {
        for (name, list) in
            [("subjects", &grant.subjects), ("actions", &grant.actions), ("resources", &grant.resources)]
        {
            if list.is_empty() || list.len() > NAMED_MAX {
                return Err(format!("`{name}` has {} items: 1 to {NAMED_MAX}", list.len()));
            }
        }
        let parts = |text: &str| -> Result<(Box<str>, Box<str>), String> {
            match text.split_once(':') {
                Some((kind, id)) if !kind.is_empty() && !id.is_empty() && !kind.contains('*') => {
                    Ok((kind.into(), id.into()))
                }
                _ => Err(format!("{} names nobody and nothing; write it as in `user:alice`", quoted(text))),
            }
        };
        let subject = |text: &String| match parts(text)? {
            (_, id) if &*id == "*" => Err(format!("{} would be everybody; name the subjects", quoted(text))),
            subject => Ok(subject),
        };
        let action = |text: &String| match text.strip_suffix('*') {
            Some("") => Err("`*` would be every action; name them, or the beginning of several".to_owned()),
            Some(start) => Ok(ActionPattern::StartingWith(start.into())),
            None => Ok(ActionPattern::Exactly(text.as_str().into())),
        };
        let resource = |text: &String| {
            let (kind, id) = parts(text)?;
            Ok::<_, String>((kind, (&*id != "*").then_some(id)))
        };
        let mut scope = Self {
            subjects: grant.subjects.iter().map(subject).collect::<Result<_, _>>()?,
            actions: grant.actions.iter().map(action).collect::<Result<_, _>>()?,
            resources: grant.resources.iter().map(resource).collect::<Result<_, _>>()?,
        };
        scope.subjects.sort();
        scope.actions.sort();
        scope.resources.sort();
        Ok(scope)
    }

    /// Whether a request is covered.
    #[must_use]
    pub fn covers(&self, request: &RequestView<'_>) -> bool {
        let (subject, resource) = (&request.subject, &request.resource);
        self.has_subject(subject.party_type, subject.id)
            && self.actions.iter().any(|pattern| pattern.admits(request.action.name))
            && self
                .resources
                .iter()
                .any(|(kind, id)| **kind == *resource.party_type && id.as_ref().is_none_or(|id| **id == *resource.id))
    }

    /// Whether this subject has the benefit.
    #[must_use]
    pub fn has_subject(&self, subject_type: &str, id: &str) -> bool {
        self.subjects.iter().any(|(kind, own)| **kind == *subject_type && **own == *id)
    }

    /// The subjects that have the benefit, by type and id.
    pub fn subjects(&self) -> impl Iterator<Item = (&str, &str)> {
        self.subjects.iter().map(|(kind, id)| (&**kind, &**id))
    }

    /// The first action named that the policy does not declare.
    #[must_use]
    pub fn unknown_action(&self, policy: &Policy) -> Option<&str> {
        let unknown = |pattern: &&ActionPattern| !policy.actions.iter().any(|action| pattern.admits(&action.name));
        self.actions.iter().find(unknown).map(ActionPattern::text)
    }

    /// Whether there is a request that both cover.
    fn overlaps(&self, other: &Self) -> bool {
        let resource = |a: &(Box<str>, Option<Box<str>>), b: &(Box<str>, Option<Box<str>>)| {
            a.0 == b.0 && a.1.as_ref().zip(b.1.as_ref()).is_none_or(|(a, b)| a == b)
        };
        self.subjects.iter().any(|one| other.subjects.contains(one))
            && self.actions.iter().any(|one| other.actions.iter().any(|two| one.overlaps(two)))
            && self.resources.iter().any(|one| other.resources.iter().any(|two| resource(one, two)))
    }
}

impl ActionPattern {
    fn admits(&self, action: &str) -> bool {
        match self {
            Self::Exactly(name) => **name == *action,
            Self::StartingWith(start) => action.starts_with(&**start),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Exactly(text) | Self::StartingWith(text) => text,
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exactly(name), pattern) | (pattern, Self::Exactly(name)) => pattern.admits(name),
            (Self::StartingWith(a), Self::StartingWith(b)) => a.starts_with(&**b) || b.starts_with(&**a),
        }
    }
}

impl Grant {
    /// An override as it is granted: from then until then, with all of its uses.
    #[must_use]
    pub fn new(asked: Granting, from: Monotonic, until: Monotonic, until_wall: Wall) -> Self {
        let Granting { id, scope, window: _, uses, approvers } = asked;
        Self { id, scope, from, until, until_wall, uses, approvers, left: AtomicU32::new(uses) }
    }

    /// Whether it covers the request now, and has a use left.
    #[must_use]
    pub fn covers(&self, request: &RequestView<'_>, now: Now) -> bool {
        self.holds(now) && self.scope.covers(request)
    }

    /// Takes one use; how many are left then. Nothing where there was none: of any number of threads, never more than
    /// were granted get one.
    #[must_use]
    pub fn take_use(&self) -> Option<u32> {
        let taken = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
        taken.ok().map(|before| before.saturating_sub(1))
    }

    /// How many uses are left.
    #[must_use]
    pub fn uses_left(&self) -> u32 {
        self.left.load(Ordering::Acquire)
    }

    fn holds(&self, now: Now) -> bool {
        now.monotonic < self.until && now.wall < self.until_wall && self.uses_left() > 0
    }
}

/// What is asked of [`Overrides::grant`].
#[derive(Clone, Debug)]
pub struct Granting {
    /// The proposal.
    pub id: ProposalId,
    /// What is covered.
    pub scope: Scope,
    /// For how long.
    pub window: Ttl,
    /// How often.
    pub uses: u32,
    /// Who approved it, with what.
    pub approvers: Vec<(Name, Fingerprint)>,
}

impl Overrides {
    /// None; at most `overrides_max` are remembered.
    #[must_use]
    pub fn new(overrides_max: usize) -> Self {
        Self { overrides_max, ..Self::default() }
    }

    /// Those in force, as decisions see them.
    #[must_use]
    pub fn in_force(&self) -> Arc<[Arc<Grant>]> {
        Arc::clone(&self.in_force)
    }

    /// Grants an override from now on; how it was granted. It is shortened where what it covers would be covered for
    /// longer than one window may last, by overrides that overlap and follow one another within that time.
    ///
    /// # Errors
    /// [`ApprovalError::CoveredTooLong`] where nothing of the window is left, [`ApprovalError::NoRoom`].
    pub fn grant(&mut self, asked: Granting, spec: &OverrideSpec, now: Now) -> Result<Arc<Grant>, ApprovalError> {
        self.window_max = self.window_max.max(spec.max_window);
        self.forget(now.monotonic);
        if self.active.len().saturating_add(self.past.len()) >= self.overrides_max {
            return Err(ApprovalError::NoRoom);
        }
        let at = now.monotonic;
        let active = self.active.iter().filter(|(_, grant)| grant.scope.overlaps(&asked.scope)).map(|(from, _)| *from);
        let lately =
            self.past.iter().filter(|past| past.scope.overlaps(&asked.scope) && at < past.ended.after(self.window_max));
        let covered_from = active.chain(lately.map(|past| past.covered_from)).chain([at]).min().unwrap_or(at);
        let until = at.after(asked.window.min(spec.max_window)).min(covered_from.after(spec.max_window));
        if until <= at {
            return Err(ApprovalError::CoveredTooLong);
        }
        let span = i64::try_from(until.nanos_since(at)).unwrap_or(i64::MAX);
        let until_wall = Wall::from_nanos(now.wall.as_nanos().saturating_add(span));
        let asked = Granting { uses: asked.uses.min(spec.max_uses), ..asked };
        let grant = Arc::new(Grant::new(asked, at, until, until_wall));
        self.active.push((covered_from, Arc::clone(&grant)));
        self.reckon();
        Ok(grant)
    }

    /// Ends those whose window or uses are over; which, when and why.
    pub fn expire(&mut self, now: Now) -> Vec<(Monotonic, ProposalId, End)> {
        let ended = self.end(now.monotonic, |grant| match grant.holds(now) {
            true => None,
            false if grant.uses_left() == 0 => Some((now.monotonic, End::Uses)),
            false => Some((grant.until.min(now.monotonic), End::Window)),
        });
        self.forget(now.monotonic);
        ended
    }

    /// Ends one.
    ///
    /// # Errors
    /// [`ApprovalError::UnknownOverride`].
    pub fn revoke(&mut self, id: ProposalId, at: Monotonic) -> Result<(), ApprovalError> {
        let ended = self.end(at, |grant| (grant.id == id).then_some((at, End::Revoked)));
        if ended.is_empty() { Err(ApprovalError::UnknownOverride) } else { Ok(()) }
    }

    /// Ends all.
    pub fn end_all(&mut self, at: Monotonic, why: End) -> Vec<(Monotonic, ProposalId, End)> {
        self.end(at, |_| Some((at, why)))
    }

    /// Ends those that this policy would not have granted, or that people approved who may no longer.
    pub fn carry(&mut self, policy: &Policy, at: Monotonic) -> Vec<(Monotonic, ProposalId, End)> {
        let stays = |grant: &Grant| {
            let Some(spec) = &policy.approvers.overrides else { return false };
            let may = |(name, of): &&(Name, Fingerprint)| {
                let member = policy.approvers.member_of(spec.quorum.group, name);
                member.is_some_and(|member| {
                    member.verifier.fingerprint() == *of
                        && !grant.scope.subjects().any(|(kind, id)| member.is_subject(kind, id))
                })
            };
            let approvals = grant.approvers.iter().filter(may).count();
            approvals >= usize::try_from(spec.quorum.need).unwrap_or(usize::MAX)
                && grant.until.nanos_since(grant.from) <= spec.max_window.as_nanos()
                && grant.uses <= spec.max_uses
                && grant.scope.unknown_action(policy).is_none()
        };
        self.end(at, |grant| (!stays(grant)).then_some((at, End::Bundle)))
    }

    /// When time alone next ends one.
    #[must_use]
    pub fn due(&self) -> Option<Monotonic> {
        self.active.iter().map(|(_, grant)| grant.until).min()
    }

    fn end(
        &mut self,
        at: Monotonic,
        why: impl Fn(&Grant) -> Option<(Monotonic, End)>,
    ) -> Vec<(Monotonic, ProposalId, End)> {
        let mut ended = Vec::new();
        let past = &mut self.past;
        self.active.retain(|(covered_from, grant)| {
            let Some((when, why)) = why(grant) else { return true };
            // A decision that still sees it gets nothing out of it any more.
            grant.left.store(0, Ordering::Release);
            past.push(Past { scope: grant.scope.clone(), covered_from: *covered_from, ended: when.min(at) });
            ended.push((when, grant.id, why));
            false
        });
        if !ended.is_empty() {
            self.reckon();
        }
        ended
    }

    /// Forgets what no longer counts against another.
    fn forget(&mut self, at: Monotonic) {
        let window = self.window_max;
        self.past.retain(|past| at < past.ended.after(window));
    }

    fn reckon(&mut self) {
        self.in_force = self.active.iter().map(|(_, grant)| Arc::clone(grant)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::approver::Quorum;

    fn at(seconds: u64) -> Now {
        let wall = i64::try_from(seconds).unwrap() * 1_000;
        Now::new(Monotonic::from_millis(seconds * 1_000), Wall::from_millis(wall))
    }

    fn scope(subjects: &[&str], actions: &[&str], resources: &[&str]) -> Result<Scope, String> {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let (subjects, actions, resources) = (texts(subjects), texts(actions), texts(resources));
        Scope::of(&GrantOverride { subjects, actions, resources, for_: Ttl::ZERO, uses: 1 })
    }

    /// An hour at the most, three uses at the most.
    const SPEC: OverrideSpec = OverrideSpec {
        quorum: Quorum { need: 1, group: 0 },
        max_window: Ttl::from_secs(3_600),
        max_uses: 3,
        review: None,
    };

    fn granting(number: u8, seconds: u64, uses: u32) -> Granting {
        let scope = scope(&["user:ann"], &["pay"], &["order:*"]).unwrap();
        Granting { id: ProposalId([number; 32]), scope, window: Ttl::from_secs(seconds), uses, approvers: Vec::new() }
    }

    #[test]
    fn a_scope_names_few_and_never_all() {
        let many: Vec<String> = (0..65).map(|number| format!("user:u{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(scope(&many[..64], &["a"], &["doc:*"]).is_ok());
        assert!(scope(&many, &["a"], &["doc:*"]).is_err());
        for (subject, action, resource) in [
            ("user:*", "a", "doc:*"),
            (":ann", "a", "doc:*"),
            ("user:", "a", "doc:*"),
            ("us*r:ann", "a", "doc:*"),
            ("ann", "a", "doc:*"),
            ("user:ann", "*", "doc:*"),
            ("user:ann", "a", "*:x"),
            ("user:ann", "a", "doc:"),
        ] {
            assert!(scope(&[subject], &[action], &[resource]).is_err(), "{subject} {action} {resource}");
        }
        let one = scope(&["user:b", "user:a"], &["y", "x*"], &["doc:2", "doc:*"]);
        assert_eq!(one, scope(&["user:a", "user:b"], &["x*", "y"], &["doc:*", "doc:2"]), "in whatever order");
        let one = one.unwrap();
        assert_eq!(one.subjects().collect::<Vec<_>>(), [("user", "a"), ("user", "b")]);
        assert!(one.has_subject("user", "a") && !one.has_subject("user", "c") && !one.has_subject("robot", "a"));
    }

    #[test]
    fn a_request_is_covered_where_subject_action_and_resource_are() {
        use crate::request::{ActionView, Attributes, PartyView};
        let party =
            |party_type: &'static str, id: &'static str| PartyView { party_type, id, properties: Attributes::NONE };
        let covers = |scope: &Scope, subject, action: &'static str, resource| {
            let action = ActionView { name: action, properties: Attributes::NONE };
            scope.covers(&RequestView { subject, action, resource, context: Attributes::NONE })
        };
        let (ann, one) = (party("user", "ann"), party("order", "1"));
        let narrow = scope(&["user:ann"], &["pay"], &["order:1"]).unwrap();
        assert!(covers(&narrow, ann, "pay", one));
        assert!(!covers(&narrow, party("user", "bob"), "pay", one));
        assert!(!covers(&narrow, party("robot", "ann"), "pay", one));
        assert!(!covers(&narrow, ann, "payout", one));
        assert!(!covers(&narrow, ann, "pay", party("order", "2")));
        assert!(!covers(&narrow, ann, "pay", party("book", "1")));
        let wide = scope(&["user:ann"], &["pay*"], &["order:*", "book:7"]).unwrap();
        assert!(covers(&wide, ann, "payout", party("order", "2")) && covers(&wide, ann, "pay", party("book", "7")));
        assert!(!covers(&wide, ann, "sell", one));
        assert!(!covers(&wide, ann, "pay", party("book", "8")) && !covers(&wide, ann, "pay", party("shelf", "7")));
    }

    #[test]
    fn an_action_that_is_not_declared_is_named() {
        let document = serde_json::json!({
            "fallgate": 1, "name": "test", "revision": 1, "schema": {"subject": {"user": {}}, "resource": {"doc": {}}},
            "actions": {"pay": {}, "sell": {}}, "rules": [{"id": "all", "effect": "allow"}],
        });
        let trust = crate::policy::trust::Trust::unsigned_for_development();
        let bundle =
            crate::policy::bundle::Bundle::from_document(&document, &trust, &crate::limits::Limits::DEFAULT).unwrap();
        let unknown = |actions: &[&str]| {
            let scope = scope(&["user:ann"], actions, &["doc:*"]).unwrap();
            scope.unknown_action(bundle.policy()).map(str::to_owned)
        };
        assert_eq!(unknown(&["pay", "se*"]), None);
        assert_eq!(unknown(&["pay", "sel"]).as_deref(), Some("sel"));
        assert_eq!(unknown(&["pay", "buy*"]).as_deref(), Some("buy"));
    }

    #[test]
    fn scopes_overlap_where_both_cover_a_request() {
        let overlaps = |one: [&str; 3], two: [&str; 3]| {
            let [one, two] =
                [one, two].map(|[subject, action, resource]| scope(&[subject], &[action], &[resource]).unwrap());
            assert_eq!(one.overlaps(&two), two.overlaps(&one));
            one.overlaps(&two)
        };
        let one = ["user:ann", "pay", "order:1"];
        assert!(overlaps(one, one));
        assert!(overlaps(one, ["user:ann", "pa*", "order:*"]));
        assert!(overlaps(["user:ann", "p*", "order:*"], ["user:ann", "pay*", "order:*"]));
        for other in [
            ["user:bob", "pay", "order:1"],
            ["robot:ann", "pay", "order:1"],
            ["user:ann", "payout", "order:1"],
            ["user:ann", "pays*", "order:1"],
            ["user:ann", "pay", "order:2"],
            ["user:ann", "pay", "book:1"],
            ["user:ann", "pay", "book:*"],
        ] {
            assert!(!overlaps(one, other), "{other:?}");
        }
        assert!(!overlaps(["user:ann", "a*", "order:*"], ["user:ann", "b*", "order:*"]));
    }

    #[test]
    fn an_override_is_granted_within_what_the_pack_admits() {
        let mut overrides = Overrides::new(8);
        let grant = overrides.grant(granting(1, 7_200, 9), &SPEC, at(100)).unwrap();
        assert_eq!(
            (grant.from, grant.until, grant.until_wall),
            (at(100).monotonic, at(3_700).monotonic, at(3_700).wall)
        );
        assert_eq!((grant.uses, grant.uses_left()), (3, 3));
        assert_eq!(overrides.due(), Some(at(3_700).monotonic));
        assert_eq!(overrides.in_force().len(), 1);
        assert_eq!(
            [grant.take_use(), grant.take_use(), grant.take_use(), grant.take_use()],
            [Some(2), Some(1), Some(0), None]
        );
        assert_eq!(overrides.expire(at(200)), [(at(200).monotonic, grant.id, End::Uses)]);
        assert_eq!((overrides.in_force().len(), overrides.due()), (0, None));
    }

    #[test]
    fn an_override_holds_to_its_end_on_either_clock() {
        let granted = |overrides: &mut Overrides| overrides.grant(granting(1, 10, 1), &SPEC, at(100)).unwrap();
        let mut overrides = Overrides::new(8);
        let grant = granted(&mut overrides);
        let before = Now::new(Monotonic::from_nanos(109_999_999_999), Wall::from_nanos(109_999_999_999));
        assert!(grant.holds(before));
        assert!(!grant.holds(Now { monotonic: at(110).monotonic, ..before }));
        assert!(!grant.holds(Now { wall: at(110).wall, ..before }));
        assert!(overrides.expire(before).is_empty());
        // Where the host comes late it has ended in time; where the wall clock ends it, now.
        let mut other = Overrides::new(8);
        granted(&mut other);
        assert_eq!(other.expire(Now { wall: at(110).wall, ..at(105) })[0].0, at(105).monotonic);
        assert_eq!(overrides.expire(at(120)), [(at(110).monotonic, grant.id, End::Window)]);
        assert_eq!(grant.uses_left(), 0, "whoever still sees it gets nothing");
    }

    #[test]
    fn what_is_past_counts_for_as_long_as_a_window_may_last() {
        let mut overrides = Overrides::new(2);
        let first = overrides.grant(granting(1, 3_600, 1), &SPEC, at(0)).unwrap().id;
        assert_eq!(overrides.revoke(ProposalId([9; 32]), at(1).monotonic), Err(ApprovalError::UnknownOverride));
        assert_eq!(overrides.revoke(first, at(1_000).monotonic), Ok(()));
        // Covered since 0: until 3,600, whoever asks again.
        let second = overrides.grant(granting(2, 3_600, 1), &SPEC, at(2_000)).unwrap();
        assert_eq!(second.until, at(3_600).monotonic);
        assert_eq!(overrides.grant(granting(3, 1, 1), &SPEC, at(2_001)).unwrap_err(), ApprovalError::NoRoom);
        let ended = overrides.end_all(at(3_000).monotonic, End::Clock);
        assert_eq!(ended, [(at(3_000).monotonic, second.id, End::Clock)]);
        // The one that was revoked at 1,000 is forgotten at 4,600, to the second; the other one still counts.
        assert_eq!(overrides.grant(granting(4, 1, 1), &SPEC, at(4_599)).unwrap_err(), ApprovalError::NoRoom);
        assert_eq!(overrides.grant(granting(4, 1, 1), &SPEC, at(4_600)).unwrap_err(), ApprovalError::CoveredTooLong);
        assert_eq!(overrides.grant(granting(4, 1, 1), &SPEC, at(6_599)).unwrap_err(), ApprovalError::CoveredTooLong);
        let fresh = overrides.grant(granting(4, 3_600, 1), &SPEC, at(6_600)).unwrap();
        assert_eq!(fresh.until, at(10_200).monotonic);
    }

    #[test]
    fn each_end_has_its_code() {
        let ends = [End::Window, End::Uses, End::Revoked, End::Anew, End::Clock, End::Bundle];
        assert_eq!(ends.map(End::code), ["window", "uses", "revoked", "anew", "clock", "bundle"]);
    }
}
