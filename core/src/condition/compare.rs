//! Equality and order of values, numbers of different types among them.

use std::cell::Cell;
use std::cmp::Ordering;

use crate::value::View;

use super::Cause;

/// Takes steps from what is left.
pub(super) fn charge(steps_left: &Cell<u32>, steps: usize) -> Result<(), Cause> {
    let left = u32::try_from(steps).ok().and_then(|steps| steps_left.get().checked_sub(steps));
    steps_left.set(left.unwrap_or(0));
    left.map(|_| ()).ok_or(Cause::Limit)
}

/// What it costs to look at so many bytes: nothing for what is short.
pub(super) const fn bytes_cost(bytes: usize) -> usize {
    bytes / 64
}

/// Compares a whole number with a double as the double nearest to it, as CEL does; nothing for NaN.
#[allow(clippy::cast_precision_loss, reason = "CEL compares with the nearest double")]
fn int_with_double(int: i64, double: f64) -> Option<Ordering> {
    (int as f64).partial_cmp(&double)
}

/// As [`int_with_double`].
#[allow(clippy::cast_precision_loss, reason = "CEL compares with the nearest double")]
fn uint_with_double(uint: u64, double: f64) -> Option<Ordering> {
    (uint as f64).partial_cmp(&double)
}

fn int_with_uint(int: i64, uint: u64) -> Ordering {
    u64::try_from(int).map_or(Ordering::Less, |int| int.cmp(&uint))
}

/// The order of two numbers: `None` where one is no number, `Some(None)` where one is NaN.
fn numbers(a: View<'_>, b: View<'_>) -> Option<Option<Ordering>> {
    use View as V;
    Some(match (a, b) {
        (V::Int(a), V::Int(b)) => Some(a.cmp(&b)),
        (V::UInt(a), V::UInt(b)) => Some(a.cmp(&b)),
        (V::Double(a), V::Double(b)) => a.partial_cmp(&b),
        (V::Int(a), V::UInt(b)) => Some(int_with_uint(a, b)),
        (V::UInt(a), V::Int(b)) => Some(int_with_uint(b, a).reverse()),
        (V::Int(a), V::Double(b)) => int_with_double(a, b),
        (V::Double(a), V::Int(b)) => int_with_double(b, a).map(Ordering::reverse),
        (V::UInt(a), V::Double(b)) => uint_with_double(a, b),
        (V::Double(a), V::UInt(b)) => uint_with_double(b, a).map(Ordering::reverse),
        _ => return None,
    })
}

/// The order of two values; `None` for NaN, which is neither less nor greater than anything.
pub(super) fn order(a: View<'_>, b: View<'_>, steps_left: &Cell<u32>) -> Result<Option<Ordering>, Cause> {
    use View as V;
    if let Some(ordering) = numbers(a, b) {
        return Ok(ordering);
    }
    Ok(Some(match (a, b) {
        (V::Str(a), V::Str(b)) => {
            charge(steps_left, bytes_cost(a.len().min(b.len())))?;
            a.cmp(b)
        }
        (V::Bytes(a), V::Bytes(b)) => {
            charge(steps_left, bytes_cost(a.len().min(b.len())))?;
            a.cmp(b)
        }
        (V::Bool(a), V::Bool(b)) => a.cmp(&b),
        (V::Timestamp(a), V::Timestamp(b)) => a.cmp(&b),
        (V::Duration(a), V::Duration(b)) => a.cmp(&b),
        _ => return Err(Cause::WrongType),
    }))
}

