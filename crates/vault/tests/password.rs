//! Passwords: hashes that say what they were made with.

use mainspring_vault::{Cost, Verdict, hash_password, nobodys_hash, verify_password};

use crate::support::Seeded;

const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

#[test]
fn a_hash_knows_its_password_alone() {
    let hash = hash_password("correct horse", CHEAP, &Seeded::new(1)).unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
    assert_ne!(hash, hash_password("correct horse", CHEAP, &Seeded::new(2)).unwrap(), "salted");
    let verdict = |password: &str| verify_password(password, &hash, CHEAP).unwrap();
    assert_eq!(
        (verdict("correct horse"), verdict("correct hors"), verdict("")),
        (Verdict::Right { outdated: false }, Verdict::Wrong, Verdict::Wrong)
    );
}

#[test]
fn a_hash_of_another_cost_is_right_and_outdated() {
    let hash = hash_password("correct horse", CHEAP, &Seeded::new(1)).unwrap();
    let dearer = Cost { passes: 2, ..CHEAP };
    assert_eq!(verify_password("correct horse", &hash, dearer).unwrap(), Verdict::Right { outdated: true });
    assert_eq!(verify_password("wrong horse", &hash, dearer).unwrap(), Verdict::Wrong);
}

/// The reference implementation's own: `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 32`.
#[test]
fn the_reference_implementation_agrees() {
    let known = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    assert_eq!(verify_password("password", known, Cost::STANDARD).unwrap(), Verdict::Right { outdated: true });
    assert_eq!(verify_password("passwore", known, Cost::STANDARD).unwrap(), Verdict::Wrong);
}

#[test]
fn what_is_no_hash_is_said_to_be_none_and_costs_nothing() {
    let nobody = nobodys_hash(CHEAP);
    assert_eq!(verify_password("", &nobody, CHEAP).unwrap(), Verdict::Wrong);
    for text in [
        "",
        "correct horse",
        "$2b$12$abcdefghijklmnopqrstuv",
        "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc$more",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$",
    ] {
        assert_eq!(verify_password("x", text, CHEAP).unwrap_err().code(), "VAULT_MALFORMED", "{text}");
    }
}
