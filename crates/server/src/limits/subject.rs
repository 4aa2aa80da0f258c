//! Whose requests are counted together.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use mainspring_model::id::{ApiKeyId, UserId};
use sha2::{Digest, Sha256};

use super::door::Door;

/// One budget each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A caller: its API key, wherever it calls from.
    Key(ApiKeyId),
    /// Somebody who is logged in, wherever they call from.
    User(UserId),
    /// Everybody without a key at one address.
    Address(IpAddr),
    /// One sender at one webhook: the address, and the hash of the path.
    Hook(IpAddr, [u8; 16]),
    /// Everybody at one address, at one of the doors.
    Door(Door, IpAddr),
}

impl Subject {
    pub fn address(address: IpAddr) -> Subject {
        Subject::Address(place(address))
    }

    /// A webhook that exists. By the path alone a stranger could use it up for its senders; by the address alone one sender's
    /// deliveries to one plan would be missing for another.
    pub fn hook(address: IpAddr, path: &str) -> Subject {
        Subject::Hook(place(address), hash(path))
    }

    pub fn door(door: Door, address: IpAddr) -> Subject {
        Subject::Door(door, place(address))
    }
}

fn hash(text: &str) -> [u8; 16] {
    let mut hash = [0; 16];
    hash.copy_from_slice(&Sha256::digest(text)[..16]);
    hash
}

/// Who has one IPv6 address has at least the 64 bits below its network.
fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// As it is named in Redis.
impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Key(key) => write!(out, "key:{key}"),
            Subject::User(user) => write!(out, "user:{user}"),
            Subject::Address(address) => write!(out, "address:{address}"),
            Subject::Hook(address, path) => write!(out, "hook:{address}:{:032x}", u128::from_be_bytes(*path)),
            Subject::Door(door, address) => write!(out, "{}:{address}", door.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> Subject {
        Subject::address(address.parse().unwrap())
    }

    #[test]
    fn an_address_is_what_one_customer_has() {
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_ne!(of("192.0.2.7"), of("192.0.2.8"));
    }

    #[test]
    fn names_are_the_same_on_every_node() {
        assert_eq!(of("2001:db8::1").to_string(), "address:2001:db8::");
        let hook = Subject::hook("192.0.2.7".parse().unwrap(), "orders");
        assert_eq!(hook.to_string(), "hook:192.0.2.7:1c168adb00d208e42f93314529f1fa9c");
        assert_ne!(hook, Subject::hook("192.0.2.7".parse().unwrap(), "invoices"));
    }
}
