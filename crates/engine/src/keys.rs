//! Keyed hashes of a run under its organization's key: idempotency keys and recorded randomness.

use std::sync::Arc;

use mainspring_model::run::RunHeader;
use mainspring_vault::Vault;

use crate::replay;
use crate::run::RunKeys;

/// [`RunKeys`] by the vault's organization keys.
pub struct VaultKeys(pub Arc<Vault>);

impl RunKeys for VaultKeys {
    fn idempotency_key(&self, header: &RunHeader, path: &str) -> String {
        self.0.idempotency_key(header.owner.org, replay::key_run(header, path), path).unwrap_or_default()
    }

    fn random_bits(&self, header: &RunHeader, path: &str, n: u32) -> u128 {
        // The hash is keyed, so its bits cannot be foretold; the run's seed makes them its own.
        let seed = u128::from_be_bytes(header.seed);
        let text = self.0.idempotency_key(header.owner.org, header.id, &format!("random/{seed:032x}/{n}/{path}")).unwrap_or_default();
        text.bytes()
            .fold(seed, |bits, byte| (bits ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013B).rotate_left(7))
    }
}
