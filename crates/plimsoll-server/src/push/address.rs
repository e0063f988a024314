//! Which addresses are the world's, and which lead into somebody's own network.
//!
//! Promises: pure; an IPv4 address inside an IPv6 one (mapped, NAT64, 6to4) is judged as the IPv4
//! address that is reached through it.
//! Never: a name; what is judged is what is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Anybody's.
    World,
    /// This machine, a private network, or one set aside: only where it is allowed.
    Inside(&'static str),
    /// Tells secrets of the machine to whoever asks, as clouds have it: only where its network is
    /// allowed, whatever the name.
    Link(&'static str),
    /// Nothing that is called.
    Nowhere(&'static str),
}

/// Networks of IPv4 that are not the world's, the first that fits counts. After the registry of
/// special addresses of IANA (RFC 6890).
const NOT_THE_WORLD: [(Ipv4Addr, u8, Reach); 17] = [
    (Ipv4Addr::UNSPECIFIED, 8, Reach::Nowhere("unspecified")),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Reach::Inside("private")),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Reach::Inside("of a carrier")),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Reach::Inside("loopback")),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Reach::Link("link-local")),
    (Ipv4Addr::new(168, 63, 129, 16), 32, Reach::Link("of a cloud's own")),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Reach::Inside("private")),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Reach::Link("set aside")),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Reach::Inside("set aside")),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Reach::Inside("set aside")),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Reach::Inside("private")),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Reach::Inside("set aside")),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Reach::Inside("set aside")),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Reach::Inside("set aside")),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Reach::Nowhere("multicast")),
    (Ipv4Addr::BROADCAST, 32, Reach::Nowhere("broadcast")),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Reach::Inside("set aside")),
];

/// What an address is.
pub(super) fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => reach_v6(v6),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let known = NOT_THE_WORLD.iter().find(|(net, bits, _)| {
        let shift = 32 - u32::from(*bits);
        u32::from(*net) >> shift == u32::from(address) >> shift
    });
    known.map_or(Reach::World, |(_, _, reach)| *reach)
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let v4 = |high: u16, low: u16| reach_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match (a, b) {
        _ if address.is_unspecified() => Reach::Nowhere("unspecified"),
        _ if address.is_loopback() => Reach::Inside("loopback"),
        _ if address.is_multicast() => Reach::Nowhere("multicast"),
        (0, 0) if [c, d, e] == [0; 3] && (f == 0xffff || f == 0) => v4(high, low),
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => v4(high, low),
        (0x2002, _) => v4(b, c),
        // Of Amazon's machines: their metadata.
        (0xfd00, 0x0ec2) => Reach::Link("of a cloud's own"),
        (0xfc00..=0xfdff, _) => Reach::Inside("private"),
        (0xfe80..=0xfebf, _) => Reach::Link("link-local"),
        // Teredo, ORCHID, benchmarks and what else is set aside below 2001::/23; documents.
        (0x2001, 0..=0x1ff | 0xdb8) | (0x3fff, 0..=0x0fff) => Reach::Inside("set aside"),
        (0x2000..=0x3fff, _) => Reach::World,
        _ => Reach::Inside("set aside"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Reach {
        reach(text.parse().expect("an address"))
    }

    #[test]
    fn an_address_of_the_world_is_told_from_all_others() {
        for world in ["1.1.1.1", "9.255.255.255", "172.32.0.1", "100.128.0.1", "192.0.1.1"] {
            assert_eq!(of(world), Reach::World, "{world}");
        }
        for world in ["2606:4700::1111", "2a00::1", "::ffff:1.1.1.1", "64:ff9b::101:101"] {
            assert_eq!(of(world), Reach::World, "{world}");
        }
        for inside in ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "127.9.9.9"] {
            assert!(matches!(of(inside), Reach::Inside(_)), "{inside}");
        }
        for inside in ["100.64.0.1", "100.127.255.255", "::1", "fc00::1", "fdff::1", "240.0.0.1"] {
            assert!(matches!(of(inside), Reach::Inside(_)), "{inside}");
        }
        for inside in ["fec0::1", "2001::1", "2001:db8::1", "100::1", "4000::1", "5f00::1"] {
            assert!(matches!(of(inside), Reach::Inside(_)), "{inside}");
        }
        for link in ["169.254.169.254", "fe80::1", "fd00:ec2::254", "168.63.129.16", "192.0.0.192"]
        {
            assert!(matches!(of(link), Reach::Link(_)), "{link}");
        }
        for nowhere in ["0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "255.255.255.255", "ff02::1"] {
            assert!(matches!(of(nowhere), Reach::Nowhere(_)), "{nowhere}");
        }
    }

    #[test]
    fn an_ipv4_address_is_the_same_inside_an_ipv6_one() {
        for (inner, outer) in [
            ("127.0.0.1", "::ffff:127.0.0.1"),
            ("127.0.0.1", "::127.0.0.1"),
            ("10.1.2.3", "64:ff9b::a01:203"),
            ("169.254.169.254", "2002:a9fe:a9fe::1"),
            ("169.254.169.254", "::ffff:169.254.169.254"),
            ("8.8.8.8", "2002:808:808::1"),
        ] {
            assert_eq!(of(inner), of(outer), "{outer}");
        }
    }
}
