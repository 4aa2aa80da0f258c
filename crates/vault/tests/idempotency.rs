//! Idempotency keys: equal on every attempt and node, different for everything else.

use std::collections::HashSet;

use mainspring_vault::idempotency_key;

use crate::support::{org, run, vault};

#[test]
fn keys_are_equal_for_the_same_step_and_different_otherwise() {
    let vault = vault(&[1]);
    let wrapped = [1, 2].map(|n| {
        let wrapped = vault.new_data_key(org(n)).unwrap();
        vault.load_data_key(org(n), &wrapped).unwrap();
        wrapped
    });
    let mut seen = HashSet::new();
    for o in [1, 2] {
        for r in 1..20 {
            for path in ["a", "ab", "outer[3].inner[0]", "outer[3].inner[1]", "outer[30].inner", ""] {
                let key = vault.idempotency_key(org(o), run(r), path).unwrap();
                assert_eq!(key.len(), 52);
                assert!(key.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')), "{key}");
                assert!(seen.insert(key), "{o} {r} {path}");
            }
        }
    }
    // Another node, which loaded the same stored rows under another ring order.
    let node = crate::support::vault(&[2, 1]);
    node.load_data_key(org(1), &wrapped[0]).unwrap();
    let key = idempotency_key(&node.org_key(org(1)).unwrap(), run(1), "a");
    assert_eq!(key, vault.idempotency_key(org(1), run(1), "a").unwrap());
    // Downstream services remember these keys: the derivation never changes.
    assert_eq!(key, "levzi3o6d2t6uiyecbqb6n4ik4744ncbeyfnaqq2ihdy47so3qpa");
    assert_eq!(vault.idempotency_key(org(3), run(1), "a").unwrap_err().code(), "VAULT_DATA_KEY_MISSING");
}
