//! Values: what an attribute, a constant or the pack's data holds, and the borrowed view that conditions compute with.

use std::net::IpAddr;

pub use jiff::SignedDuration;

mod timestamp;
pub(crate) use timestamp::Date;
pub use timestamp::{NoTimestamp, Timestamp};

/// An owned value, as it came in (JSON has the first eight of these and no more).
///
/// Timestamps, durations and addresses arrive as text; the schema says which text is one ([`crate::value_type`]).
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// JSON `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that fits 64 bits with a sign.
    Int(i64),
    /// A whole number above `i64::MAX` that fits 64 bits.
    UInt(u64),
    /// Any other number; always finite.
    Double(f64),
    /// Text.
    String(Box<str>),
    /// Values in order.
    List(Vec<Value>),
    /// Values by name.
    Map(Map),
}

impl From<&serde_json::Value> for Value {
    fn from(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(number), _, _) => Self::Int(number),
                (None, Some(number), _) => Self::UInt(number),
                (None, None, number) => number.map_or(Self::Null, Self::Double),
            },
            serde_json::Value::String(text) => Self::String(text.as_str().into()),
            serde_json::Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            serde_json::Value::Object(members) => {
                let mut entries: Vec<_> =
                    members.iter().map(|(name, value)| (name.as_str().into(), Self::from(value))).collect();
                entries.sort_by(|(a, _): &(Box<str>, Self), (b, _)| a.cmp(b));
                Self::Map(Map { entries })
            }
        }
    }
}

/// A map from names to values, kept in byte order of the names, each name once.
///
/// Invariant: `entries` is sorted by name and has no name twice, so that a look-up is a binary search and two maps with
/// the same content have the same bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    entries: Vec<(Box<str>, Value)>,
}

/// A name that stands twice in one map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateName(pub Box<str>);

impl Map {
    /// A map of these entries.
    ///
    /// # Errors
    /// [`DuplicateName`] for a name that stands twice: which of the two would count is a matter of parser, so neither does.
    pub fn from_entries(mut entries: Vec<(Box<str>, Value)>) -> Result<Self, DuplicateName> {
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        let twice = entries.windows(2).find_map(|pair| match pair {
            [(a, _), (b, _)] if a == b => Some(a.clone()),
            _ => None,
        });
        match twice {
            Some(name) => Err(DuplicateName(name)),
            None => Ok(Self { entries }),
        }
    }

    /// The value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let at = self.entries.binary_search_by(|(key, _)| (**key).cmp(name)).ok()?;
        self.entries.get(at).map(|(_, value)| value)
    }

    /// The entries, in byte order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(name, value)| (&**name, value))
    }

    /// The entries as a slice, in byte order of their names.
    #[must_use]
    pub fn entries(&self) -> &[(Box<str>, Value)] {
        &self.entries
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Puts `value` under `name`, in place of what stood there.
    pub fn insert(&mut self, name: &str, value: Value) {
        match self.entries.binary_search_by(|(key, _)| (**key).cmp(name)) {
            Ok(at) => {
                if let Some(entry) = self.entries.get_mut(at) {
                    entry.1 = value;
                }
            }
            Err(at) => self.entries.insert(at, (name.into(), value)),
        }
    }

    /// Takes the entry of that name out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.entries.binary_search_by(|(key, _)| (**key).cmp(name)).ok()?;
        Some(self.entries.remove(at).1)
    }
}

