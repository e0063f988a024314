//! What may be called although it is not the world's: hosts and networks the operator names.
//!
//! ```text
//!   push.allow = ["hooks.internal", "10.1.2.0/24", "::1"]
//!                  a host: its private   a network: whatever of it is connected to
//!                  addresses, plain http
//! ```
//!
//! Promises: pure; without an entry nothing but the world is called, and that over https alone.
//! Never: multicast or an unspecified address, whatever is allowed; an address of a link or of a
//! cloud's metadata for the sake of a name.

use std::net::IpAddr;

use plimsoll::error::excerpt;

use super::address::{Reach, reach};

/// Entries at most: each address is compared with all of them.
const ENTRIES_MAX: usize = 256;

/// What may be called besides the world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    hosts: Vec<Box<str>>,
    networks: Vec<Network>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

impl Allow {
    /// Reads hosts, addresses and networks.
    ///
    /// ```
    /// use plimsoll_server::push::Allow;
    /// assert!(Allow::parse(["hooks.internal", "10.1.0.0/16"]).is_ok());
    /// assert!(Allow::parse(["10.1.2.3/16"]).is_err());
    /// ```
    ///
    /// # Errors
    /// The entry that is none of these, with what is.
    pub fn parse<'t>(entries: impl IntoIterator<Item = &'t str>) -> Result<Self, String> {
        let mut allow = Self::default();
        for entry in entries {
            if allow.hosts.len() + allow.networks.len() == ENTRIES_MAX {
                return Err(format!("push.allow has more than {ENTRIES_MAX} entries"));
            }
            match network(entry) {
                Some(network) => allow.networks.push(network?),
                None if is_host(entry) => allow.hosts.push(plain(entry)),
                None => {
                    return Err(format!(
                        "push.allow: {:?} is no host, address or network such as 10.1.2.0/24",
                        excerpt(entry)
                    ));
                }
            }
        }
        Ok(allow)
    }

    /// Whether a host at an address may be called, or why not.
    pub(super) fn check(&self, host: &str, at: IpAddr, plain_http: bool) -> Result<(), String> {
        let named = self.hosts.contains(&plain(host));
        let inside = self.networks.iter().any(|network| network.holds(at));
        let allowed = match reach(at) {
            Reach::Nowhere(what) => return Err(format!("its address is {what}")),
            Reach::World => true,
            Reach::Inside(_) => named || inside,
            Reach::Link(_) => inside,
        };
        match reach(at) {
            Reach::Inside(what) | Reach::Link(what) if !allowed => {
                Err(format!("its address is {what}"))
            }
            _ if plain_http && !named && !inside => Err("it is not https".to_owned()),
            _ => Ok(()),
        }
    }
}

impl Network {
    fn holds(self, address: IpAddr) -> bool {
        prefix(address.to_canonical(), self.bits) == prefix(self.address, self.bits)
    }
}

/// The first bits of an address, of its family.
fn prefix(address: IpAddr, bits: u8) -> (bool, u128) {
    match address {
        IpAddr::V4(v4) => {
            let shift = 32_u32.saturating_sub(bits.into());
            (true, u128::from(u64::from(u32::from(v4)) >> shift))
        }
        IpAddr::V6(v6) => {
            let shift = 128_u32.saturating_sub(bits.into());
            (false, u128::from(v6).checked_shr(shift).unwrap_or(0))
        }
    }
}

/// Reads what looks like an address or a network.
fn network(entry: &str) -> Option<Result<Network, String>> {
    let (text, bits) = entry.split_once('/').map_or((entry, None), |(a, b)| (a, Some(b)));
    let address: IpAddr = text.trim_matches(['[', ']']).parse().ok()?;
    let address = address.to_canonical();
    let bits_max = if address.is_ipv4() { 32 } else { 128 };
    let wrong = |why: String| Some(Err(format!("push.allow: {:?} {why}", excerpt(entry))));
    let Some(bits) = bits.map_or(Some(bits_max), |bits| bits.parse().ok()) else {
        return wrong(format!("has no number of bits from 0 to {bits_max}"));
    };
    if bits > bits_max {
        return wrong(format!("has more than {bits_max} bits"));
    }
    let network = Network { address, bits };
    let (_, kept) = prefix(address, bits);
    let (_, whole) = prefix(address, bits_max);
    let rest = u32::from(bits_max - bits);
    if kept.checked_shl(rest).unwrap_or(0) != whole {
        return wrong(format!("is an address inside a network: write it with {bits_max} bits"));
    }
    Some(Ok(network))
}

/// A host as it is compared: in lower case, without the dot of the root.
pub(super) fn plain(host: &str) -> Box<str> {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase().into()
}

/// Whether it can be the name of a host.
pub(super) fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(fits)
    };
    text.len() <= 253 && plain(text).split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(allow: &[&str], host: &str, at: &str, plain_http: bool) -> bool {
        let allow = Allow::parse(allow.iter().copied()).expect("an allow-list");
        allow.check(host, at.parse().expect("an address"), plain_http).is_ok()
    }

    #[test]
    fn without_an_entry_nothing_but_the_world_is_called_and_that_over_https() {
        assert!(is_allowed(&[], "a.example", "1.1.1.1", false));
        assert!(!is_allowed(&[], "a.example", "1.1.1.1", true));
        for at in ["127.0.0.1", "10.0.0.1", "::1", "::ffff:10.0.0.1", "169.254.169.254", "::"] {
            assert!(!is_allowed(&[], "a.example", at, false), "{at}");
        }
    }

    #[test]
    fn a_host_is_allowed_by_its_name_and_an_address_by_its_network() {
        assert!(is_allowed(&["Hooks.internal"], "hooks.INTERNAL.", "10.0.0.1", true));
        assert!(!is_allowed(&["hooks.internal"], "x.hooks.internal", "10.0.0.1", false));
        assert!(is_allowed(&["10.1.2.0/24"], "any.example", "10.1.2.255", true));
        assert!(!is_allowed(&["10.1.2.0/24"], "any.example", "10.1.3.0", false));
        assert!(is_allowed(&["127.0.0.1"], "any.example", "::ffff:127.0.0.1", true));
        assert!(is_allowed(&["::1"], "localhost", "::1", true));
        assert!(is_allowed(&["fd00::/8"], "a.internal", "fd12::9", true));
        assert!(!is_allowed(&["0.0.0.0/0"], "a.internal", "::1", false), "another family");
    }

    #[test]
    fn a_name_never_opens_the_metadata_of_a_cloud_and_nothing_opens_multicast() {
        assert!(!is_allowed(&["meta.internal"], "meta.internal", "169.254.169.254", false));
        assert!(!is_allowed(&["meta.internal"], "meta.internal", "fd00:ec2::254", false));
        assert!(is_allowed(&["169.254.0.0/16"], "meta.internal", "169.254.169.254", false));
        assert!(!is_allowed(&["0.0.0.0/0", "a.b"], "a.b", "224.0.0.1", false));
        assert!(!is_allowed(&["0.0.0.0/0", "a.b"], "a.b", "0.0.0.0", false));
    }

    #[test]
    fn an_entry_that_is_no_host_or_network_is_named() {
        for wrong in ["", "a b", "http://a.b", "10.0.0.0/33", "10.0.0.1/8", "::/129", "a/8", "é"] {
            let said = Allow::parse([wrong]).expect_err(wrong);
            assert!(said.starts_with("push.allow: "), "{said}");
        }
        let many: Vec<&str> = vec!["a.b"; ENTRIES_MAX + 1];
        assert!(Allow::parse(many).expect_err("too many").contains("more than"));
    }
}
