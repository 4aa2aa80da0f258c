//! Which kind of place an IP address is, whatever spelling or tunnel it hides behind.
//!
//! Sources: the IANA special-purpose registries for IPv4 and IPv6, and the metadata addresses of the large clouds.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is. Only `Public` may be reached without a word from the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Public,
    Loopback,
    /// RFC 1918, unique local and the old site-local.
    Private,
    /// Carrier-grade NAT, 100.64.0.0/10.
    Shared,
    LinkLocal,
    /// Answers with a machine's own cloud credentials.
    Metadata,
    Multicast,
    Unspecified,
    Documentation,
    /// Everything else that no public service can have.
    Reserved,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Public => "a public",
            Kind::Loopback => "a loopback",
            Kind::Private => "a private",
            Kind::Shared => "a carrier-grade NAT",
            Kind::LinkLocal => "a link-local",
            Kind::Metadata => "a cloud metadata",
            Kind::Multicast => "a multicast",
            Kind::Unspecified => "an unspecified",
            Kind::Documentation => "a documentation",
            Kind::Reserved => "a reserved",
        })
    }
}

/// The kind of an address. An IPv6 address that carries an IPv4 address is what the carried one is.
pub fn kind(address: IpAddr) -> Kind {
    match carried(address) {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

/// The IPv4 address inside a mapped, compatible, translated, NAT64, 6to4 or ISATAP address; any other as it is.
pub fn carried(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let s = v6.segments();
    let low = || IpAddr::V4(Ipv4Addr::from((u32::from(s[6]) << 16) | u32::from(s[7])));
    match s {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, _, _] | [0, 0, 0, 0, 0xffff, 0, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => low(),
        [0x2002, high, next, ..] => IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(next))),
        [_, _, _, _, 0 | 0x200, 0x5efe, _, _] => low(),
        _ => address,
    }
}

fn kind_v4(address: Ipv4Addr) -> Kind {
    match address.octets() {
        [169, 254, 169, 254] | [169, 254, 170, 2] | [168, 63, 129, 16] | [100, 100, 100, 200] | [192, 0, 0, 192] => Kind::Metadata,
        [0, ..] => Kind::Unspecified,
        [127, ..] => Kind::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Kind::Private,
        [100, 64..=127, ..] => Kind::Shared,
        [169, 254, ..] => Kind::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Kind::Documentation,
        [192, 0, 0, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [240..=255, ..] => Kind::Reserved,
        [224..=239, ..] => Kind::Multicast,
        _ => Kind::Public,
    }
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Kind::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Loopback,
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Kind::Metadata,
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Kind::Private,
        [0xfe80..=0xfebf, ..] => Kind::LinkLocal,
        [0xff00..=0xffff, ..] => Kind::Multicast,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Kind::Documentation,
        // Protocol assignments: Teredo, ORCHID, benchmarking. Nothing that a plan could want lives here.
        [0x2001, 0..=0x1ff, ..] => Kind::Reserved,
        [0x2000..=0x3fff, ..] => Kind::Public,
        _ => Kind::Reserved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_recognised_in_every_wrapping() {
        let table = [
            ("8.8.8.8", Kind::Public),
            ("2606:4700::1111", Kind::Public),
            ("64:ff9b::808:808", Kind::Public),
            ("127.0.0.1", Kind::Loopback),
            ("127.255.255.254", Kind::Loopback),
            ("::1", Kind::Loopback),
            ("::ffff:127.0.0.1", Kind::Loopback),
            ("::127.0.0.1", Kind::Loopback),
            ("::ffff:0:127.0.0.1", Kind::Loopback),
            ("64:ff9b::7f00:1", Kind::Loopback),
            ("2002:7f00:1::", Kind::Loopback),
            ("2606:4700::5efe:7f00:1", Kind::Loopback),
            ("10.1.2.3", Kind::Private),
            ("172.31.0.1", Kind::Private),
            ("172.32.0.1", Kind::Public),
            ("192.168.1.1", Kind::Private),
            ("fc00::1", Kind::Private),
            ("fec0::1", Kind::Private),
            ("2002:c0a8:101::1", Kind::Private),
            ("100.64.0.1", Kind::Shared),
            ("100.128.0.1", Kind::Public),
            ("169.254.1.1", Kind::LinkLocal),
            ("fe80::1", Kind::LinkLocal),
            ("169.254.169.254", Kind::Metadata),
            ("::ffff:a9fe:a9fe", Kind::Metadata),
            ("64:ff9b::a9fe:a9fe", Kind::Metadata),
            ("2002:a9fe:a9fe::", Kind::Metadata),
            ("fd00:ec2::254", Kind::Metadata),
            ("100.100.100.200", Kind::Metadata),
            ("168.63.129.16", Kind::Metadata),
            ("224.0.0.1", Kind::Multicast),
            ("ff02::1", Kind::Multicast),
            ("0.0.0.0", Kind::Unspecified),
            ("0.1.2.3", Kind::Unspecified),
            ("::", Kind::Unspecified),
            ("192.0.2.7", Kind::Documentation),
            ("2001:db8::1", Kind::Documentation),
            ("3fff::1", Kind::Documentation),
            ("255.255.255.255", Kind::Reserved),
            ("240.0.0.1", Kind::Reserved),
            ("198.18.0.1", Kind::Reserved),
            ("2001::1", Kind::Reserved),
            ("64:ff9b:1::1", Kind::Reserved),
            ("100::1", Kind::Reserved),
        ];
        for (text, expected) in table {
            assert_eq!(kind(text.parse().unwrap()), expected, "{text}");
        }
    }
}
