//! Which values of an attribute stand for all others, as far as two policies can tell them apart.
//!
//! A value that is only held against constants falls between two of them, or is one of them: one value of each kind is
//! enough. Several attributes that are held against one another need as many values of each kind as there are attributes,
//! so that any two of them can be equal, less or more. A list that is only asked whether it holds constants is as good
//! as the set of those that it holds.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fallgate::condition::text::{parse_duration, parse_timestamp};
use fallgate::value::{Cidr, Timestamp};
use fallgate::value_type::ValueType;
use serde_json::{Number, Value, json};

/// How many constants a list may be asked for before its subsets are too many to be tried all.
const SUBSETS_OF_MAX: usize = 6;

/// A constant, as an attribute is held against it.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number; a time or a length of time in nanoseconds.
    Whole(i128),
    /// A double.
    Double(f64),
    /// Text.
    Text(String),
    /// An address.
    Ip(IpAddr),
    /// Anything else.
    Other,
}

/// What an attribute is held against, in all that reads it.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// Whether anything reads it.
    pub is_read: bool,
    /// Whether it is read in a way that no constants tell.
    pub is_loose: bool,
    /// What it is or is not, or what it holds where it is a list.
    pub constants: Vec<Constant>,
    /// Whether it is held against them by their order.
    pub is_ordered: bool,
    /// How it starts, or one of its items.
    pub prefixes: Vec<String>,
    /// Networks that it is in or not.
    pub networks: Vec<Cidr>,
    /// Which attributes are held against one another: those of one number; 0 for none.
    pub group: usize,
    /// How many these are, lists not counted.
    pub together: usize,
    /// Whether this one itself is held against another, and not only searched for one.
    pub is_paired: bool,
    /// Values worth trying where it is loose.
    pub hints: Vec<Value>,
}

/// The values that stand for all others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Domain {
    /// The values, the plainest first.
    pub values: Vec<Value>,
    /// Whether they do stand for all others; else they are some.
    pub is_exact: bool,
    /// Whether they do not because a list is asked for too many values.
    pub has_many: bool,
}

impl Domain {
    /// The values of an attribute of this type.
    #[must_use]
    pub fn of(value_type: &ValueType, held: &Held) -> Self {
        if !held.is_read {
            return Self { values: vec![plain(value_type)], is_exact: true, has_many: false };
        }
        let together = held.together.max(1);
        let mut has_many = false;
        let (mut values, understood) = match value_type {
            ValueType::Bool => (vec![json!(false), json!(true)], true),
            ValueType::Null => (vec![Value::Null], true),
            ValueType::Int => whole_numbers(held, together, i128::from(i64::MIN), i128::from(i64::MAX)),
            ValueType::UInt => whole_numbers(held, together, 0, i128::from(i64::MAX)),
            ValueType::Double => doubles(held, together),
            ValueType::String => texts(held, together),
            ValueType::Timestamp => {
                let (nanos, understood) = wholes(held, together, first_time(), last_time());
                let text = |nanos| Timestamp::from_nanosecond(nanos).map(|at| Value::from(at.to_string()));
                (nanos.into_iter().filter_map(text).collect(), understood)
            }
            ValueType::Duration => {
                let (nanos, understood) = wholes(held, together, i128::from(i64::MIN), i128::from(i64::MAX));
                (nanos.into_iter().map(|nanos| Value::from(duration_text(nanos))).collect(), understood)
            }
            ValueType::Ip => addresses(held),
            ValueType::List(item) => {
                let (values, understood, is_all) = lists(item, held);
                has_many = understood && !is_all && !held.is_loose;
                (values, understood && is_all)
            }
            // Nothing can be said of these but that they are there.
            _ => {
                let nothing = held.constants.is_empty() && held.prefixes.is_empty() && held.networks.is_empty();
                (vec![plain(value_type)], nothing && !held.is_ordered && held.group == 0)
            }
        };
        // Of what has so few values none is missing, however it is read.
        let is_whole = matches!(value_type, ValueType::Bool | ValueType::Null);
        let is_exact = is_whole || (understood && !held.is_loose);
        if !is_exact {
            let more = held.hints.iter().flat_map(|hint| near(value_type, hint));
            values.extend(more);
        }
        let mut seen = BTreeSet::new();
        values.retain(|value| seen.insert(value.to_string()));
        if values.is_empty() {
            values.push(plain(value_type));
        }
        Self { values, is_exact, has_many }
    }
}

