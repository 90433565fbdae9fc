//! Quarantines and revocations in an exported state, and how they are joined with those here: the longer one counts.

use super::{Quarantines, Revocation, Selector};
use crate::state::document::{Quarantined, Revoked, span_ms};
use crate::time::{Monotonic, Ttl};

impl Quarantines {
    /// What is quarantined, in order of the keys.
    #[must_use]
    pub fn exported(&self, at: Monotonic) -> Vec<Quarantined> {
        let mut entries: Vec<_> = self.table.entries.iter().collect();
        entries.sort_by_key(|(key, _)| *key);
        let exported = entries.into_iter().filter_map(|(key, entry)| {
            let (kind, first, second) = parts(key)?;
            Some(Quarantined {
                kind,
                first: first.to_owned(),
                second: second.to_owned(),
                lasts_ms: entry.until.map(|until| span_ms(at, until)),
                absolute: entry.absolute,
            })
        });
        exported.collect()
    }

    /// Whose earlier decisions are void, in order of the keys; everybody first.
    #[must_use]
    pub fn exported_revocations(&self, at: Monotonic) -> Vec<Revoked> {
        let mut subjects: Vec<_> = self.table.revoked.iter().collect();
        subjects.sort_by_key(|(key, _)| *key);
        let lasts_ms = |revocation: &Revocation| span_ms(at, revocation.until);
        let everybody = self.table.revoked_all.as_ref().map(|all| Revoked { subject: None, lasts_ms: lasts_ms(all) });
        let exported = subjects.into_iter().filter_map(|(key, revocation)| {
            let (_, first, second) = parts(key)?;
            Some(Revoked { subject: Some((first.to_owned(), second.to_owned())), lasts_ms: lasts_ms(revocation) })
        });
        everybody.into_iter().chain(exported).collect()
    }

    /// Joins a quarantine of a state that is restored. Nothing is credited for the time that nobody measured.
    pub fn join(&mut self, quarantined: &Quarantined, at: Monotonic) {
        let Quarantined { kind, first, second, lasts_ms, absolute } = quarantined;
        let scope = format!("{first}:{second}");
        let selector = match kind {
            0 => Selector::Subject(first, second),
            1 => Selector::SubjectType(first),
            2 => Selector::Resource(first, second),
            3 => Selector::ResourceType(first),
            4 => Selector::Scope(&scope),
            6 => Selector::When(first),
            // What is not known is not let through.
            _ => Selector::Everything,
        };
        let until = lasts_ms.map(|span| at.after(Ttl::from_millis(span)));
        self.begin(&selector, until, *absolute);
    }

    /// Joins a revocation of a state that is restored: what was decided here until now is void, whenever that was.
    pub fn join_revocation(&mut self, revoked: &Revoked, at: Monotonic) {
        let until = at.after(Ttl::from_millis(revoked.lasts_ms));
        match &revoked.subject {
            Some((subject_type, subject_id)) => self.revoke(subject_type, subject_id, until, at),
            None => self.revoke_all(until, at),
        }
    }
}

/// The kind and the two parts of a key.
fn parts(bytes: &[u8]) -> Option<(u8, &str, &str)> {
    let (kind, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let (first, second) = rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)?;
    Some((*kind, std::str::from_utf8(first).ok()?, std::str::from_utf8(second).ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::key;
    use super::*;

    #[test]
    fn a_key_is_taken_apart_as_it_was_made() {
        for (kind, first, second) in
            [(0, "user", "ann"), (3, "host", ""), (4, "tenant", "a:b"), (5, "", ""), (6, "true", "")]
        {
            assert_eq!(parts(&key(kind, first, second)), Some((kind, first, second)));
        }
    }
}
