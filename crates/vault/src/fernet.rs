//! Fernet tokens of earlier systems, read and never written: what they hold is sealed anew at once.

use aes::Aes128;
use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine::DecodePaddingMode};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

/// As Python writes them, and without the padding that some tools cut off.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::URL_SAFE, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));
const VERSION: u8 = 0x80;
/// Version and time.
const HEAD: usize = 9;
const BLOCK: usize = 16;
const MAC: usize = 32;

/// Why a token was not opened. None of them says anything of what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FernetError {
    #[error("a Fernet key is the URL-safe base64 of 32 bytes")]
    Key,
    #[error("this is no Fernet token")]
    Malformed,
    #[error("another key made this token, or it was changed")]
    Mac,
    #[error("the token is of the key, and what it holds is damaged")]
    Padding,
}

/// A Fernet key: it signs with its first half and encrypts with its second.
pub struct FernetKey(Zeroizing<Vec<u8>>);

impl FernetKey {
    /// # Errors
    /// [`FernetError::Key`].
    pub fn parse(text: &str) -> Result<FernetKey, FernetError> {
        let bytes = Zeroizing::new(BASE64.decode(text.trim()).map_err(|_| FernetError::Key)?);
        if bytes.len() == 2 * BLOCK { Ok(FernetKey(bytes)) } else { Err(FernetError::Key) }
    }

    /// What the token holds. Its age is not looked at: it was stored and not sent.
    ///
    /// # Errors
    /// All of [`FernetError`] but for `Key`.
    pub fn open(&self, token: &str) -> Result<Zeroizing<Vec<u8>>, FernetError> {
        let bytes = BASE64.decode(token.trim()).map_err(|_| FernetError::Malformed)?;
        if bytes.first() != Some(&VERSION) || bytes.len() < HEAD + 2 * BLOCK + MAC {
            return Err(FernetError::Malformed);
        }
        let (signed, mac) = bytes.split_at(bytes.len() - MAC);
        let mut signer = Hmac::<Sha256>::new_from_slice(&self.0[..BLOCK]).expect("an HMAC takes a key of any length");
        signer.update(signed);
        // Before anything is decrypted: what a padding says of a token that is not ours would tell its text, byte by byte.
        signer.verify_slice(mac).map_err(|_| FernetError::Mac)?;
        let (iv, text) = signed[HEAD..].split_at(BLOCK);
        let opener = cbc::Decryptor::<Aes128>::new_from_slices(&self.0[BLOCK..], iv).map_err(|_| FernetError::Malformed)?;
        let mut plain = Zeroizing::new(text.to_vec());
        let length = opener.decrypt_padded::<Pkcs7>(&mut plain).map_err(|_| FernetError::Padding)?.len();
        plain.truncate(length);
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key, the tokens and what is wrong with them, as the Fernet specification publishes them.
    const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    const HELLO: &str = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

    #[test]
    fn the_published_token_opens() {
        let key = FernetKey::parse(KEY).unwrap();
        assert_eq!(key.open(HELLO).unwrap()[..], *b"hello");
        assert_eq!(key.open(HELLO.trim_end_matches('=')).unwrap()[..], *b"hello");
        assert_eq!(key.open(&format!(" {HELLO}\n")).unwrap()[..], *b"hello");
    }

    #[test]
    fn the_published_invalid_tokens_are_refused_for_their_reason() {
        let key = FernetKey::parse(KEY).unwrap();
        for (token, expected) in [
            ("gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==", FernetError::Mac),
            ("gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==", FernetError::Malformed),
            (
                "%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
                FernetError::Malformed,
            ),
            ("gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm", FernetError::Malformed),
            ("gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==", FernetError::Padding),
            ("gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==", FernetError::Padding),
        ] {
            assert_eq!(key.open(token).map(|plain| plain.len()), Err(expected), "{token}");
        }
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let key = FernetKey::parse(KEY).unwrap();
        let bytes = BASE64.decode(HELLO).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(key.open(&BASE64.encode(changed)).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn keys_have_32_bytes() {
        for text in ["", "short", "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4Q==", "not base64 at all, but as long as a key would"] {
            assert_eq!(FernetKey::parse(text).map(drop), Err(FernetError::Key), "{text}");
        }
        let other = FernetKey::parse("q0b1kRr0aU8bXq3yE7mJ5nq1m9v0sZt2cW4hL6dPpXg=").unwrap();
        assert_eq!(other.open(HELLO).map(|plain| plain.len()), Err(FernetError::Mac));
    }
}