/// A value of a type, as plain as can be.
#[must_use]
pub fn plain(value_type: &ValueType) -> Value {
    match value_type {
        ValueType::Bool => json!(false),
        ValueType::Int | ValueType::UInt => json!(0),
        ValueType::Double => json!(0.0),
        ValueType::String | ValueType::Bytes | ValueType::Any | ValueType::Type => json!("x"),
        ValueType::Null => Value::Null,
        ValueType::Timestamp => json!("2026-01-01T00:00:00Z"),
        ValueType::Duration => json!("0s"),
        ValueType::Ip => json!("192.0.2.1"),
        ValueType::Cidr => json!("192.0.2.0/24"),
        ValueType::List(_) => json!([]),
        ValueType::Map(..) => json!({}),
        ValueType::Record(fields) => {
            let required = fields.iter().filter(|(_, field)| !field.optional);
            Value::Object(required.map(|(name, field)| (name.to_string(), plain(&field.value_type))).collect())
        }
    }
}

/// Values of a type around one that is worth trying.
fn near(value_type: &ValueType, hint: &Value) -> Vec<Value> {
    match (value_type, hint) {
        (ValueType::Int | ValueType::UInt, Value::Number(number)) => {
            let least = if *value_type == ValueType::UInt { 0 } else { i64::MIN };
            let around = number.as_i64().map(|n| [n.saturating_sub(1), n, n.saturating_add(1)]);
            around.into_iter().flatten().filter(|n| *n >= least).map(Value::from).collect()
        }
        (ValueType::Double, Value::Number(number)) => {
            number.as_f64().map(|n| [n.next_down(), n, n.next_up()].map(Value::from).to_vec()).unwrap_or_default()
        }
        (ValueType::String, Value::String(_)) | (ValueType::Any, _) => vec![hint.clone()],
        (ValueType::Timestamp, Value::String(text)) if parse_timestamp(text).is_some() => vec![hint.clone()],
        (ValueType::Duration, Value::String(text)) if parse_duration(text).is_some() => vec![hint.clone()],
        (ValueType::Ip, Value::String(text)) if text.parse::<IpAddr>().is_ok() => vec![hint.clone()],
        (ValueType::Cidr, Value::String(text)) if Cidr::parse(text).is_some() => vec![hint.clone()],
        (ValueType::List(_), Value::Array(_)) | (ValueType::Map(..) | ValueType::Record(_), Value::Object(_)) => {
            vec![hint.clone()]
        }
        // A list of what is compared with its items.
        (ValueType::List(item), hint) if !near(item, hint).is_empty() => vec![json!([hint])],
        _ => Vec::new(),
    }
}

const fn first_time() -> i128 {
    -62_135_596_800_000_000_000
}

const fn last_time() -> i128 {
    253_402_300_799_999_999_999
}

fn duration_text(nanos: i128) -> String {
    match (nanos.checked_div(1_000_000_000), nanos.checked_rem(1_000_000_000)) {
        (Some(seconds), Some(0)) => format!("{seconds}s"),
        _ => format!("{nanos}ns"),
    }
}

fn whole_numbers(held: &Held, together: usize, least: i128, most: i128) -> (Vec<Value>, bool) {
    let (numbers, understood) = wholes(held, together, least, most);
    (numbers.into_iter().filter_map(|number| i64::try_from(number).ok()).map(Value::from).collect(), understood)
}

/// Each constant, and as many numbers on both sides of it as are held against one another; where that many do not fit
/// between two constants, all that are between them.
fn wholes(held: &Held, together: usize, least: i128, most: i128) -> (Vec<i128>, bool) {
    let mut understood = held.prefixes.is_empty() && held.networks.is_empty();
    let mut constants = Vec::new();
    for constant in &held.constants {
        match constant {
            Constant::Whole(number) => constants.push(*number),
            #[allow(clippy::cast_possible_truncation, reason = "checked to lie far inside")]
            Constant::Double(number) if number.abs() < 1e18 => {
                constants.extend([number.floor() as i128, number.ceil() as i128]);
            }
            _ => understood = false,
        }
    }
    let steps = i128::try_from(together).unwrap_or(i128::MAX);
    let mut numbers = BTreeSet::new();
    for constant in constants {
        for step in 0..=steps {
            numbers.extend([constant.checked_sub(step), constant.checked_add(step)].into_iter().flatten());
        }
    }
    if numbers.is_empty() {
        numbers.extend(0..steps);
    }
    numbers.retain(|number| (least..=most).contains(number));
    let mut numbers: Vec<i128> = numbers.into_iter().collect();
    numbers.sort_by_key(|number| (number.unsigned_abs(), *number < 0));
    (numbers, understood)
}

