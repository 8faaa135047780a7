//! Addresses as rules see them: what they really lead to, what sort they are, and blocks of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What sort of address it is, as far as that matters to what may be reached by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Reachable from everywhere.
    Global,
    /// This machine.
    Loopback,
    /// This link.
    LinkLocal,
    /// A private network, or a carrier's own.
    Private,
    /// Where clouds tell their machines about themselves, credentials included.
    Metadata,
    /// No address: connecting to it reaches this machine all the same.
    Unspecified,
    /// Many machines.
    Multicast,
    /// All machines of the link.
    Broadcast,
    /// Set aside for documentation, benchmarks, tunnels or the future.
    Reserved,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::Global => "a global address",
            Scope::Loopback => "a loopback address",
            Scope::LinkLocal => "a link-local address",
            Scope::Private => "a private address",
            Scope::Metadata => "an address of cloud metadata",
            Scope::Unspecified => "the unspecified address",
            Scope::Multicast => "a multicast address",
            Scope::Broadcast => "the broadcast address",
            Scope::Reserved => "a reserved address",
        })
    }
}

/// Where clouds serve metadata; those addresses that no other sort covers too are why there is a list.
const METADATA_V4: &[Ipv4Addr] = &[
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
const METADATA_V6: &[Ipv6Addr] = &[
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// The address that packets really go to: IPv4 addresses written as IPv6 ones become IPv4.
///
/// These are mapped (`::ffff:0:0/96`), translated (`::ffff:0:0:0/96`), compatible (`::/96`), NAT64
/// (`64:ff9b::/96`) and 6to4 (`2002::/16`) addresses.
pub fn canonical(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let octets = v6.octets();
    let low = |at: usize| {
        let mut four = [0; 4];
        for (to, from) in four.iter_mut().zip(octets.iter().skip(at)) {
            *to = *from;
        }
        IpAddr::V4(Ipv4Addr::from(four))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => ip,
        [0, 0, 0, 0, 0, 0xffff | 0, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => low(12),
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => low(12),
        [0x2002, ..] => low(2),
        _ => ip,
    }
}

/// What sort of address it is, in its [`canonical`] form.
pub fn scope(ip: IpAddr) -> Scope {
    match canonical(ip) {
        IpAddr::V4(ip) => scope_v4(ip),
        IpAddr::V6(ip) => scope_v6(ip),
    }
}

fn scope_v4(ip: Ipv4Addr) -> Scope {
    if METADATA_V4.contains(&ip) {
        return Scope::Metadata;
    }
    match ip.octets() {
        [0, 0, 0, 0] => Scope::Unspecified,
        [127, ..] => Scope::Loopback,
        [169, 254, ..] => Scope::LinkLocal,
        [10, ..] | [192, 168, ..] => Scope::Private,
        [172, b, ..] if b & 0xf0 == 16 => Scope::Private,
        [100, b, ..] if b & 0xc0 == 64 => Scope::Private,
        [255, 255, 255, 255] => Scope::Broadcast,
        [224..=239, ..] => Scope::Multicast,
        [0 | 240..=255, ..] => Scope::Reserved,
        [192, 0, 0 | 2, _] | [192, 88, 99, _] => Scope::Reserved,
        [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => Scope::Reserved,
        _ => Scope::Global,
    }
}

fn scope_v6(ip: Ipv6Addr) -> Scope {
    if METADATA_V6.contains(&ip) {
        return Scope::Metadata;
    }
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Scope::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Scope::Loopback,
        [a, ..] if a & 0xffc0 == 0xfe80 => Scope::LinkLocal,
        [a, ..] if a & 0xffc0 == 0xfec0 || a & 0xfe00 == 0xfc00 => Scope::Private,
        [a, ..] if a & 0xff00 == 0xff00 => Scope::Multicast,
        // Documentation, and the prefix of protocols: tunnels (Teredo), benchmarks, identifiers.
        [0x2001, 0xdb8, ..] => Scope::Reserved,
        [0x2001, b, ..] if b < 0x200 => Scope::Reserved,
        [0x3fff, b, ..] if b < 0x1000 => Scope::Reserved,
        // Everything unicast and global that was ever given out.
        [a, ..] if a & 0xe000 == 0x2000 => Scope::Global,
        _ => Scope::Reserved,
    }
}

/// All addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    base: IpAddr,
    len: u8,
}

/// Why a block is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockError {
    /// The prefix is longer than the address.
    Length {
        /// The longest there is.
        max: u8,
    },
    /// Bits after the prefix are set.
    Bits {
        /// What was meant, perhaps.
        meant: Block,
    },
    /// Addresses of 6to4 or NAT64, cut in a place that has no meaning for IPv4.
    Embedded,
}

impl Block {
    /// One address.
    pub fn single(ip: IpAddr) -> Block {
        let base = canonical(ip);
        Block { base, len: bits(base) }
    }

    /// The addresses whose first `len` bits are those of `ip`.
    ///
    /// Blocks of addresses that stand for IPv4 addresses are blocks of these.
    pub(super) fn new(ip: IpAddr, len: u8) -> Result<Block, BlockError> {
        let max = bits(ip);
        if len > max {
            return Err(BlockError::Length { max });
        }
        let block = Block { base: masked(ip, len), len };
        if block.base != ip {
            return Err(BlockError::Bits { meant: block });
        }
        let base = canonical(ip);
        if base == ip || len == 0 {
            return Ok(block);
        }
        match len.checked_sub(96) {
            Some(len) if !matches!(ip, IpAddr::V6(v6) if v6.segments().first() == Some(&0x2002)) => {
                Ok(Block { base, len })
            }
            _ if len == 128 => Ok(Block::single(ip)),
            _ => Err(BlockError::Embedded),
        }
    }

    /// Whether an address, which has to be [`canonical`], is one of them.
    pub fn contains(&self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.base.is_ipv4() && masked(ip, self.len) == self.base
    }

    /// The first address.
    pub fn base(&self) -> IpAddr {
        self.base
    }

    /// Whether there is one address only.
    pub fn is_single(&self) -> bool {
        self.len == bits(self.base)
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.base {
            IpAddr::V4(ip) => write!(f, "{ip}")?,
            IpAddr::V6(ip) => write!(f, "[{ip}]")?,
        }
        if self.is_single() { Ok(()) } else { write!(f, "/{}", self.len) }
    }
}

fn bits(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

/// An address with all bits after the first `len` cleared.
fn masked(ip: IpAddr, len: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let shift = 32u32.saturating_sub(u32::from(len));
            let mask = u32::MAX.checked_shl(shift).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & mask))
        }
        IpAddr::V6(ip) => {
            let shift = 128u32.saturating_sub(u32::from(len));
            let mask = u128::MAX.checked_shl(shift).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn where_packets_go() {
        for (written, real) in [
            ("::ffff:127.0.0.1", "127.0.0.1"),
            ("::127.0.0.1", "127.0.0.1"),
            ("::ffff:0:10.0.0.1", "10.0.0.1"),
            ("64:ff9b::169.254.169.254", "169.254.169.254"),
            ("2002:7f00:1::", "127.0.0.1"),
            ("2002:a9fe:a9fe::1", "169.254.169.254"),
            ("::", "::"),
            ("::1", "::1"),
            ("fd00::1", "fd00::1"),
            ("1.2.3.4", "1.2.3.4"),
        ] {
            assert_eq!(canonical(ip(written)), ip(real), "{written}");
        }
    }

    #[test]
    fn sorts() {
        use Scope::*;
        for (text, sort) in [
            ("8.8.8.8", Global),
            ("2606:4700::1111", Global),
            ("127.255.0.1", Loopback),
            ("::1", Loopback),
            ("::ffff:127.0.0.1", Loopback),
            ("0.0.0.0", Unspecified),
            ("::", Unspecified),
            ("::ffff:0.0.0.0", Unspecified),
            ("10.255.0.1", Private),
            ("172.16.0.1", Private),
            ("172.31.255.255", Private),
            ("172.32.0.1", Global),
            ("192.168.1.1", Private),
            ("100.64.0.1", Private),
            ("100.128.0.1", Global),
            ("fd12::1", Private),
            ("fec0::1", Private),
            ("169.254.1.1", LinkLocal),
            ("fe80::1", LinkLocal),
            ("169.254.169.254", Metadata),
            ("168.63.129.16", Metadata),
            ("fd00:ec2::254", Metadata),
            ("224.0.0.1", Multicast),
            ("ff02::1", Multicast),
            ("255.255.255.255", Broadcast),
            ("0.1.2.3", Reserved),
            ("240.0.0.1", Reserved),
            ("192.0.2.1", Reserved),
            ("2001::1", Reserved),
            ("2001:db8::1", Reserved),
            ("64:ff9b:1::1", Reserved),
            ("5f00::1", Reserved),
            ("100::1", Reserved),
        ] {
            assert_eq!(scope(ip(text)), sort, "{text}");
        }
    }

    #[test]
    fn blocks() {
        let ten = Block::new(ip("10.0.0.0"), 8).unwrap();
        assert!(ten.contains(ip("10.255.255.255")) && !ten.contains(ip("11.0.0.0")));
        assert!(!ten.contains(ip("::ffff:10.0.0.1")), "contained only in its canonical form");
        assert_eq!(ten.to_string(), "10.0.0.0/8");
        assert_eq!(Block::new(ip("10.1.0.0"), 8), Err(BlockError::Bits { meant: ten }));
        assert_eq!(Block::new(ip("10.0.0.0"), 33), Err(BlockError::Length { max: 32 }));
        let all = Block::new(ip("0.0.0.0"), 0).unwrap();
        assert!(all.contains(ip("255.255.255.255")) && !all.contains(ip("::1")));
        let all = Block::new(ip("::"), 0).unwrap();
        assert!(all.contains(ip("fe80::1")) && !all.contains(ip("1.2.3.4")));
        assert_eq!(Block::new(ip("::ffff:10.0.0.0"), 104), Ok(ten));
        assert_eq!(Block::new(ip("64:ff9b::10.0.0.0"), 104), Ok(ten));
        assert_eq!(Block::new(ip("2002:a00::"), 24), Err(BlockError::Embedded));
        assert_eq!(Block::single(ip("2002:a00:1::")).to_string(), "10.0.0.1");
        assert_eq!(Block::single(ip("fe80::1")).to_string(), "[fe80::1]");
    }
}