/// Whether two values are equal; values of different types are not, numbers excepted.
pub(super) fn equal(a: View<'_>, b: View<'_>, steps_left: &Cell<u32>) -> Result<bool, Cause> {
    use View as V;
    if let Some(ordering) = numbers(a, b) {
        return Ok(ordering == Some(Ordering::Equal));
    }
    Ok(match (a, b) {
        (V::Null, V::Null) => true,
        (V::Bool(a), V::Bool(b)) => a == b,
        (V::Str(a), V::Str(b)) => {
            charge(steps_left, if a.len() == b.len() { bytes_cost(a.len()) } else { 0 })?;
            a == b
        }
        (V::Bytes(a), V::Bytes(b)) => {
            charge(steps_left, if a.len() == b.len() { bytes_cost(a.len()) } else { 0 })?;
            a == b
        }
        (V::Timestamp(a), V::Timestamp(b)) => a == b,
        (V::Duration(a), V::Duration(b)) => a == b,
        (V::Ip(a), V::Ip(b)) => a == b,
        (V::Cidr(a), V::Cidr(b)) => a == b,
        (V::Type(a), V::Type(b)) => a == b,
        (V::List(_) | V::Items(_), V::List(_) | V::Items(_)) => {
            if length(a) != length(b) {
                return Ok(false);
            }
            for (a, b) in elements(a).zip(elements(b)) {
                charge(steps_left, 1)?;
                if !equal(a, b, steps_left)? {
                    return Ok(false);
                }
            }
            true
        }
        (V::Map(_) | V::Fields(_) | V::Entries(_), V::Map(_) | V::Fields(_) | V::Entries(_)) => {
            if length(a) != length(b) {
                return Ok(false);
            }
            for (key, value) in entries(a) {
                charge(steps_left, 1)?;
                match lookup(b, key, steps_left)? {
                    Some(other) if equal(value, other, steps_left)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        _ => false,
    })
}

/// How many elements or entries a list or map has; 0 for anything else.
pub(super) fn length(value: View<'_>) -> usize {
    match value {
        View::List(items) => items.len(),
        View::Items(items) => items.len(),
        View::Map(map) => map.len(),
        View::Fields(fields) => fields.len(),
        View::Entries(entries) => entries.len(),
        _ => 0,
    }
}

/// The element of a list, or the key of a map, at an index.
pub(super) fn element(value: View<'_>, index: usize) -> Option<View<'_>> {
    match value {
        View::List(items) => items.get(index).map(View::from),
        View::Items(items) => items.get(index).copied(),
        View::Map(map) => map.entries().get(index).map(|(key, _)| View::Str(key)),
        View::Fields(fields) => fields.entries().get(index).map(|(key, _)| View::Str(key)),
        View::Entries(entries) => entries.get(index).map(|(key, _)| *key),
        _ => None,
    }
}

/// The elements of a list, or the keys of a map.
pub(super) fn elements(value: View<'_>) -> impl Iterator<Item = View<'_>> {
    (0..length(value)).filter_map(move |index| element(value, index))
}

/// The entries of a map.
pub(super) fn entries(value: View<'_>) -> impl Iterator<Item = (View<'_>, View<'_>)> {
    let stored = if let View::Map(map) = value { map.entries() } else { &[] };
    let held = if let View::Fields(fields) = value { fields.entries() } else { &[] };
    let made = if let View::Entries(entries) = value { entries } else { &[] };
    let stored = stored.iter().map(|(key, value)| (View::Str(key), View::from(value)));
    stored.chain(held.iter().map(|(key, value)| (View::Str(key), *value))).chain(made.iter().copied())
}

/// The whole number that a double is.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the ranges are checked")]
fn exact(double: f64) -> Option<View<'static>> {
    if double.trunc() != double {
        return None;
    }
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&double) {
        return Some(View::Int(double as i64));
    }
    (9_223_372_036_854_775_808.0..18_446_744_073_709_551_616.0).contains(&double).then_some(View::UInt(double as u64))
}

/// The value under a key of a map; nothing where there is no such key.
pub(super) fn lookup<'a>(map: View<'a>, key: View<'_>, steps_left: &Cell<u32>) -> Result<Option<View<'a>>, Cause> {
    match (map, key) {
        (View::Map(map), View::Str(key)) => Ok(map.get(key).map(View::from)),
        (View::Fields(fields), View::Str(key)) => Ok(fields.get(key)),
        (View::Map(_) | View::Fields(_), _) => Ok(None),
        (View::Entries(entries), key) => {
            // A key that is a double stands for the whole number that it is exactly, or for none.
            let key = match key {
                View::Double(double) => match exact(double) {
                    Some(key) => key,
                    None => return Ok(None),
                },
                key => key,
            };
            for (candidate, value) in entries {
                charge(steps_left, 1)?;
                if equal(*candidate, key, steps_left)? {
                    return Ok(Some(*value));
                }
            }
            Ok(None)
        }
        _ => Err(Cause::WrongType),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_costs_a_step_for_each_64_bytes() {
        assert_eq!([0, 63, 64, 127, 640].map(bytes_cost), [0, 0, 1, 1, 10]);
        let (long, longer) = ("a".repeat(640), "a".repeat(700));
        let with = |steps: u32| Cell::new(steps);
        for (a, b) in
            [(View::Str(&long), View::Str(&long)), (View::Bytes(long.as_bytes()), View::Bytes(long.as_bytes()))]
        {
            let (enough, few) = (with(10), with(9));
            assert_eq!((equal(a, b, &enough), enough.get()), (Ok(true), 0));
            assert_eq!(equal(a, b, &few), Err(Cause::Limit));
            let (enough, few) = (with(10), with(9));
            assert_eq!((order(a, b, &enough), enough.get()), (Ok(Some(Ordering::Equal)), 0));
            assert_eq!(order(a, b, &few), Err(Cause::Limit));
        }
        // Of another length they differ at once; their order is as dear as the shorter one.
        for (a, b) in
            [(View::Str(&long), View::Str(&longer)), (View::Bytes(long.as_bytes()), View::Bytes(longer.as_bytes()))]
        {
            assert_eq!(equal(a, b, &with(0)), Ok(false));
            assert_eq!(order(a, b, &with(10)), Ok(Some(Ordering::Less)));
        }
    }

    #[test]
    fn lists_and_maps_cost_a_step_for_each_member_that_is_looked_at() {
        let (one, two) = ([View::Int(1), View::Int(2)], [View::Int(1), View::Int(3)]);
        let steps = |a, b| {
            let left = Cell::new(100);
            (equal(a, b, &left), 100 - left.get())
        };
        assert_eq!(steps(View::Items(&one), View::Items(&one)), (Ok(true), 2));
        assert_eq!(steps(View::Items(&one), View::Items(&two)), (Ok(false), 2));
        assert_eq!(steps(View::Items(&one), View::Items(&one[..1])), (Ok(false), 0));
        assert_eq!(equal(View::Items(&one), View::Items(&one), &Cell::new(1)), Err(Cause::Limit));
        let left = Cell::new(5);
        assert_eq!((charge(&left, 5), left.get(), charge(&left, 1)), (Ok(()), 0, Err(Cause::Limit)));
    }

    /// Two of each kind: each is equal to itself alone.
    #[test]
    fn a_value_is_equal_to_itself_and_to_no_other() {
        use crate::value::{Cidr, SignedDuration, Timestamp};
        let at = |second| View::Timestamp(Timestamp::from_second(second).unwrap());
        let ip = |text: &str| View::Ip(text.parse().unwrap());
        let cidr = |text| View::Cidr(Cidr::parse(text).unwrap());
        let (one, two) = ([View::Int(1)], [View::Int(2)]);
        let (first, second) = ([(View::Int(1), View::Null)], [(View::Int(1), View::Int(1))]);
        let values = [
            View::Null,
            View::Bool(true),
            View::Bool(false),
            View::Int(-1),
            View::UInt(u64::MAX),
            View::Double(0.5),
            View::Str("a"),
            View::Str("b"),
            View::Bytes(b"a"),
            View::Bytes(b"b"),
            at(1),
            at(2),
            View::Duration(SignedDuration::from_secs(1)),
            View::Duration(SignedDuration::from_secs(2)),
            ip("10.0.0.1"),
            ip("10.0.0.2"),
            cidr("10.0.0.0/8"),
            cidr("10.0.0.0/9"),
            View::Type("a"),
            View::Type("b"),
            View::Items(&one),
            View::Items(&two),
            View::Entries(&first),
            View::Entries(&second),
        ];
        for (number, a) in values.iter().enumerate() {
            for (other, b) in values.iter().enumerate() {
                assert_eq!(equal(*a, *b, &Cell::new(100)), Ok(number == other), "{a:?} {b:?}");
            }
        }
        assert_eq!(equal(View::Double(f64::NAN), View::Double(f64::NAN), &Cell::new(1)), Ok(false));
    }

    /// As a request holds them, as a host does, and as they are made while evaluating.
    #[test]
    fn lists_and_maps_are_alike_whoever_holds_them() {
        let value = crate::value::Value::from(&serde_json::json!({"map": {"a": 1, "b": 2}, "list": [1, 2]}));
        let crate::value::Value::Map(held) = &value else { panic!("a map") };
        let (map, list) = (View::from(held.get("map").unwrap()), View::from(held.get("list").unwrap()));
        let mut fields = [("b", View::Int(2)), ("a", View::Int(1))];
        let fields = View::Fields(crate::value::Fields::new(&mut fields).unwrap());
        let entries = [(View::Str("b"), View::Int(2)), (View::Str("a"), View::Int(1))];
        let items = [View::Int(1), View::Int(2)];
        let (entries, items) = (View::Entries(&entries), View::Items(&items));
        let same = |a, b| equal(a, b, &Cell::new(100)) == Ok(true);
        for a in [map, fields, entries] {
            assert!([map, fields, entries].into_iter().all(|b| same(a, b)), "{a:?}");
            assert!(!same(a, items) && !same(a, View::Entries(&[])));
            assert_eq!((length(a), elements(a).count(), entries_of(a)), (2, 2, 2));
            let keys = [element(a, 0), element(a, 1)]
                .map(|key| key.is_some_and(|key| same(key, View::Str("a")) || same(key, View::Str("b"))));
            assert_eq!((keys, element(a, 2).is_none()), ([true; 2], true));
            let found = |key| lookup(a, key, &Cell::new(100)).unwrap().is_some_and(|value| same(value, View::Int(2)));
            assert_eq!(
                [View::Str("b"), View::Str("a"), View::Str("c"), View::Int(2)].map(found),
                [true, false, false, false]
            );
        }
        assert!(same(list, items) && length(list) == 2 && length(View::Null) == 0);
        assert!(element(list, 1).is_some_and(|second| same(second, View::Int(2))) && element(items, 2).is_none());
        assert!(element(View::Null, 0).is_none());
    }

    fn entries_of(value: View<'_>) -> usize {
        entries(value).count()
    }
}