fn doubles(held: &Held, together: usize) -> (Vec<Value>, bool) {
    const EXACT: u128 = 1 << 53;
    let mut understood = held.prefixes.is_empty() && held.networks.is_empty();
    let mut constants = Vec::new();
    for constant in &held.constants {
        match constant {
            Constant::Double(number) => constants.push(*number),
            #[allow(clippy::cast_precision_loss, reason = "at most 2^53")]
            Constant::Whole(number) if number.unsigned_abs() <= EXACT => constants.push(*number as f64),
            _ => understood = false,
        }
    }
    if constants.is_empty() {
        constants.push(0.0);
    }
    let mut numbers = constants.clone();
    for constant in constants {
        let (mut below, mut above) = (constant, constant);
        for _ in 0..together {
            (below, above) = (below.next_down(), above.next_up());
            numbers.extend([below, above]);
        }
    }
    numbers.sort_by(f64::total_cmp);
    (numbers.into_iter().filter_map(Number::from_f64).map(Value::Number).collect(), understood)
}

/// Each constant, and for each way to start as many texts as are held against one another that start so, no longer way,
/// and are no constant.
fn texts(held: &Held, together: usize) -> (Vec<Value>, bool) {
    let mut understood = held.networks.is_empty();
    let mut constants = BTreeSet::new();
    for constant in &held.constants {
        match constant {
            Constant::Text(text) => {
                constants.insert(text.clone());
            }
            _ => understood = false,
        }
    }
    let mut texts = Vec::new();
    let starts: BTreeSet<&str> = held.prefixes.iter().map(String::as_str).chain([""]).collect();
    for start in &starts {
        texts.extend(fresh(start, &starts, &constants).take(together));
    }
    if held.is_ordered {
        // The empty text is the least, and what follows a text at once is that text with the least letter behind it.
        texts.push(String::new());
        texts.extend(constants.iter().map(|text| format!("{text}\0")));
        understood &= held.prefixes.is_empty() && together == 1;
    }
    texts.extend(constants);
    (texts.into_iter().map(Value::from).collect(), understood)
}

/// Texts that start like this and no longer way, and are no constant.
fn fresh<'a>(
    start: &'a str,
    starts: &'a BTreeSet<&str>,
    constants: &'a BTreeSet<String>,
) -> impl Iterator<Item = String> + 'a {
    let letters = ('a'..='z').rev().chain('0'..='9');
    let many = (1_usize..).flat_map(move |length| letters.clone().map(move |letter| letter.to_string().repeat(length)));
    // There are more texts than constants and ways to start, so that the bound is never met.
    many.take(100_000).map(move |tail| format!("{start}{tail}")).filter(move |text| {
        let longer = starts.iter().any(|other| other.len() > start.len() && text.starts_with(other));
        !longer && !constants.contains(text)
    })
}

