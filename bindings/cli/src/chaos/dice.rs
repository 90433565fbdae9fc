//! Chance, by a seed: the same seed gives the same day on every machine and in every release.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// A source of chance.
#[derive(Clone, Debug)]
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number below `end`; zero, where there is none.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // The multiply-shift of Lemire; what it is biased by is less than anybody could count.
        let wide = u128::from(self.0.next_u64()).saturating_mul(u128::from(end)) >> 64;
        u64::try_from(wide).unwrap_or(0)
    }

    /// A number from `least` up to and including `most`.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least.saturating_add(self.below(most.saturating_sub(least).saturating_add(1)))
    }

    /// Whether something comes to pass that does so many times in a hundred.
    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// One of these; nothing where there are none.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let at = self.below(u64::try_from(from.len()).ok()?);
        from.get(usize::try_from(at).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_everywhere() {
        let mut dice = Dice::seeded(0);
        // ChaCha8 with the key that `seed_from_u64` makes is fixed by the crate's own promise of stable values.
        let first: Vec<u64> = (0..4).map(|_| dice.below(1_000)).collect();
        let mut again = Dice::seeded(0);
        assert_eq!(first, (0..4).map(|_| again.below(1_000)).collect::<Vec<_>>());
        let mut other = Dice::seeded(1);
        assert_ne!(first, (0..4).map(|_| other.below(1_000)).collect::<Vec<_>>());
    }

    #[test]
    fn numbers_stay_in_their_bounds_and_reach_both_ends() {
        let mut dice = Dice::seeded(3);
        let drawn: Vec<u64> = (0..1_000).map(|_| dice.between(5, 8)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&5), Some(&8)));
        assert_eq!((dice.below(0), dice.pick::<u8>(&[])), (0, None));
        assert_eq!((0..100).filter(|_| dice.percent(0)).count() + (0..100).filter(|_| !dice.percent(100)).count(), 0);
    }
}
