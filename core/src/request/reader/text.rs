//! The letters of a JSON text: its texts, numbers and words, read from left to right.

use bumpalo::Bump;
use bumpalo::collections::String as ArenaString;

/// A JSON text, and how far it is read.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    arena: &'a Bump,
}

impl<'a> Cursor<'a> {
    /// At the beginning of these bytes; nothing where they are not UTF-8.
    pub(super) fn new(bytes: &'a [u8], arena: &'a Bump) -> Option<Self> {
        Some(Self { text: core::str::from_utf8(bytes).ok()?, at: 0, arena })
    }

    /// How many bytes are read.
    pub(super) const fn place(&self) -> usize {
        self.at
    }

    const fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The next byte behind any white space, which stays the next one; nothing at the end.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes().get(self.at)?;
            if byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.step(1);
        }
    }

    /// The next byte behind any white space, which is read.
    #[inline]
    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.step(1);
        Some(byte)
    }

    /// Reads this byte behind any white space.
    #[inline]
    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        if self.bytes().get(self.at) == Some(&byte) {
            self.step(1);
            return Some(());
        }
        (self.next()? == byte).then_some(())
    }

    /// Goes on behind the byte that was peeked.
    #[inline]
    pub(super) const fn step(&mut self, bytes: usize) {
        // A place in the text is at most its length, far from the end of the type.
        self.at = self.at.wrapping_add(bytes);
    }

    /// Reads `rest`, the bytes of a word behind its first.
    #[inline]
    pub(super) fn word(&mut self, rest: &[u8]) -> Option<()> {
        let found = self.bytes().get(self.at..)?.starts_with(rest);
        self.step(rest.len());
        found.then_some(())
    }

    /// Reads a text behind its opening quotation mark: as it stands, or unescaped in the arena.
    #[inline]
    pub(super) fn string(&mut self) -> Option<&'a str> {
        let start = self.at;
        let end = plain_end(self.bytes(), start);
        if self.bytes().get(end) != Some(&b'"') {
            return self.escaped();
        }
        self.at = end.wrapping_add(1);
        self.text.get(start..end)
    }

    /// Reads a text that nobody asks for.
    #[inline]
    pub(super) fn skip_string(&mut self) -> Option<()> {
        let end = plain_end(self.bytes(), self.at);
        if self.bytes().get(end) != Some(&b'"') {
            return self.escaped().map(|_| ());
        }
        self.at = end.wrapping_add(1);
        Some(())
    }

    #[cold]
    fn escaped(&mut self) -> Option<&'a str> {
        let mut text = ArenaString::new_in(self.arena);
        loop {
            let end = plain_end(self.bytes(), self.at);
            text.push_str(self.text.get(self.at..end)?);
            self.at = end.wrapping_add(1);
            match self.bytes().get(end)? {
                b'"' => return Some(text.into_bump_str()),
                b'\\' => text.push(self.escape()?),
                _ => return None,
            }
        }
    }

    /// Reads an escape behind its backslash.
    fn escape(&mut self) -> Option<char> {
        let letter = *self.bytes().get(self.at)?;
        self.step(1);
        match letter {
            b'"' | b'\\' | b'/' => Some(char::from(letter)),
            b'b' => Some('\u{8}'),
            b'f' => Some('\u{c}'),
            b'n' => Some('\n'),
            b'r' => Some('\r'),
            b't' => Some('\t'),
            b'u' => self.code_point(),
            _ => None,
        }
    }

    /// Reads the digits of `\u`, and of the second of a pair; half of a pair alone is no letter.
    fn code_point(&mut self) -> Option<char> {
        let first = self.unit()?;
        if !(0xD800..0xDC00).contains(&first) {
            return char::from_u32(first);
        }
        self.word(b"\\u")?;
        let second = self.unit()?;
        char::decode_utf16([u16::try_from(first).ok()?, u16::try_from(second).ok()?]).next()?.ok()
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.bytes().get(self.at..)?.first_chunk::<4>()?;
        self.step(4);
        digits.iter().try_fold(0, |unit: u32, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
    }

    /// Reads a whole number of up to eighteen digits behind its first byte, which is a digit or a minus. Nothing for any
    /// other number, of which nothing is read then.
    #[inline]
    pub(super) fn whole(&mut self, first: u8) -> Option<i64> {
        let mut number = i64::from(first.wrapping_sub(b'0'));
        let negative = first == b'-';
        let mut at = self.at;
        if negative {
            number = i64::from(self.digit(at)?);
            at = at.wrapping_add(1);
        }
        // What begins with a zero is zero, and minus zero is no whole number.
        let digits_max = if number == 0 { 0 } else { 17 };
        let end = at.wrapping_add(digits_max);
        while let Some(digit) = self.digit(at) {
            if at >= end {
                return None;
            }
            number = number.wrapping_mul(10).wrapping_add(i64::from(digit));
            at = at.wrapping_add(1);
        }
        if matches!(self.bytes().get(at), Some(b'.' | b'e' | b'E')) || (negative && number == 0) {
            return None;
        }
        self.at = at;
        Some(if negative { number.wrapping_neg() } else { number })
    }

    #[inline]
    fn digit(&self, at: usize) -> Option<u8> {
        self.bytes().get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10)
    }

    /// Reads what can be of a number, from its first byte on, which was read before.
    #[cold]
    pub(super) fn number(&mut self) -> Option<&'a [u8]> {
        let from = self.at.checked_sub(1)?;
        let rest = self.bytes().get(from..)?;
        let of_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = rest.iter().position(|byte| !of_number(byte)).unwrap_or(rest.len());
        self.at = from.wrapping_add(length);
        rest.get(..length)
    }
}

