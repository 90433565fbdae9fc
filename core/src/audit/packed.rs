//! Numbers and texts as bytes: how a record is kept until it is drained.
//!
//! Written on the path of a decision, one behind the other and without a name, so that nothing is sorted, shared or
//! allocated there; read back at the drain, by whoever knows the order.

use arrayvec::ArrayVec;

/// Bytes that are being written; few stand on the stack, and need no allocation.
#[derive(Debug, Default)]
pub(super) struct Packed {
    few: ArrayVec<u8, FEW>,
    /// All of it, once it has grown too long to stand on the stack.
    many: Vec<u8>,
}

/// Bytes that hold an ordinary record.
const FEW: usize = 1_024;

impl Packed {
    /// What was written.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        if self.many.is_empty() { &self.few } else { &self.many }
    }

    #[inline]
    pub(super) fn clear(&mut self) {
        self.few.clear();
        self.many.clear();
    }

    /// A text, behind its length.
    #[inline]
    pub(super) fn text(&mut self, content: &str) {
        self.count(content.len());
        self.add(content.as_bytes());
    }

    /// A number of eight bytes.
    #[inline]
    pub(super) fn fixed(&mut self, number: u64) {
        self.add(&number.to_le_bytes());
    }

    /// Seven bits a byte, the lowest first; all but the last have the eighth.
    #[inline]
    pub(super) fn count(&mut self, number: usize) {
        let mut rest = number;
        while rest > 0x7f {
            self.byte(0x80 | (rest & 0x7f) as u8);
            rest >>= 7;
        }
        self.byte(rest as u8);
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        if self.many.is_empty() && self.few.try_push(byte).is_ok() {
            return;
        }
        self.lengthen(&[byte]);
    }

    #[inline]
    pub(super) fn add(&mut self, bytes: &[u8]) {
        if self.many.is_empty() && self.few.try_extend_from_slice(bytes).is_ok() {
            return;
        }
        self.lengthen(bytes);
    }

    #[cold]
    fn lengthen(&mut self, bytes: &[u8]) {
        if self.many.is_empty() {
            self.many.extend_from_slice(&self.few);
        }
        self.many.extend_from_slice(bytes);
    }
}

/// What is still to be read; nothing where the bytes end too early.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest<'b>(pub(super) &'b [u8]);

impl<'b> Rest<'b> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn count(&mut self) -> Option<usize> {
        let mut number = 0_usize;
        for shift in (0..usize::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn text(&mut self) -> Option<&'b str> {
        let length = self.count()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    pub(super) fn texts(&mut self) -> Option<Vec<&'b str>> {
        let count = self.count()?;
        (0..count).map(|_| self.text()).collect()
    }

    pub(super) fn fixed(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_it_was_written() {
        for number in [0, 0x7f, 0x80, 0x3fff, 0x4000, usize::MAX] {
            let mut packed = Packed::default();
            packed.count(number);
            assert_eq!(Rest(packed.bytes()).count(), Some(number));
        }
    }

    #[test]
    fn what_is_long_is_the_same_bytes_as_what_is_short() {
        for length in [0, 1, FEW - 3, FEW - 2, FEW - 1, FEW, 3 * FEW] {
            let text = "x".repeat(length);
            let mut packed = Packed::default();
            packed.text(&text);
            packed.byte(7);
            packed.fixed(u64::MAX - 1);
            let mut rest = Rest(packed.bytes());
            assert_eq!((rest.text(), rest.byte(), rest.fixed()), (Some(&*text), Some(7), Some(u64::MAX - 1)));
            assert!(rest.0.is_empty());
        }
    }
}