/// A value as a condition sees it: borrowed from the request, the policy or the arena of one decision; copied freely.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// CEL `int`.
    Int(i64),
    /// CEL `uint`.
    UInt(u64),
    /// CEL `double`; may be NaN or infinite as a result of arithmetic.
    Double(f64),
    /// CEL `string`.
    Str(&'a str),
    /// CEL `bytes`.
    Bytes(&'a [u8]),
    /// CEL `list`, as it stands in the request or the policy.
    List(&'a [Value]),
    /// CEL `list`, made while evaluating.
    Items(&'a [View<'a>]),
    /// CEL `map` with names for keys, as it stands in the request or the policy.
    Map(&'a Map),
    /// CEL `map`, made while evaluating.
    Entries(&'a [(View<'a>, View<'a>)]),
    /// CEL `google.protobuf.Timestamp`.
    Timestamp(Timestamp),
    /// CEL `google.protobuf.Duration`.
    Duration(SignedDuration),
    /// An address, as Kubernetes' CEL library has it.
    Ip(IpAddr),
    /// A network, as Kubernetes' CEL library has it.
    Cidr(Cidr),
    /// CEL `type`, by its name.
    Type(&'static str),
}

impl<'a> From<&'a Value> for View<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(*value),
            Value::UInt(value) => Self::UInt(*value),
            Value::Double(value) => Self::Double(*value),
            Value::String(value) => Self::Str(value),
            Value::List(values) => Self::List(values),
            Value::Map(map) => Self::Map(map),
        }
    }
}

/// A network: an address in it, and the length of its prefix in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Reads `10.0.0.0/8` or `2001:db8::/32`.
    ///
    /// Bits behind the prefix stay as they are, as in Kubernetes' CEL library; none of them counts for what it contains.
    /// Refused: a prefix out of range or with leading zeros, IPv4-mapped IPv6 addresses, zones.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (written, prefix) = text.split_once('/')?;
        let address = parse_ip(written)?;
        if address.is_ipv4() && written.contains(':') {
            return None;
        }
        let bits: u8 = if address.is_ipv4() { 32 } else { 128 };
        if prefix.is_empty() || prefix.len() > 3 || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        if prefix.len() > 1 && prefix.starts_with('0') {
            return None;
        }
        let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix <= bits)?;
        Some(Self { address, prefix })
    }

    /// Whether `ip` lies in this network; an address of the other family never does.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.with_prefix(ip).is_some_and(|network| self.with_prefix(self.address) == Some(network))
    }

    /// The same network with no bits behind its prefix.
    #[must_use]
    pub fn masked(&self) -> Self {
        Self { address: self.with_prefix(self.address).unwrap_or(self.address), prefix: self.prefix }
    }

    /// The address that the network was written with.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// The length of the prefix in bits: 0 to 32, or 0 to 128.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// `ip` with its host bits zeroed; nothing for an address of the other family.
    fn with_prefix(&self, ip: IpAddr) -> Option<IpAddr> {
        match (self.address, ip) {
            (IpAddr::V4(_), IpAddr::V4(ip)) => {
                let host_bits = 32_u32.checked_sub(u32::from(self.prefix))?;
                let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
                Some(IpAddr::V4((ip.to_bits() & mask).into()))
            }
            (IpAddr::V6(_), IpAddr::V6(ip)) => {
                let host_bits = 128_u32.checked_sub(u32::from(self.prefix))?;
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
                Some(IpAddr::V6((ip.to_bits() & mask).into()))
            }
            _ => None,
        }
    }
}

/// Reads an address as Kubernetes' CEL library does: no zone, no leading zeros, no IPv4-mapped IPv6
/// address with dots.
#[must_use]
pub fn parse_ip(text: &str) -> Option<IpAddr> {
    let ip: IpAddr = text.parse().ok()?;
    match ip {
        // Written with dots it is refused; in hexadecimal it is the IPv4 address that it stands for, so that no network
        // misses it.
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(_) if text.contains('.') => None,
            Some(v4) => Some(IpAddr::V4(v4)),
            None => Some(ip),
        },
        IpAddr::V4(_) => Some(ip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_stays_within_three_words() {
        assert!(size_of::<View<'_>>() <= 24, "{}", size_of::<View<'_>>());
    }

    #[test]
    fn a_name_twice_is_refused() {
        let entries = vec![("b".into(), Value::Null), ("a".into(), Value::Null), ("b".into(), Value::Bool(true))];
        assert_eq!(Map::from_entries(entries), Err(DuplicateName("b".into())));
    }

    #[test]
    fn networks_contain_their_own_and_no_other() {
        let net = Cidr::parse("10.1.0.0/16").unwrap();
        assert!(net.contains("10.1.255.255".parse().unwrap()));
        assert!(!net.contains("10.2.0.0".parse().unwrap()));
        assert!(!net.contains("::ffff:10.1.0.1".parse().unwrap()));
        let written = Cidr::parse("10.1.2.3/16").unwrap();
        assert!(written.contains("10.1.255.255".parse().unwrap()) && !written.contains("10.2.2.3".parse().unwrap()));
        assert_eq!((written.masked(), written == net), (net, false));
        assert!(Cidr::parse("0.0.0.0/0").unwrap().contains("255.255.255.255".parse().unwrap()));
        assert!(Cidr::parse("::/0").unwrap().contains("ffff::1".parse().unwrap()));
        for text in
            ["10.0.0.0/33", "10.0.0.0/08", "10.0.0.0", "::ffff:10.0.0.0/104", "::ffff:a00:0/104", "10.0.0.0/+8", "/8"]
        {
            assert_eq!(Cidr::parse(text), None, "{text}");
        }
    }
}
