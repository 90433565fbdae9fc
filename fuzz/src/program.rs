//! Bytes as a program: whatever they are, they say what to do next.

/// What is left of a program. At its end it says zero to everything.
#[derive(Clone, Copy, Debug)]
pub struct Program<'p>(&'p [u8]);

impl<'p> Program<'p> {
    /// The program that bytes are.
    pub const fn of(bytes: &'p [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left.
    pub const fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A choice among so many.
    pub fn below(&mut self, choices: usize) -> usize {
        let wide = choices > 256;
        let number = usize::from(self.byte()) << 8 | if wide { usize::from(self.byte()) } else { 0 };
        (if wide { number } else { number >> 8 }) % choices.max(1)
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Whether or not, one time in so many.
    pub fn once_in(&mut self, many: usize) -> bool {
        self.below(many) == many - 1
    }

    /// A span in milliseconds: a few, up to eight seconds of any length, or one in whole half seconds, as ends in packs are
    /// written.
    pub fn millis(&mut self) -> u64 {
        match u64::from(self.byte()) {
            few @ 0..32 => few,
            any @ 32..192 => any * 41,
            halves => (halves - 191) * 500,
        }
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    /// All that is left.
    pub const fn rest(self) -> &'p [u8] {
        self.0
    }
}
