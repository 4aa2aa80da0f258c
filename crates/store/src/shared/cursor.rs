//! Cursors: where a list goes on, as text that callers hand back unread.

use mainspring_model::store::{Page, Paging, StoreError};
use uuid::Uuid;

/// The largest page. A bound here as well as at the door, so that no caller can ask for everything.
const MOST: u32 = 200;

/// A place in a list that is ordered by a moment and then by a row number, both descending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) at: i64,
    pub(crate) no: i64,
}

impl Cursor {
    /// Before everything.
    pub(crate) const TOP: Cursor = Cursor { at: i64::MAX, no: i64::MAX };

    pub(crate) fn of(paging: &Paging) -> Result<Cursor, StoreError> {
        let Some(text) = &paging.cursor else { return Ok(Cursor::TOP) };
        let part = |text: &str| u64::from_str_radix(text, 16).ok().map(u64::cast_signed);
        text.split_once('-').and_then(|(at, no)| Some(Cursor { at: part(at)?, no: part(no)? })).ok_or_else(wrong)
    }
}

impl Spot for Cursor {
    fn text(&self) -> String {
        format!("{:x}-{:x}", self.at, self.no)
    }
}

/// A place in a list that is ordered by a moment, an id and a number within it, all descending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IdCursor {
    pub(crate) at: i64,
    pub(crate) id: Uuid,
    pub(crate) seq: u32,
}

impl IdCursor {
    /// Before everything.
    pub(crate) const TOP: IdCursor = IdCursor { at: i64::MAX, id: Uuid::max(), seq: u32::MAX };

    pub(crate) fn of(paging: &Paging) -> Result<IdCursor, StoreError> {
        let Some(text) = &paging.cursor else { return Ok(IdCursor::TOP) };
        let mut parts = text.split('-');
        let mut read = || {
            let at = u64::from_str_radix(parts.next()?, 16).ok()?.cast_signed();
            let id = Uuid::from_u128(u128::from_str_radix(parts.next()?, 16).ok()?);
            let seq = u32::from_str_radix(parts.next()?, 16).ok()?;
            parts.next().is_none().then_some(IdCursor { at, id, seq })
        };
        read().ok_or_else(wrong)
    }
}

impl Spot for IdCursor {
    fn text(&self) -> String {
        format!("{:x}-{:x}-{:x}", self.at, self.id.as_u128(), self.seq)
    }
}

/// A place that a page can end at.
pub(crate) trait Spot {
    fn text(&self) -> String;
}

fn wrong() -> StoreError {
    StoreError::Invalid("the cursor is not one that this list gave".to_owned())
}

/// How many rows to ask for: one more than the page, to know whether another page follows.
pub(crate) fn limit(paging: &Paging) -> i64 {
    i64::from(paging.limit.clamp(1, MOST)) + 1
}

/// Makes a page of the rows that [`limit`] asked for.
pub(crate) fn page<T, C: Spot>(mut rows: Vec<(C, T)>, paging: &Paging) -> Page<T> {
    let size = paging.limit.clamp(1, MOST) as usize;
    let more = rows.len() > size;
    rows.truncate(size);
    let next_cursor = if more { rows.last().map(|(cursor, _)| cursor.text()) } else { None };
    Page { items: rows.into_iter().map(|(_, item)| item).collect(), next_cursor }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Cursor, StoreError> {
        Cursor::of(&Paging { limit: 1, cursor: Some(text.to_owned()) })
    }

    #[test]
    fn a_cursor_survives_its_text_and_nothing_else_is_one() {
        for cursor in [Cursor::TOP, Cursor { at: -5, no: 0 }, Cursor { at: 1_700_000_000_000, no: 42 }] {
            assert_eq!(read(&cursor.text()).unwrap(), cursor);
        }
        for cursor in [IdCursor::TOP, IdCursor { at: -5, id: Uuid::from_u128(7), seq: 3 }] {
            assert_eq!(IdCursor::of(&Paging { limit: 1, cursor: Some(cursor.text()) }).unwrap(), cursor);
        }
        for text in ["", "1-2", "1-2-3-4", "1-2-x", "x-1-1"] {
            let paging = Paging { limit: 1, cursor: Some(text.to_owned()) };
            assert!(matches!(IdCursor::of(&paging), Err(StoreError::Invalid(_))), "{text}");
        }
        for text in ["", "-", "12", "x-1", "1-2-3", "1-'; drop table runs", "ffffffffffffffffff-1"] {
            assert!(matches!(read(text), Err(StoreError::Invalid(_))), "{text}");
        }
    }
}
