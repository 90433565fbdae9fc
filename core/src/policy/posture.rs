//! A posture as the policy declares it, and the scopes that have one each.

use crate::condition::program::Program;
use crate::limits::SCOPE_BYTES_MAX;
use crate::name::Name;
use crate::policy::approver::Quorum;
use crate::time::Ttl;
use crate::value::View;

/// The postures of a policy, ascending by rank; the normal one is the first, declared or not.
///
/// A posture's number is its place here, so that of two the greater number is the stricter posture.
#[derive(Debug)]
pub struct Postures {
    /// The postures.
    pub specs: Vec<PostureSpec>,
    /// The scopes, in order of their names.
    pub scopes: Vec<ScopeSpec>,
}

/// A declared posture.
#[derive(Debug)]
pub struct PostureSpec {
    /// Its name.
    pub name: Name,
    /// How strict it is.
    pub rank: u32,
    /// By action: whether it and every laxer posture permit the action.
    ///
    /// Invariant: never wider than that of the posture before, so that a stricter posture permits no more.
    pub permits: Box<[bool]>,
    /// What has to be true besides. That of every laxer posture has to be true too.
    pub when: Option<Program>,
    /// When it is entered without anybody's doing.
    pub enter: Option<EnterSpec>,
    /// What it takes to leave it.
    pub leave: LeaveSpec,
    /// The number of the posture that follows without an acknowledgement, and after what time.
    pub escalate: Option<(u16, Ttl)>,
}

/// When a posture is entered without anybody's doing.
#[derive(Debug)]
pub struct EnterSpec {
    /// The condition: over signals alone, and never false by a loss.
    pub when: Program,
    /// For how long it has to hold.
    pub held_for: Ttl,
}

/// What it takes to leave a posture.
#[derive(Clone, Debug, Default)]
pub struct LeaveSpec {
    /// For how long the entry condition has to have been false.
    pub stable: Ttl,
    /// How long the posture lasts at the least.
    pub dwell: Ttl,
    /// The signals that have to be ok.
    pub checks: Box<[u16]>,
    /// The approvals that it takes.
    pub approvals: Option<Quorum>,
    /// Within what time an entry doubles the dwell, and to what length at the most.
    pub back_off: Option<(Ttl, Ttl)>,
}

/// A declared scope: postures are entered for each of its values apart.
#[derive(Debug)]
pub struct ScopeSpec {
    /// Its name.
    pub name: Name,
    /// The slot of the attribute that says in which scope of this kind a request falls.
    pub slot: u16,
}

/// In which scope of one kind a request falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// In this one.
    Of(&'a str),
    /// Nobody knows: it is under the strictest posture of them all.
    Unknown,
    /// In one whose name is longer than a scope's can be.
    TooLong,
}

impl Postures {
    /// The posture of that number.
    #[must_use]
    pub fn spec(&self, number: u16) -> Option<&PostureSpec> {
        self.specs.get(usize::from(number))
    }

    /// The number of the posture of that name.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u16> {
        let at = self.specs.iter().position(|spec| spec.name.as_str() == name)?;
        u16::try_from(at).ok()
    }

    /// The number of the scope of that name.
    #[must_use]
    pub fn scope(&self, name: &str) -> Option<u16> {
        let at = self.scopes.iter().position(|spec| spec.name.as_str() == name)?;
        u16::try_from(at).ok()
    }

    /// Whether there is any posture besides the normal one.
    #[must_use]
    pub fn any(&self) -> bool {
        self.specs.len() > 1
    }
}

impl ScopeSpec {
    /// In which scope of this kind the request behind these slots falls.
    #[must_use]
    pub fn place<'a>(&self, slots: &[Option<View<'a>>]) -> Place<'a> {
        match slots.get(usize::from(self.slot)).copied().flatten() {
            Some(View::Str(text)) if text.len() > SCOPE_BYTES_MAX => Place::TooLong,
            Some(View::Str(text)) => Place::Of(text),
            _ => Place::Unknown,
        }
    }
}
