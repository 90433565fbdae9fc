//! A decision as one short text.
//!
//! Making an object through Node's interface costs more than deciding. So what repeats from decision to decision (the
//! reason, the rule, the bundle …) gets a number, a label, which JavaScript asks for once; a decision is then its
//! identifier, its label and its life. A decision with more to say goes over whole, as JSON.

use std::collections::HashMap;

use fallgate::decision::DecisionId;
use fallgate::name::Name;
use fallgate::{Decision, Reason};

/// How many labels are kept: two digits of 64 values each. Decisions beyond them go over whole.
const LABELS_MAX: usize = 64 * 64;
/// The first of the 64 signs that a digit is written with: `0`, up to `o`.
const DIGIT_ZERO: u8 = b'0';

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    reason: Reason,
    rule: Option<Name>,
    bundle: Name,
    revision: u64,
    posture: Name,
    cached: bool,
    information_loss: bool,
}

/// The labels that were given out since the active bundle was activated.
#[derive(Default)]
pub(crate) struct Labels {
    numbers: HashMap<Key, usize, foldhash::fast::FixedState>,
    /// By number: the decision's JSON, without what is particular to it.
    texts: Vec<String>,
}

impl Labels {
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What a label stands for: a decision's JSON, of which the identifier and the life do not count.
    pub(crate) fn text(&self, number: u32) -> Option<&str> {
        self.texts.get(usize::try_from(number).ok()?).map(String::as_str)
    }

    /// A decision as text: 26 signs of identifier, two of label and the milliseconds of its life unless they are zero;
    /// or JSON, which begins with a brace.
    pub(crate) fn answer(&mut self, decision: &Decision) -> String {
        let particular = decision.detail().is_some()
            || !decision.degraded().is_empty()
            || !decision.obligations().is_empty()
            || !decision.messages().is_empty()
            || decision.override_id().is_some();
        let number = if particular { None } else { self.number(decision) };
        let Some([high, low]) = number.and_then(digits) else {
            return decision.to_json_text();
        };
        let mut text = String::with_capacity(48);
        text.extend(identifier(decision.id()));
        text.extend([high, low]);
        let life = decision.expires_in_ms();
        if life > 0 {
            text.push_str(&life.to_string());
        }
        text
    }

    fn number(&mut self, decision: &Decision) -> Option<usize> {
        let key = Key {
            reason: decision.reason(),
            rule: match decision.rule() {
                Some(rule) => Some(fallgate::name::name(rule)?),
                None => None,
            },
            bundle: fallgate::name::name(decision.bundle())?,
            revision: decision.revision(),
            posture: fallgate::name::name(decision.posture())?,
            cached: decision.cached(),
            information_loss: decision.information_loss(),
        };
        if let Some(number) = self.numbers.get(&key) {
            return Some(*number);
        }
        let number = self.texts.len();
        if number >= LABELS_MAX {
            return None;
        }
        self.texts.push(decision.to_json_text());
        self.numbers.insert(key, number);
        Some(number)
    }
}

/// The 26 signs of an identifier, as its `Display` writes them.
fn identifier(id: DecisionId) -> impl Iterator<Item = char> {
    const CROCKFORD: [u8; 32] = *b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    (0..26_u32).rev().map(move |place| {
        let digit = id.0.checked_shr(place.saturating_mul(5)).unwrap_or(0) & 31;
        usize::try_from(digit).ok().and_then(|digit| CROCKFORD.get(digit)).map_or('0', |sign| char::from(*sign))
    })
}

fn digits(number: usize) -> Option<[char; 2]> {
    let digit = |value: usize| u8::try_from(value % 64).ok()?.checked_add(DIGIT_ZERO).map(char::from);
    Some([digit(number / 64)?, digit(number)?])
}
