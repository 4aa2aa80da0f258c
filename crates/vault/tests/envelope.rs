//! Envelopes: what was sealed opens at its place and nowhere else, through rotations of ring and data key.

use std::sync::Arc;

use mainspring_vault::{KeyRing, OsEntropy, Place, Sealed, Vault, WrappedKey};

use crate::support::{Seeded, org, ring, run, user, vault};

const ROW: &[u8] = b"row-1";

fn place() -> Place<'static> {
    Place { table: "credentials", org: org(1), owner: Some(user(1)), row: ROW, field: "data" }
}

fn loaded(seeds: &[u64]) -> (Vault, Vec<WrappedKey>) {
    let vault = vault(seeds);
    let wrapped: Vec<WrappedKey> = [org(1), org(2)]
        .into_iter()
        .map(|org| {
            let wrapped = vault.new_data_key(org).unwrap();
            vault.load_data_key(org, &wrapped).unwrap();
            wrapped
        })
        .collect();
    (vault, wrapped)
}

#[test]
fn what_was_sealed_opens() {
    let (vault, _) = loaded(&[1]);
    let long = "x".repeat(100_000);
    for text in ["", "a", "sk_live_123", "päß🔑", &long] {
        let sealed = vault.seal(&place(), text.as_bytes()).unwrap();
        assert_eq!(vault.open(&place(), &Sealed::from_bytes(sealed.to_bytes()).unwrap()).unwrap().expose(), text);
        assert_eq!(sealed.key_version(), 1);
        assert_eq!(sealed.to_bytes().len(), 6 + 24 + text.len() + 16);
        assert_eq!(format!("{sealed:?}"), format!("Sealed({} bytes)", sealed.to_bytes().len()));
    }
    let bytes = vault.seal(&place(), &[0xFF, 0]).unwrap();
    assert_eq!(vault.open(&place(), &bytes).unwrap_err().code(), "VAULT_NOT_TEXT");
    assert_eq!(vault.open_bytes(&place(), &bytes).unwrap().as_slice(), [0xFF, 0]);
}

#[test]
fn the_same_text_never_seals_to_the_same_bytes() {
    let vault = Vault::new(ring(&[1]), Arc::new(OsEntropy));
    vault.load_data_key(org(1), &vault.new_data_key(org(1)).unwrap()).unwrap();
    let first = vault.seal(&place(), b"same").unwrap();
    assert_ne!(first, vault.seal(&place(), b"same").unwrap());
}

/// 20,000 single-bit flips, each over a fresh position: the quick form of S12.
#[test]
fn no_bit_flip_opens() {
    let (vault, wrapped) = loaded(&[1]);
    let random = Seeded::new(11);
    let sealed = vault.seal(&place(), b"a secret of some length, so that most flips hit the ciphertext").unwrap().to_bytes();
    let mut refused = 0;
    for _ in 0..20_000 {
        let bit = random.below(sealed.len() * 8);
        let mut bad = sealed.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(Sealed::from_bytes(bad).and_then(|bad| vault.open(&place(), &bad)).is_err(), "bit {bit}");
        refused += 1;
    }
    assert_eq!(refused, 20_000);
    for bit in 0..wrapped[0].bytes.len() * 8 {
        let mut bad = wrapped[0].clone();
        bad.bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(self::vault(&[1]).load_data_key(org(1), &bad).is_err(), "bit {bit} of the wrapped key");
    }
    for length in 0..sealed.len() {
        assert!(Sealed::from_bytes(&sealed[..length]).and_then(|bad| vault.open(&place(), &bad)).is_err());
    }
}

/// 24,000 values moved to another place that differs in one part; also parts whose plain concatenation is equal.
#[test]
fn no_move_opens() {
    let (vault, _) = loaded(&[1]);
    let random = Seeded::new(12);
    for round in 0..4_000 {
        let rows: [Vec<u8>; 2] = [random.next().to_be_bytes().to_vec(), random.next().to_be_bytes().to_vec()];
        let home = Place { row: &rows[0], ..place() };
        let sealed = vault.seal(&home, &rows[1]).unwrap();
        for moved in [
            Place { row: &rows[1], ..home },
            Place { org: org(2), ..home },
            Place { table: "tokens", ..home },
            Place { owner: if round % 2 == 0 { None } else { Some(user(2)) }, ..home },
            Place { field: "data2", ..home },
            Place { table: "credential", field: "sdata", ..home },
        ] {
            assert_eq!(vault.open_bytes(&moved, &sealed).unwrap_err().code(), "VAULT_OPEN_FAILED");
        }
        assert_eq!(vault.open_bytes(&home, &sealed).unwrap().as_slice(), rows[1]);
    }
}

#[test]
fn another_key_version_never_opens() {
    let (vault, _) = loaded(&[1]);
    let old = vault.seal(&place(), b"old").unwrap();
    let second = vault.new_data_key(org(1)).unwrap();
    assert_eq!(second.version, 2);
    vault.load_data_key(org(1), &second).unwrap();
    let new = vault.seal(&place(), b"new").unwrap();
    assert_eq!((old.key_version(), new.key_version()), (1, 2));
    for (sealed, version) in [(&old, 2u8), (&new, 1), (&new, 3)] {
        let mut bytes = sealed.to_bytes();
        bytes[5] = version;
        assert!(vault.open(&place(), &Sealed::from_bytes(bytes).unwrap()).is_err());
    }
    assert_eq!(vault.open(&place(), &old).unwrap().expose(), "old");
    // Re-encryption by compare-and-set, resumable: the second pass has nothing to do.
    let resealed = vault.reseal(&place(), &old).unwrap().expect("an old version");
    assert_eq!(resealed.key_version(), 2);
    assert_eq!(vault.open(&place(), &resealed).unwrap().expose(), "old");
    assert_eq!(vault.reseal(&place(), &resealed).unwrap(), None);
    // A step's idempotency key outlives the rotation.
    let before = loaded(&[1]).0.idempotency_key(org(1), run(1), "a").unwrap();
    assert_eq!(vault.idempotency_key(org(1), run(1), "a").unwrap(), before);
}

