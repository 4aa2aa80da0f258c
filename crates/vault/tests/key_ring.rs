//! Reading `ENCRYPTION_KEY`, ids and the canary.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use mainspring_vault::{CanaryState, KekId, KeyRing, VaultError};

use crate::support::{Seeded, key_text, ring};

fn refused(text: &str) -> VaultError {
    KeyRing::parse(text).expect_err("a bad key")
}

#[test]
fn every_usual_base64_spelling_is_read() {
    // 0xFB 0xEF 0xFF… makes both alphabets differ.
    let mut key = [0u8; 32];
    key.iter_mut().enumerate().for_each(|(i, byte)| *byte = 251u8.wrapping_mul(i as u8 + 3).wrapping_add((i * i) as u8) | 0xC3);
    key[..3].copy_from_slice(&[0xFB, 0xEF, 0xFF]);
    key[9..25].iter_mut().enumerate().for_each(|(i, byte)| *byte = (i * 13) as u8);
    let spellings = [STANDARD.encode(key), STANDARD_NO_PAD.encode(key), URL_SAFE.encode(key), URL_SAFE_NO_PAD.encode(key)];
    assert_ne!(spellings[0], spellings[2]);
    let ids: Vec<KekId> = spellings.iter().map(|text| KeyRing::parse(&format!("  {text}\n")).unwrap().first_id()).collect();
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn bad_keys_are_refused_with_a_code_and_without_an_echo() {
    let good = key_text(1);
    let short = STANDARD.encode([9u8; 31]);
    let text = STANDARD.encode(b"correct horse battery staple ok!");
    let counting = STANDARD.encode(std::array::from_fn::<u8, 32, _>(|i| i as u8));
    for (given, code) in [
        ("", "VAULT_KEY_MISSING"),
        (" \n", "VAULT_KEY_MISSING"),
        ("not base64 at all!", "VAULT_KEY_MALFORMED"),
        (&short, "VAULT_KEY_MALFORMED"),
        (&format!("{good},"), "VAULT_KEY_MALFORMED"),
        (&format!("{good},{good}"), "VAULT_KEY_DUPLICATE"),
        (&format!("{good},{}", good.trim_end_matches('=')), "VAULT_KEY_DUPLICATE"),
        (&STANDARD.encode([0u8; 32]), "VAULT_KEY_WEAK"),
        (&STANDARD.encode([255u8; 32]), "VAULT_KEY_WEAK"),
        (&counting, "VAULT_KEY_WEAK"),
        (&text, "VAULT_KEY_WEAK"),
        (&STANDARD.encode(b"0123456789abcdef0123456789abcdef"), "VAULT_KEY_WEAK"),
        (&STANDARD.encode([[1u8, 2, 3, 250], [9, 8, 7, 251]].concat().repeat(4)), "VAULT_KEY_WEAK"),
    ] {
        let error = refused(given);
        assert_eq!(error.code(), code, "{given}");
        let shown = format!("{error} {error:?}");
        for part in given.split(',').filter(|part| part.trim().len() > 8) {
            assert!(!shown.contains(part), "echoed: {shown}");
        }
    }
    assert!(refused(&format!("{good},{short}")).to_string().starts_with("encryption key 2: holds 31 bytes"));
}

#[test]
fn ids_are_stable_and_printable() {
    let ring = ring(&[1, 2]);
    let ids: Vec<String> = ring.ids().map(|id| id.to_string()).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[0].parse::<KekId>().unwrap(), ring.first_id());
    assert!("xyz".parse::<KekId>().is_err());
    assert!("+123456789abcdef".parse::<KekId>().is_err());
    // The id of a fixed key never changes: it stands in every stored row.
    assert_eq!(ids[0], "3a5ffa98e52d81c0");
    assert_eq!(format!("{ring:?}"), format!("[KekId({}), KekId({})]", ids[0], ids[1]));
}

#[test]
fn the_canary_proves_the_ring() {
    let entropy = Seeded::new(3);
    let old = ring(&[1]);
    let canary = old.canary(&entropy).unwrap();
    assert_eq!(old.check_canary(&canary).unwrap(), CanaryState::Current);
    assert_eq!(ring(&[2, 1]).check_canary(&canary).unwrap(), CanaryState::Older);
    let error = ring(&[2, 3]).check_canary(&canary).unwrap_err();
    assert_eq!(error.code(), "VAULT_KEY_UNKNOWN");
    assert!(error.to_string().contains(&old.first_id().to_string()), "{error}");
    for at in 0..canary.len() {
        let mut bad = canary.clone();
        bad[at] ^= 1;
        assert!(old.check_canary(&bad).is_err(), "byte {at}");
        assert!(old.check_canary(&canary[..at]).is_err());
    }
}
