//! Repeatable randomness and a vault with two organizations for the tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mainspring_model::id::{OrgId, RunId, UserId};
use mainspring_vault::{Entropy, KeyRing, Vault, VaultError};

/// SplitMix64: repeatable bytes that look random. Not for anything but tests.
pub struct Seeded(AtomicU64);

impl Seeded {
    pub fn new(seed: u64) -> Seeded {
        Seeded(AtomicU64::new(seed))
    }

    pub fn next(&self) -> u64 {
        let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`.
    pub fn below(&self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

impl Entropy for Seeded {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), VaultError> {
        buffer.iter_mut().for_each(|byte| *byte = self.next() as u8);
        Ok(())
    }
}

/// A good key, as text.
pub fn key_text(seed: u64) -> String {
    use base64::Engine;
    let mut key = [0u8; 32];
    Seeded::new(seed).fill(&mut key).unwrap();
    base64::engine::general_purpose::STANDARD.encode(key)
}

pub fn ring(seeds: &[u64]) -> KeyRing {
    KeyRing::parse(&seeds.iter().map(|seed| key_text(*seed)).collect::<Vec<_>>().join(",")).unwrap()
}

pub fn vault(seeds: &[u64]) -> Vault {
    Vault::new(ring(seeds), Arc::new(Seeded::new(7)))
}

pub fn org(n: u8) -> OrgId {
    OrgId::at(1_700_000_000_000, [n; 10])
}

pub fn user(n: u8) -> UserId {
    UserId::at(1_700_000_000_000, [n; 10])
}

pub fn run(n: u8) -> RunId {
    RunId::at(1_700_000_000_000, [n; 10])
}