#[test]
fn a_wrapped_key_belongs_to_its_organization_and_version() {
    let (_, wrapped) = loaded(&[1]);
    let fresh = vault(&[1]);
    assert_eq!(fresh.load_data_key(org(2), &wrapped[0]).unwrap_err().code(), "VAULT_OPEN_FAILED");
    let renumbered = WrappedKey { version: 2, ..wrapped[0].clone() };
    assert_eq!(fresh.load_data_key(org(1), &renumbered).unwrap_err().code(), "VAULT_OPEN_FAILED");
    fresh.load_data_key(org(1), &wrapped[0]).unwrap();
    fresh.load_data_key(org(1), &wrapped[0]).unwrap();
    let rival = vault(&[1]);
    rival.entropy().fill(&mut [0; 99]).unwrap();
    let other = rival.new_data_key(org(1)).unwrap();
    assert_eq!(fresh.load_data_key(org(1), &other).unwrap_err().code(), "VAULT_DATA_KEY_CONFLICT");
}

#[test]
fn a_new_data_key_is_not_used_before_it_is_loaded() {
    let vault = vault(&[1]);
    let wrapped = vault.new_data_key(org(1)).unwrap();
    assert_eq!(vault.seal(&place(), b"x").unwrap_err().code(), "VAULT_DATA_KEY_MISSING");
    vault.load_data_key(org(1), &wrapped).unwrap();
    let sealed = vault.seal(&place(), b"x").unwrap();
    vault.forget(org(1));
    assert_eq!(vault.open(&place(), &sealed).unwrap_err().code(), "VAULT_DATA_KEY_MISSING");
    assert_eq!(vault.data_key_version(org(1)), None);
}

#[test]
fn the_ring_rotates_by_rewrapping_one_row_per_organization() {
    let (old, wrapped) = loaded(&[1]);
    let sealed = old.seal(&place(), b"kept").unwrap();
    assert_eq!(old.rewrap(org(1), &wrapped[0]).unwrap(), None);

    // Both keys given, the new one first.
    let both = vault(&[2, 1]);
    let rewrapped = both.rewrap(org(1), &wrapped[0]).unwrap().expect("wrapped by the old key");
    assert_eq!((rewrapped.kek_id, rewrapped.version), (ring(&[2]).first_id(), 1));
    both.load_data_key(org(1), &rewrapped).unwrap();
    both.load_data_key(org(1), &wrapped[0]).unwrap();
    assert_eq!(both.open(&place(), &sealed).unwrap().expose(), "kept");

    // The old key may go; the row it left behind names it.
    let new = vault(&[2]);
    new.load_data_key(org(1), &rewrapped).unwrap();
    assert_eq!(new.open(&place(), &sealed).unwrap().expose(), "kept");
    let error = new.load_data_key(org(2), &wrapped[1]).unwrap_err();
    assert_eq!(error.code(), "VAULT_KEY_UNKNOWN");
    assert!(error.to_string().contains(&ring(&[1]).first_id().to_string()));
    assert!(!new.ring().contains(wrapped[1].kek_id));
}

#[test]
fn a_relabelled_kek_id_is_not_believed() {
    let (_, wrapped) = loaded(&[1]);
    let both: KeyRing = ring(&[2, 1]);
    let lying = WrappedKey { kek_id: both.first_id(), ..wrapped[0].clone() };
    assert_eq!(vault(&[2, 1]).load_data_key(org(1), &lying).unwrap_err().code(), "VAULT_OPEN_FAILED");
}

#[test]
fn nothing_prints_a_secret() {
    let (vault, wrapped) = loaded(&[1]);
    let sealed = vault.seal(&place(), b"hunter2-hunter2").unwrap();
    let secret = vault.open(&place(), &sealed).unwrap();
    assert_eq!(format!("{secret:?}"), "Secret(…)");
    let shown = format!("{vault:?} {wrapped:?} {sealed:?} {:?} {secret:?}", vault.org_key(org(1)).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.len() < 400, "{shown}");
}

/// The stored form is a promise: these bytes, made by this version, must open for ever.
#[test]
fn stored_bytes_of_format_1_open() {
    let bytes = |hex: &str| (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect::<Vec<u8>>();
    let vault = vault(&[1]);
    let wrapped = "0101c8d2012b7075075be1c940ec82f60f7e56e88a2252e62b13397d18def7478ab55d617ec76f120b6c192fb9a8759bd42f18e67c2566cdd2b988ebcd9a759a4d51581592f7d732c0b89c72db7284d9c9c87f484bdc82b58822d1c20566481c96d51b166d8a8f9ea765";
    let wrapped = WrappedKey { kek_id: "3a5ffa98e52d81c0".parse().unwrap(), version: 1, bytes: bytes(wrapped) };
    vault.load_data_key(org(1), &wrapped).unwrap();
    let sealed = "0101000000010889f5e7c7487fc39c63f2259c131e0ec2a76701189016fa8d44f0511d05c86138a14583bea757437119ebb66154";
    assert_eq!(vault.open(&place(), &Sealed::from_bytes(bytes(sealed)).unwrap()).unwrap().expose(), "golden");
}
