//! Counts and hashes of rows, table by table, the same in whatever order the rows come.

use mainspring_model::store::copy::{Cell, Row, TABLES, Table, number_of};
use sha2::{Digest, Sha256};

use crate::blobs::hex;

/// What each table had. Two stores with the same rows have equal tallies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally(Vec<(u64, [u8; 32])>);

impl Default for Tally {
    fn default() -> Tally {
        Tally(vec![(0, [0; 32]); TABLES.len()])
    }
}

impl Tally {
    /// Counts rows of one table.
    pub(crate) fn add(&mut self, table: &Table, rows: &[Row]) {
        let (count, sum) = &mut self.0[number_of(table)];
        for row in rows {
            *count += 1;
            add(sum, &hash(table, row));
        }
    }

    /// Name, rows, and a hash in hex of each table, in their order. The hash is the sum of the rows' SHA-256 modulo 2^256: it
    /// finds what was lost or changed on the way, and is no proof against somebody who makes up rows.
    pub fn tables(&self) -> impl Iterator<Item = (&'static str, u64, String)> + '_ {
        TABLES.iter().zip(&self.0).map(|(table, (count, sum))| (table.name, *count, hex(sum)))
    }

    pub fn rows(&self) -> u64 {
        self.0.iter().map(|(count, _)| count).sum()
    }

    /// What differs, in words; `None` when nothing does.
    pub fn difference(&self, other: &Tally) -> Option<String> {
        let found: Vec<String> = self
            .tables()
            .zip(other.tables())
            .filter(|(one, other)| one != other)
            .map(|((name, one, _), (_, other, _))| match one == other {
                true => format!("{name}: {one} rows each, with different content"),
                false => format!("{name}: {one} rows and {other}"),
            })
            .collect();
        (!found.is_empty()).then(|| found.join("; "))
    }
}

/// Of one row, in the encoding of the archive.
pub(crate) fn hash(table: &Table, row: &Row) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(table.name.as_bytes());
    bytes.push(0);
    encode(row, &mut bytes);
    Sha256::digest(&bytes).into()
}

pub(crate) fn encode(row: &Row, out: &mut Vec<u8>) {
    let mut long = |tag: u8, bytes: &[u8]| {
        out.push(tag);
        // No value comes near 4 GiB: texts end at 100 MiB, blobs at 16.
        out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(bytes);
    };
    for cell in row {
        match cell {
            Cell::Text(text) => long(TEXT, text.as_bytes()),
            Cell::Bytes(bytes) => long(BYTES, bytes),
            Cell::Whole(number) => {
                long(WHOLE, &number.to_le_bytes());
            }
            Cell::Null => long(NULL, &[]),
        }
    }
}

pub(crate) const NULL: u8 = 0;
pub(crate) const WHOLE: u8 = 1;
pub(crate) const TEXT: u8 = 2;
pub(crate) const BYTES: u8 = 3;

fn add(sum: &mut [u8; 32], other: &[u8; 32]) {
    let mut carry = 0;
    for (byte, more) in sum.iter_mut().zip(other).rev() {
        let total = u16::from(*byte) + u16::from(*more) + carry;
        [_, *byte] = total.to_be_bytes();
        carry = total >> 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let row = |n: i64, text: &str| vec![Cell::Whole(n), Cell::Text(text.to_owned())];
        let of = |rows: &[Row]| {
            let mut tally = Tally::default();
            tally.add(&TABLES[0], rows);
            tally
        };
        let both = of(&[row(1, "a"), row(2, "b")]);
        assert_eq!(both, of(&[row(2, "b"), row(1, "a")]));
        assert_eq!(both.difference(&both), None);
        for other in [vec![row(1, "a")], vec![row(1, "b"), row(2, "a")], vec![row(1, "a"), row(2, "b"), row(2, "b")]] {
            assert!(both.difference(&of(&other)).is_some_and(|words| words.starts_with("users: 2 rows")), "{other:?}");
        }
        let (one, other) = (vec![Cell::Text("ab".into()), Cell::Text(String::new())], vec![Cell::Text("a".into()), Cell::Text("b".into())]);
        assert_ne!(hash(&TABLES[0], &one), hash(&TABLES[0], &other));
        assert_ne!(hash(&TABLES[0], &one), hash(&TABLES[1], &one));
    }

    #[test]
    fn sums_carry() {
        let mut sum = [0xff; 32];
        let mut one = [0; 32];
        one[31] = 1;
        add(&mut sum, &one);
        assert_eq!(sum, [0; 32]);
    }
}
