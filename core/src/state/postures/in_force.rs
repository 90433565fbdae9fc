//! The postures in force, as decisions see them: everywhere, and in each scope.

use foldhash::fast::FixedState;
use rpds::HashTrieMapSync;

use crate::policy::posture::{Place, Postures, ScopeSpec};
use crate::value::View;

/// What is in force, as one decision sees it.
///
/// Cheap to clone: the scopes are shared, so that one more costs no more where there are a thousand.
#[derive(Clone, Debug, Default)]
pub struct InForce {
    everywhere: Standing,
    scopes: HashTrieMapSync<Box<str>, Standing, FixedState>,
    /// By kind of scope.
    kinds: Vec<Kind>,
    forgotten: u64,
}

/// All scopes of a kind.
#[derive(Clone, Debug, Default)]
struct Kind {
    /// By posture: how many of them are under it.
    counts: Vec<usize>,
    /// The strictest of them all, for a request of which nobody knows where it falls.
    strictest: Standing,
}

/// The posture of an instance, and the number of its last change: what a cached decision rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The posture's number.
    pub posture: u16,
    /// The number of the last change among those that this posture may hang on.
    pub changed: u64,
}

impl Standing {
    fn join(self, other: Self) -> Self {
        Self { posture: self.posture.max(other.posture), changed: self.changed.max(other.changed) }
    }
}

impl InForce {
    /// What is in force where these scopes have a standing of their own.
    pub(super) fn of_all<'s>(
        postures: &Postures,
        everywhere: Standing,
        scopes: impl Iterator<Item = (&'s str, Standing)>,
        forgotten: u64,
    ) -> Self {
        let mut in_force = Self { everywhere, forgotten, ..Self::default() };
        for (scope, standing) in scopes {
            in_force.set(postures, scope, standing);
        }
        in_force
    }