/// One address of each part into which networks and single addresses cut the addresses of their family.
fn addresses(held: &Held) -> (Vec<Value>, bool) {
    let mut understood = held.prefixes.is_empty() && held.group == 0 && !held.is_ordered;
    let mut values: Vec<IpAddr> = vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))];
    let mut cut = |first: IpAddr, bits: u8| match first {
        IpAddr::V4(first) => {
            let host = u32::MAX.checked_shr(u32::from(bits)).unwrap_or(0);
            let after = (first.to_bits() | host).checked_add(1);
            values.extend([Some(first), after.map(Ipv4Addr::from_bits)].into_iter().flatten().map(IpAddr::V4));
        }
        IpAddr::V6(first) => {
            let host = u128::MAX.checked_shr(u32::from(bits)).unwrap_or(0);
            let after = (first.to_bits() | host).checked_add(1);
            values.extend([Some(first), after.map(Ipv6Addr::from_bits)].into_iter().flatten().map(IpAddr::V6));
        }
    };
    for network in &held.networks {
        cut(network.masked().address(), network.prefix());
    }
    for constant in &held.constants {
        match constant {
            Constant::Ip(address @ IpAddr::V4(_)) => cut(*address, 32),
            Constant::Ip(address @ IpAddr::V6(_)) => cut(*address, 128),
            _ => understood = false,
        }
    }
    // The lowest of each family lie before the first cut.
    values.extend([IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)]);
    // An IPv4 address in the form of an IPv6 one is no address here.
    values.retain(|value| !matches!(value, IpAddr::V6(six) if six.to_ipv4_mapped().is_some()));
    (values.into_iter().map(|value| Value::from(value.to_string())).collect(), understood)
}

