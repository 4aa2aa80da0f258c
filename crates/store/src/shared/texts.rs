//! Texts and moments in the form that both databases can hold: without NUL, short where they are looked up, within the calendar.

use std::borrow::Cow;

use mainspring_model::clock::Millis;
use sha2::{Digest, Sha256};

use crate::blobs::hex;

/// The years 1 to 9999, which is what PostgreSQL's moments are kept to.
pub(crate) const FIRST: Millis = -62_135_596_800_000;
pub(crate) const LAST: Millis = 253_402_300_799_999;

/// Stands for NUL together with the 0 behind it, and doubled for itself: "symbol for escape", which is rare and readable.
const ESCAPE: char = '\u{241b}';

/// A text as it is kept.
pub(crate) fn kept(text: &str) -> Cow<'_, str> {
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
pub(crate) fn given(kept: String) -> String {
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
pub(crate) fn key(text: &str) -> Cow<'_, str> {
    let kept = kept(text);
    if kept.len() <= KEY {
        return kept;
    }
    let cut = (0..=64).rev().find(|end| kept.is_char_boundary(*end)).unwrap_or(0);
    Cow::Owned(format!("{}…{}", &kept[..cut], hex(&Sha256::digest(kept.as_bytes()))))
}

/// A text that is looked up, for a database whose texts hold everything: itself, or when it is long what [`key`] makes of it.
pub(crate) fn short(text: &str) -> Cow<'_, str> {
    if text.len() * 3 <= KEY {
        return Cow::Borrowed(text);
    }
    Cow::Owned(given(key(text).into_owned()))
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
        for text in ["short", "\0␛", &"x".repeat(KEY), &"x".repeat(KEY + 1), &long] {
            assert_eq!(key(&short(text)), key(text), "{text}");
            assert_eq!(short(&short(text)), short(text), "{text}");
        }
        assert_eq!(short(&"x".repeat(KEY)), "x".repeat(KEY));
    }
}
