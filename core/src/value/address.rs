//! Addresses and networks, as Kubernetes' CEL library reads them.

use std::net::IpAddr;

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

    /// The bits of an IPv4 address that count for this network, and what they must be; nothing for an IPv6 network.
    pub(crate) fn masked_bits(&self) -> Option<(u32, u32)> {
        let (IpAddr::V4(all), IpAddr::V4(network)) =
            (self.with_prefix(IpAddr::V4(u32::MAX.into()))?, self.with_prefix(self.address)?)
        else {
            return None;
        };
        Some((all.to_bits(), network.to_bits()))
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
