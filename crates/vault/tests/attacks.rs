//! Gate S12, ciphertexts: 100,000 that were changed or moved, none of which opens.

use mainspring_vault::{Place, Sealed, Vault, WrappedKey};

use crate::support::{Seeded, org, user, vault};

const FLIPS: usize = 50_000;
const CHANGES: usize = 20_000;
const SWAPS: usize = 30_000;

/// Where values lie: enough of each part that a swap differs in it.
const FIELDS: [&str; 3] = ["api_key", "token", "api_keyx"];
const TABLES: [&str; 3] = ["credentials", "variables", "credential"];

struct Kept {
    org: u8,
    user: Option<u8>,
    row: [u8; 16],
    field: usize,
    table: usize,
    bytes: Vec<u8>,
}

impl Kept {
    fn place(&self) -> Place<'_> {
        let owner = self.user.map(user);
        Place { table: TABLES[self.table], org: org(self.org), owner, row: &self.row, field: FIELDS[self.field] }
    }
}

/// Two organizations with two versions of their keys each, and values under all of them.
fn filled(random: &Seeded) -> (Vault, Vec<Kept>, Vec<WrappedKey>) {
    let vault = vault(&[1]);
    let mut kept = Vec::new();
    let mut keys = Vec::new();
    for _ in 0..2 {
        for n in [1, 2] {
            let wrapped = vault.new_data_key(org(n)).unwrap();
            vault.load_data_key(org(n), &wrapped).unwrap();
            keys.push(wrapped);
        }
        for _ in 0..100 {
            let mut row = [0; 16];
            row[..8].copy_from_slice(&random.next().to_be_bytes());
            let (field, table) = (random.below(FIELDS.len()), random.below(TABLES.len()));
            let user = [None, Some(1), Some(2)][random.below(3)];
            let mut one = Kept { org: 1 + random.below(2) as u8, user, row, field, table, bytes: Vec::new() };
            let text = format!("secret of row {:?}, {}", one.row, "x".repeat(random.below(60)));
            one.bytes = vault.seal(&one.place(), text.as_bytes()).unwrap().to_bytes();
            kept.push(one);
        }
    }
    (vault, kept, keys)
}

fn opens(vault: &Vault, place: &Place<'_>, bytes: &[u8]) -> bool {
    Sealed::from_bytes(bytes).is_ok_and(|sealed| vault.open_bytes(place, &sealed).is_ok())
}

#[test]
fn nothing_that_was_changed_or_moved_opens() {
    let seed = 0x512;
    let random = Seeded::new(seed);
    let (vault, kept, _) = filled(&random);
    assert!(kept.iter().all(|one| opens(&vault, &one.place(), &one.bytes)), "all open where they belong");
    let mut opened = 0;
    for _ in 0..FLIPS {
        let one = &kept[random.below(kept.len())];
        let mut bytes = one.bytes.clone();
        let bit = random.below(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        opened += usize::from(opens(&vault, &one.place(), &bytes));
    }
    assert_eq!(opened, 0, "{opened} of {FLIPS} opened although a bit was flipped (seed {seed:#x})");
    for _ in 0..CHANGES {
        let (one, other) = (&kept[random.below(kept.len())], &kept[random.below(kept.len())]);
        let mut bytes = one.bytes.clone();
        match random.below(4) {
            0 => bytes.truncate(random.below(bytes.len())),
            1 => bytes.push(random.next() as u8),
            // A version that the key has, or none has.
            2 => bytes[5] = if bytes[5] == 1 { 2 } else { 1 },
            // The head of one and the body of another.
            _ => {
                let cut = 6 + random.below(24);
                bytes.truncate(cut);
                bytes.extend_from_slice(other.bytes.get(cut..).unwrap_or_default());
                if bytes == one.bytes || bytes == other.bytes {
                    bytes.push(0);
                }
            }
        }
        opened += usize::from(opens(&vault, &one.place(), &bytes));
    }
    assert_eq!(opened, 0, "{opened} of {CHANGES} opened although they were cut, stretched or spliced (seed {seed:#x})");
    for _ in 0..SWAPS {
        let one = &kept[random.below(kept.len())];
        let home = one.place();
        let row = random.next().to_be_bytes();
        let moved = match random.below(6) {
            0 => Place { row: &row, ..home },
            1 => Place { org: org(3 - one.org), ..home },
            2 => Place { field: FIELDS[(one.field + 1) % FIELDS.len()], ..home },
            3 => Place { table: TABLES[(one.table + 1) % TABLES.len()], ..home },
            4 => Place { owner: if one.user.is_none() { Some(user(1)) } else { None }, ..home },
            _ => Place { owner: Some(user(3)), ..home },
        };
        opened += usize::from(opens(&vault, &moved, &one.bytes));
    }
    assert_eq!(opened, 0, "{opened} of {SWAPS} opened at another place (seed {seed:#x})");
    println!("{} changed or moved ciphertexts, 0 opened", FLIPS + CHANGES + SWAPS);
}
