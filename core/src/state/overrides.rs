//! Overrides: denies that approved people may get past for a while, so often, and no more (spec 1.9).
//!
//! An override ends by its window, by its uses, by being revoked, when the clocks are not to be trusted, and when a bundle
//! becomes active that would not have granted it. What covers the same may not last longer than one window may, however
//! many overrides it is made of.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::approvals::ApprovalError;
use super::proposal::{GrantOverride, ProposalId};
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
