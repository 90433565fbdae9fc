//! Whether a name stands twice among members that are not kept.

use smallvec::SmallVec;

/// The names of one map's members that are not kept: those at the end of a common stack, on which the names of the maps
/// inside come and go.
pub(super) struct Seen {
    /// How many there are.
    count: usize,
    /// A bit for each, some alike: a name whose bit is not set is new.
    marks: u64,
}

/// Among more names than these, a name is looked for when all are there.
const SCANNED_MAX: usize = 16;

impl Seen {
    pub(super) const NONE: Self = Self { count: 0, marks: 0 };

    /// Takes a name in; nothing where it is found to be there. Among many that is found in [`Seen::close`].
    #[inline]
    pub(super) fn add<'a>(&mut self, name: &'a str, names: &mut SmallVec<[&'a str; 32]>) -> Option<()> {
        let mark = mark(name.as_bytes());
        if self.marks & mark != 0 && self.count <= SCANNED_MAX {
            let before = names.len().checked_sub(self.count)?;
            if names.get(before..)?.contains(&name) {
                return None;
            }
        }
        self.marks |= mark;
        self.count = self.count.wrapping_add(1);
        names.push(name);
        Some(())
    }

    /// Takes the names off the stack; nothing where one stands twice.
    #[inline]
    pub(super) fn close(self, names: &mut SmallVec<[&str; 32]>) -> Option<()> {
        if self.count == 0 {
            return Some(());
        }
        let before = names.len().checked_sub(self.count)?;
        if self.count > SCANNED_MAX {
            let own = names.get_mut(before..)?;
            own.sort_unstable();
            if !own.is_sorted_by(|a, b| a < b) {
                return None;
            }
        }
        names.truncate(before);
        Some(())
    }
}

/// One of 64 bits, by what of a name is quick to see.
#[inline]
fn mark(name: &[u8]) -> u64 {
    let (first, last) = (name.first().copied().unwrap_or(0), name.last().copied().unwrap_or(0));
    let place = u32::from(first).wrapping_mul(7).wrapping_add(u32::from(last)).wrapping_add(name.len() as u32);
    1_u64.wrapping_shl(place)
}
