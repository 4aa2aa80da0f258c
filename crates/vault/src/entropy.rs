//! Where random bytes come from, handed in so that tests repeat and the raw call stands in one place.

use crate::VaultError;

/// A source of cryptographically strong random bytes.
pub trait Entropy: Send + Sync {
    /// Fills the whole buffer. Errors: `VAULT_NO_ENTROPY`; the buffer must then not be used.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), VaultError>;
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "the one raw draw; everybody else is handed an `Entropy`")]
    fn fill(&self, buffer: &mut [u8]) -> Result<(), VaultError> {
        getrandom::fill(buffer).map_err(|error| VaultError::NoEntropy { reason: error.to_string() })
    }
}

/// A closure that fills a buffer is a source; for tests.
impl<F: Fn(&mut [u8]) + Send + Sync> Entropy for F {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), VaultError> {
        self(buffer);
        Ok(())
    }
}