    /// Whether decisions see the same in both.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let same_kind = |kind| self.strictest_of(kind).posture == other.strictest_of(kind).posture;
        let kinds = u16::try_from(self.kinds.len().max(other.kinds.len())).unwrap_or(u16::MAX);
        self.everywhere == other.everywhere && self.scopes == other.scopes && (0..kinds).all(same_kind)
    }

    pub(super) const fn set_everywhere(&mut self, standing: Standing) {
        self.everywhere = standing;
    }

    /// Sets the standing of a scope. The changes of a kind only grow, as the numbers of changes do.
    pub(super) fn set(&mut self, postures: &Postures, scope: &str, standing: Standing) {
        let before = self.scopes.get(scope).copied();
        self.scopes.insert_mut(scope.into(), standing);
        let Some(number) = postures.scope(scope.split(':').next().unwrap_or_default()) else { return };
        let (number, postures) = (usize::from(number), postures.specs.len());
        if self.kinds.len() <= number {
            self.kinds.resize(number.saturating_add(1), Kind::default());
        }
        if let Some(kind) = self.kinds.get_mut(number) {
            kind.counts.resize(postures, 0);
            kind.count(before, -1);
            kind.count(Some(standing), 1);
            let posture = kind.counts.iter().rposition(|count| *count > 0).and_then(|at| u16::try_from(at).ok());
            let changed = kind.strictest.changed.max(standing.changed);
            kind.strictest = Standing { posture: posture.unwrap_or(0), changed };
        }
    }

    /// The strictest posture of the scopes that the request behind these slots falls in; nothing where one of them is
    /// longer than a scope can be.
    #[inline]
    #[must_use]
    pub fn of(&self, scopes: &[ScopeSpec], slots: &[Option<View<'_>>]) -> Option<Standing> {
        let mut standing = self.everywhere;
        standing.changed = standing.changed.max(self.forgotten);
        if scopes.is_empty() { Some(standing) } else { self.of_scopes(standing, scopes, slots) }
    }

    fn of_scopes(&self, everywhere: Standing, scopes: &[ScopeSpec], slots: &[Option<View<'_>>]) -> Option<Standing> {
        let mut standing = everywhere;
        for (number, spec) in scopes.iter().enumerate() {
            let of_scope = match spec.place(slots) {
                Place::TooLong => return None,
                Place::Unknown => self.kinds.get(number).map(|kind| kind.strictest),
                Place::Of(_) if self.scopes.is_empty() => None,
                Place::Of(value) => with_key(spec.name.as_str(), value, |key| self.scopes.get(key).copied()),
            };
            standing = standing.join(of_scope.unwrap_or_default());
        }
        Some(standing)
    }

    /// What is in force everywhere.
    #[must_use]
    pub const fn everywhere(&self) -> Standing {
        self.everywhere
    }

    /// The scopes with a posture of their own, and its number.
    pub fn scopes(&self) -> impl Iterator<Item = (&str, u16)> {
        self.scopes
            .iter()
            .filter(|(_, standing)| standing.posture > 0)
            .map(|(scope, standing)| (&**scope, standing.posture))
    }

    /// The strictest posture of the scopes of that kind, by the kind's number.
    #[must_use]
    pub fn strictest_of(&self, kind: u16) -> Standing {
        self.kinds.get(usize::from(kind)).map(|kind| kind.strictest).unwrap_or_default()
    }

    /// How many scopes of that kind are under that posture of their own.
    #[must_use]
    pub fn count(&self, kind: &str, posture: u16) -> usize {
        let of_kind = |scope: &str| scope.split_once(':').is_some_and(|(name, _)| name == kind);
        self.scopes.iter().filter(|(scope, standing)| standing.posture == posture && of_kind(scope)).count()
    }

    /// What is in force in the scope of that name, the whole system's posture included.
    #[must_use]
    pub fn in_scope(&self, scope: &str) -> Standing {
        self.everywhere.join(self.scopes.get(scope).copied().unwrap_or_default())
    }
}

impl Kind {
    fn count(&mut self, standing: Option<Standing>, more: isize) {
        let count = standing.and_then(|standing| self.counts.get_mut(usize::from(standing.posture)));
        if let Some(count) = count {
            *count = count.saturating_add_signed(more);
        }
    }
}

/// Calls `with` with `name:value`, without an allocation for what a scope can be called.
fn with_key<T>(name: &str, value: &str, with: impl FnOnce(&str) -> T) -> T {
    let mut key =
        arrayvec::ArrayString::<{ crate::limits::NAME_BYTES_MAX + 1 + crate::limits::SCOPE_BYTES_MAX }>::new();
    let fits = [name, ":", value].into_iter().all(|part| key.try_push_str(part).is_ok());
    if fits { with(&key) } else { with(&format!("{name}:{value}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::policy::bundle::{Bundle, Trust};

    fn bundle() -> Bundle {
        let posture =
            |name: &str, rank: u32| serde_json::json!({ "name": name, "rank": rank, "permits": "none", "leave": {} });
        let document = serde_json::json!({
            "fallgate": 1, "name": "p", "revision": 1, "actions": { "read": {} },
            "schema": { "resource": { "thing": { "tenant": "string" } } },
            "scopes": { "tenant": "resource.tenant" }, "postures": [posture("one", 1), posture("two", 2)],
            "rules": [{ "id": "all", "effect": "allow" }],
        });
        Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
    }

    /// Set one by one, in whatever order, it is what it is when made of all.
    #[test]
    fn what_is_set_one_by_one_is_what_all_come_to() {
        let bundle = bundle();
        let postures = &bundle.policy().postures;
        let standing = |posture, changed| Standing { posture, changed };
        let mut in_force = InForce::default();
        assert_eq!(in_force.strictest_of(0), Standing::default());
        in_force.set(postures, "tenant:a", standing(2, 1));
        in_force.set(postures, "tenant:b", standing(1, 2));
        assert_eq!(in_force.strictest_of(0), standing(2, 2));
        in_force.set(postures, "tenant:a", standing(0, 3));
        assert_eq!(in_force.strictest_of(0), standing(1, 3), "the strictest was left");
        assert_eq!(in_force.in_scope("tenant:b"), standing(1, 2));
        assert_eq!((in_force.count("tenant", 1), in_force.count("tenant", 2)), (1, 0));
        let scopes = [("tenant:b", standing(1, 2)), ("tenant:a", standing(0, 3))];
        let all = InForce::of_all(postures, Standing::default(), scopes.into_iter(), 0);
        assert_eq!(all.strictest_of(0), in_force.strictest_of(0));
        assert_eq!(all.scopes().collect::<Vec<_>>(), in_force.scopes().collect::<Vec<_>>());
    }
}
