//! What a database that is being filled says of itself: from where, and how far.

use mainspring_model::store::StoreError;
use mainspring_model::store::copy::{Arrived, Row, Table};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::blobs::hex;
use crate::copy::tally::hash;
use crate::shared::json;

/// How a destination is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filling {
    /// All or nothing: what an interrupted one did is gone.
    Whole,
    /// Batch by batch, each durable: an interrupted one goes on where it was.
    Stepwise,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Arriving {
    pub(crate) from: String,
    rows: u64,
    chain: String,
}

impl Arriving {
    pub(crate) fn new(from: &str, arrived: &Arrived) -> Arriving {
        Arriving { from: from.to_owned(), rows: arrived.rows, chain: hex(&arrived.chain) }
    }

    pub(crate) fn read(text: &str) -> Result<Arriving, StoreError> {
        json::json(text)
    }

    pub(crate) fn text(&self) -> Result<String, StoreError> {
        json::text_of(self)
    }

    pub(crate) fn arrived(&self) -> Arrived {
        let mut chain = [0; 32];
        for (byte, pair) in chain.iter_mut().zip(self.chain.as_bytes().chunks(2)) {
            *byte = std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()).unwrap_or(0);
        }
        Arrived { rows: self.rows, chain }
    }
}

/// Refuses a database that is filled from elsewhere, or whose content went elsewhere.
pub(crate) fn refuse(place: &str, (arriving, moved_to): (Option<Arriving>, Option<String>)) -> Result<(), StoreError> {
    let place = place.to_owned();
    match (arriving, moved_to) {
        (Some(arriving), _) => Err(StoreError::Incomplete { place, from: arriving.from }),
        (None, Some(to)) => Err(StoreError::Moved { place, to }),
        (None, None) => Ok(()),
    }
}

/// Takes rows into account, in their order.
pub(crate) fn advance(arrived: &mut Arrived, table: &Table, rows: &[Row]) {
    for row in rows {
        arrived.rows += 1;
        arrived.chain = Sha256::new().chain_update(arrived.chain).chain_update(hash(table, row)).finalize().into();
    }
}

/// What an operator reads of a database that has rows already.
pub(crate) fn counted(found: &[(&'static str, i64)]) -> String {
    let words: Vec<String> = found.iter().map(|(name, count)| format!("{count} {}", name.replace('_', " "))).collect();
    words.join(", ")
}