/// The subsets of what the list is asked for: the constants, and whatever is looked for in it; whether they could be
/// followed, and whether these are all subsets.
fn lists(item: &ValueType, held: &Held) -> (Vec<Value>, bool, bool) {
    // What is not held against other attributes does not have to hold what is no constant.
    let others = if held.group == 0 { 0 } else { held.together };
    let (mut items, mut understood) = match item {
        ValueType::String => {
            let (mut items, understood) = texts(held, others.max(1));
            if others == 0 {
                // No text of another kind is asked for.
                let asked = |item: &Value| {
                    let text = item.as_str().unwrap_or_default();
                    let is_constant = held.constants.contains(&Constant::Text(text.to_owned()));
                    is_constant || held.prefixes.iter().any(|start| text.starts_with(start.as_str()))
                };
                items.retain(asked);
            }
            (items, understood)
        }
        ValueType::Int | ValueType::UInt if others > 0 => {
            let least = if *item == ValueType::UInt { 0 } else { i128::from(i64::MIN) };
            whole_numbers(held, others, least, i128::from(i64::MAX))
        }
        _ => {
            let of = |constant: &Constant| match (item, constant) {
                (ValueType::Int | ValueType::UInt, Constant::Whole(number)) => {
                    i64::try_from(*number).ok().map(Value::from)
                }
                (ValueType::Bool, Constant::Bool(value)) => Some(Value::from(*value)),
                _ => None,
            };
            let items: Vec<Value> = held.constants.iter().filter_map(of).collect();
            let understood = items.len() == held.constants.len() && held.prefixes.is_empty() && others == 0;
            (items, understood)
        }
    };
    understood &= !held.is_paired && held.networks.is_empty() && (!held.is_ordered || others > 0);
    let mut seen = BTreeSet::new();
    items.retain(|item| seen.insert(item.to_string()));
    if items.len() <= SUBSETS_OF_MAX {
        let count = 1_u32.checked_shl(u32::try_from(items.len()).unwrap_or(0)).unwrap_or(1);
        let mut sets: Vec<Vec<Value>> = (0..count)
            .map(|bits| {
                let holds = |number: &u32| bits.checked_shr(*number).unwrap_or(0) & 1 == 1;
                (0_u32..).zip(&items).filter(|(number, _)| holds(number)).map(|(_, item)| item.clone()).collect()
            })
            .collect();
        sets.sort_by_key(Vec::len);
        return (sets.into_iter().map(Value::Array).collect(), understood, true);
    }
    let mut sets = vec![json!([])];
    sets.extend(items.iter().map(|item| json!([item])));
    sets.push(Value::Array(items.clone()));
    for (number, one) in items.iter().enumerate() {
        sets.extend(items.iter().skip(number.saturating_add(1)).map(|other| json!([one, other])));
    }
    (sets, understood, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(constants: Vec<Constant>) -> Held {
        Held { is_read: true, constants, ..Held::default() }
    }

    fn values(value_type: &ValueType, held: &Held) -> Vec<Value> {
        let domain = Domain::of(value_type, held);
        assert!(domain.is_exact, "{domain:?}");
        domain.values
    }

    #[test]
    fn a_number_is_tried_at_each_bound_and_beside_it() {
        let bounds = read(vec![Constant::Whole(100), Constant::Whole(200)]);
        let expected = [99, 100, 101, 199, 200, 201].map(Value::from);
        assert_eq!(values(&ValueType::Int, &bounds), expected);
        // Two that are held against one another can both lie on one side of a bound, apart.
        let two = Held { together: 2, ..read(vec![Constant::Whole(10)]) };
        assert_eq!(values(&ValueType::Int, &two), [8, 9, 10, 11, 12].map(Value::from));
        // No unsigned number lies below zero, and none of 64 bits above the greatest.
        assert_eq!(values(&ValueType::UInt, &read(vec![Constant::Whole(0)])), [0, 1].map(Value::from));
        let last = read(vec![Constant::Whole(i128::from(i64::MAX))]);
        assert_eq!(values(&ValueType::Int, &last), [i64::MAX - 1, i64::MAX].map(Value::from));
        // A whole number against 1.5 changes between 1 and 2.
        assert_eq!(values(&ValueType::Int, &read(vec![Constant::Double(1.5)])), [0, 1, 2, 3].map(Value::from));
    }

    #[test]
    fn a_text_is_each_constant_and_another_for_each_way_to_start() {
        let held = Held { prefixes: vec!["svc-".to_owned()], ..read(vec![Constant::Text("root".to_owned())]) };
        assert_eq!(values(&ValueType::String, &held), ["z", "svc-z", "root"].map(Value::from));
        // One that is a constant, or starts a longer way, does not stand for the others.
        let held = Held {
            prefixes: vec!["a".to_owned(), "az".to_owned()],
            ..read(vec![Constant::Text("z".to_owned()), Constant::Text("ay".to_owned())])
        };
        assert_eq!(values(&ValueType::String, &held), ["y", "ax", "azz", "ay", "z"].map(Value::from));
    }

    #[test]
    fn a_list_is_every_set_of_what_it_is_asked_for() {
        let list = ValueType::List(Box::new(ValueType::String));
        let held = read(vec![Constant::Text("a".to_owned()), Constant::Text("b".to_owned())]);
        assert_eq!(values(&list, &held), [json!([]), json!(["a"]), json!(["b"]), json!(["a", "b"])]);
        let many = read((0..7).map(|number| Constant::Text(number.to_string())).collect());
        assert!(!Domain::of(&list, &many).is_exact);
    }

    #[test]
    fn an_address_is_tried_inside_and_on_both_sides_of_a_network() {
        let held = Held { networks: vec![Cidr::parse("10.0.0.0/8").unwrap()], ..read(Vec::new()) };
        let expected = ["192.0.2.1", "10.0.0.0", "11.0.0.0", "0.0.0.0", "::"].map(Value::from);
        assert_eq!(values(&ValueType::Ip, &held), expected);
        let last = Held { networks: vec![Cidr::parse("255.255.255.255/32").unwrap()], ..read(Vec::new()) };
        let expected = ["192.0.2.1", "255.255.255.255", "0.0.0.0", "::"].map(Value::from);
        assert_eq!(values(&ValueType::Ip, &last), expected);
    }

    #[test]
    fn what_cannot_be_followed_is_no_complete_domain() {
        let loose = Held { is_loose: true, hints: vec![json!(50)], ..read(Vec::new()) };
        let domain = Domain::of(&ValueType::Int, &loose);
        assert!(!domain.is_exact);
        assert_eq!(domain.values, [0, 49, 50, 51].map(Value::from));
        // Of a boolean there are two, however it is read.
        assert!(Domain::of(&ValueType::Bool, &loose).is_exact);
        assert!(!Domain::of(&ValueType::Any, &read(vec![Constant::Whole(1)])).is_exact);
    }

    #[test]
    fn a_time_is_tried_a_nanosecond_before_and_after() {
        let at = parse_timestamp("2026-06-01T00:00:00Z").unwrap().as_nanosecond();
        let expected = ["2026-05-31T23:59:59.999999999Z", "2026-06-01T00:00:00Z", "2026-06-01T00:00:00.000000001Z"];
        assert_eq!(values(&ValueType::Timestamp, &read(vec![Constant::Whole(at)])), expected.map(Value::from));
        let minute = read(vec![Constant::Whole(60_000_000_000)]);
        let expected = ["59999999999ns", "60s", "60000000001ns"].map(Value::from);
        assert_eq!(values(&ValueType::Duration, &minute), expected);
    }
}
