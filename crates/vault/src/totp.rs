//! Codes of the moment (TOTP, RFC 6238): six digits from a shared secret and the half minute, as every authenticator app makes them.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{Entropy, VaultError};

/// Seconds of one code.
const STEP: i64 = 30;
/// Codes that still count before and after the present one: clocks differ, and people type.
const DRIFT: i64 = 1;
const DIGITS: usize = 6;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A shared secret of 160 bits.
pub struct TotpSecret(Zeroizing<Vec<u8>>);

impl TotpSecret {
    /// Errors: `VAULT_NO_ENTROPY`.
    pub fn generate(entropy: &dyn Entropy) -> Result<TotpSecret, VaultError> {
        let mut bytes = Zeroizing::new(vec![0u8; 20]);
        entropy.fill(&mut bytes)?;
        Ok(TotpSecret(bytes))
    }

    pub fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> TotpSecret {
        TotpSecret(bytes)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As people type it.
    pub fn text(&self) -> String {
        base32(&self.0)
    }

    /// What an authenticator app reads from a picture. `account` and `issuer` are shown by it.
    pub fn uri(&self, issuer: &str, account: &str) -> String {
        let (issuer, account) = (escaped(issuer), escaped(account));
        format!("otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP}", self.text())
    }

    /// The code of the half minute of `now`, in Unix seconds.
    pub fn code(&self, now: i64) -> String {
        self.code_of(now.div_euclid(STEP))
    }

    /// The half minute whose code this is, when it is near `now` (Unix seconds) and later than `last`, whose code was used up. Every
    /// candidate is compared, so that the time taken tells nothing.
    pub fn accept(&self, code: &str, now: i64, last: Option<i64>) -> Option<i64> {
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let present = now.div_euclid(STEP);
        let mut found = None;
        for step in present - DRIFT..=present + DRIFT {
            let same = bool::from(self.code_of(step).as_bytes().ct_eq(code.as_bytes()));
            if same && last.is_none_or(|last| step > last) {
                found = Some(step);
            }
        }
        found
    }

    fn code_of(&self, step: i64) -> String {
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(&step.to_be_bytes());
        let hash: [u8; 20] = mac.finalize().into_bytes().into();
        let at = usize::from(hash[19] & 15);
        let four = [hash[at] & 0x7f, hash[at + 1], hash[at + 2], hash[at + 3]];
        format!("{:06}", u32::from_be_bytes(four) % 1_000_000)
    }
}

/// A code to write down and use once when the app is lost: 80 bits, so that its plain hash is no help to whoever reads the database.
/// Errors: `VAULT_NO_ENTROPY`.
pub fn recovery_code(entropy: &dyn Entropy) -> Result<String, VaultError> {
    let mut bytes = Zeroizing::new([0u8; 10]);
    entropy.fill(&mut *bytes)?;
    let text = base32(&*bytes).to_lowercase();
    Ok([&text[..4], &text[4..8], &text[8..12], &text[12..]].join("-"))
}

/// A recovery code as it is hashed: without what people add or change when they type it.
pub fn plain_recovery_code(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn base32(bytes: &[u8]) -> String {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| usize::from(byte >> (7 - at % 8) & 1));
    let letter = |at: usize| char::from(BASE32[(0..5).fold(0, |five, next| five << 1 | bit(at * 5 + next))]);
    (0..(bytes.len() * 8).div_ceil(5)).map(letter).collect()
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