/// The place of the first byte from `at` on that does not stand in a text for itself: a quotation mark, a backslash or a
/// control character; eight at a time.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let marks = special(u64::from_le_bytes(*chunk));
        if marks != 0 {
            return at.wrapping_add((marks.trailing_zeros() / 8) as usize);
        }
        at = at.wrapping_add(8);
    }
    while bytes.get(at).is_some_and(|byte| !matches!(byte, 0..=0x1F | b'"' | b'\\')) {
        at = at.wrapping_add(1);
    }
    at
}

/// The highest bit of each byte that is special; above the lowest such byte also of others.
#[inline]
const fn special(word: u64) -> u64 {
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    // The lowest byte that is below `n` is the lowest one whose highest bit a subtraction of `n` sets, if it was not set
    // before. With its second bit turned over, the quotation mark is a space, and follows the control characters.
    let marks = word ^ u64::from_ne_bytes([2; 8]);
    let slashes = word ^ u64::from_ne_bytes([b'\\'; 8]);
    let marks = marks.wrapping_sub(u64::from_ne_bytes([0x21; 8])) & !marks;
    let slashes = slashes.wrapping_sub(u64::from_ne_bytes([1; 8])) & !slashes;
    (marks | slashes) & HIGHS
}

#[cfg(test)]
mod tests {
    use super::plain_end;

    #[test]
    fn what_is_special_is_found_wherever_it_stands() {
        let plain = [0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f, 0x80, 0xa2, 0xdc, 0xff];
        for length in 0..40 {
            for filler in plain {
                let mut bytes = vec![filler; length];
                assert_eq!(plain_end(&bytes, 0), length, "{length} of {filler}");
                for at in 0..length {
                    for mark in [0, 1, 2, 3, 0x1f, b'"', b'\\'] {
                        bytes[at] = mark;
                        assert_eq!(plain_end(&bytes, 0), at, "{mark} at {at} of {length}, among {filler}");
                        assert_eq!(plain_end(&bytes, at), at);
                    }
                    bytes[at] = filler;
                }
            }
        }
    }
}
