//! Values on their way in and out: moments as timestamptz, and texts with the one character that PostgreSQL does not keep.

use std::borrow::Cow;

use mainspring_model::clock::Millis;
use sha2::{Digest, Sha256};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

use crate::blobs::hex;

/// A moment as timestamptz. Those outside the years 1 to 9999 become the first or the last moment of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp(pub(super) Millis);

/// Of 2000-01-01, where PostgreSQL begins to count.
const EPOCH: Millis = 946_684_800_000;
const FIRST: Millis = -62_135_596_800_000;
const LAST: Millis = 253_402_300_799_999;

impl Type<Postgres> for Stamp {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1184))
    }
}

impl PgHasArrayType for Stamp {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1185))
    }
}

impl Encode<'_, Postgres> for Stamp {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = (self.0.clamp(FIRST, LAST) - EPOCH) * 1_000;
        buffer.extend_from_slice(&micros.to_be_bytes());
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for Stamp {
    fn decode(value: PgValueRef<'_>) -> Result<Stamp, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => {
                let micros = i64::from_be_bytes(value.as_bytes()?.try_into()?);
                Ok(Stamp(micros.div_euclid(1_000).saturating_add(EPOCH)))
            }
            PgValueFormat::Text => Err("moments are read in the binary form".into()),
        }
    }
}

/// Stands for NUL together with the 0 behind it, and doubled for itself: "symbol for escape", which is rare and readable.
const ESCAPE: char = '\u{241b}';

/// A text as it is kept.
pub(super) fn kept(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\0' => kept.extend([ESCAPE, '0']),
            ESCAPE => kept.extend([ESCAPE, ESCAPE]),
            c => kept.push(c),
        }
    }
    Cow::Owned(kept)
}

/// A text as it was given.
pub(super) fn given(kept: String) -> String {
    if !kept.contains(ESCAPE) {
        return kept;
    }
    let mut text = String::with_capacity(kept.len());
    let mut chars = kept.chars();
    while let Some(c) = chars.next() {
        match c {
            ESCAPE => text.push(if chars.next() == Some('0') { '\0' } else { ESCAPE }),
            c => text.push(c),
        }
    }
    text
}

/// Longer than this a text is no part of a key.
const KEY: usize = 200;

/// A text as a key holds it: itself, or its beginning and its hash.
pub(super) fn key(text: &str) -> Cow<'_, str> {
    let kept = kept(text);
    if kept.len() <= KEY {
        return kept;
    }
    let cut = (0..=64).rev().find(|end| kept.is_char_boundary(*end)).unwrap_or(0);
    Cow::Owned(format!("{}…{}", &kept[..cut], hex(&Sha256::digest(kept.as_bytes()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_and_has_no_nul() {
        for text in ["", "plain", "\0", "a\0b\0", "␛", "␛0", "␛␛0\0␛", "é␛\u{0}0"] {
            assert!(!kept(text).contains('\0'), "{text:?}");
            assert_eq!(given(kept(text).into_owned()), text);
        }
        assert_ne!(kept("\0"), kept("␛0"));
    }

    #[test]
    fn keys_are_short_and_different() {
        let long = "é\0".repeat(1_000);
        assert!(key(&long).len() < 2 * KEY);
        assert_ne!(key(&long), key(&format!("{long}x")));
        assert_eq!(key("short"), "short");
    }
}
