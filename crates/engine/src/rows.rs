//! Reading the rows of a file for a loop: a page at a time, by `file.rows`, so that a file of any size passes in little memory.

use std::sync::Arc;
use std::time::Duration;

use mainspring_model::action::{Context, Outcome};
use mainspring_model::catalog::Provider;
use mainspring_model::fault::{Class, Code, Fault};
use mainspring_model::file::Files;
use mainspring_model::run::RunHeader;
use serde_json::{Map, Value, json};

use crate::driver::HOLD;
use crate::engine::Inner;
use crate::files::OrgFiles;
use crate::run::{MAX_ITEMS, RowPlace, RowSource, RowsRead, RowsWanted};

/// Rows of a page while they are only counted.
const COUNTED: u64 = 10_000;
/// Rows that are read ahead.
const AHEAD: u64 = 500;
/// Bytes of the file after which a page is given with the items that are whole.
const ENOUGH: u64 = 1 << 20;
/// Bytes of the file that one item may be made of.
const MOST: u64 = 16 << 20;
/// A store that fails is asked so often before the loop fails.
const TRIES: u32 = 10;
/// For one page.
const WITHIN: Duration = Duration::from_secs(300);

/// Reads what a run wants.
///
/// # Errors
/// Those of `file.rows`; `LIMIT_EXCEEDED` for a file with too many items, or an item that is too large.
pub(crate) async fn read(inner: &Arc<Inner>, header: &RunHeader, wanted: &RowsWanted) -> Result<RowsRead, Fault> {
    let mut reader = Reader { inner, header, source: (*wanted.source).clone() };
    let mut total = None;
    // After a restart nothing is known of where its rows are.
    if wanted.item.is_none() || reader.source.places.is_empty() {
        total = Some(reader.count().await?);
    }
    let items = match wanted.item {
        Some(item) => reader.items(item).await?,
        None => Vec::new(),
    };
    Ok(RowsRead { source: Arc::new(reader.source), total, items })
}

struct Reader<'a> {
    inner: &'a Arc<Inner>,
    header: &'a RunHeader,
    source: RowSource,
}

/// Rows, and where the next one begins.
struct Page {
    rows: Vec<Value>,
    next: Option<RowPlace>,
}

const BEGINNING: RowPlace = RowPlace { row: 0, offset: 0, line: 1 };

impl Reader<'_> {
    /// How many items the file has. Notes places on the way.
    async fn count(&mut self) -> Result<u32, Fault> {
        let batch = u64::from(self.source.batch.unwrap_or(1));
        let mut at = BEGINNING;
        self.source.places = vec![at];
        loop {
            let page = self.page(at, COUNTED).await?;
            let rows = at.row + page.rows.len() as u64;
            if rows.div_ceil(batch) > MAX_ITEMS as u64 {
                let message = format!(
                    "{} has more than {MAX_ITEMS} items; raise \"batch\", so that an item is several rows, or split the file",
                    self.source.name()
                );
                return Err(Fault::new(Code::LIMIT_EXCEEDED, message));
            }
            let Some(next) = page.next else { return Ok(u32::try_from(rows.div_ceil(batch)).unwrap_or(u32::MAX)) };
            at = next;
            tokio::task::yield_now().await;
        }
    }

    /// Some items from this one on.
    async fn items(&mut self, first: u32) -> Result<Vec<Value>, Fault> {
        let batch = u64::from(self.source.batch.unwrap_or(1));
        let from = u64::from(first) * batch;
        let upto = from + (AHEAD / batch).max(1) * batch;
        let place = self.source.places.partition_point(|place| place.row <= from).checked_sub(1);
        let mut at = place.map_or(BEGINNING, |place| self.source.places[place]);
        let mut began = at.offset;
        let (mut items, mut rows) = (Vec::new(), Vec::new());
        loop {
            let page = self.page(at, (upto - at.row).min(COUNTED)).await?;
            let behind = usize::try_from(from.saturating_sub(at.row)).unwrap_or(usize::MAX);
            if behind >= page.rows.len() {
                began = page.next.map_or(began, |next| next.offset);
            }
            for row in page.rows.into_iter().skip(behind) {
                match self.source.batch {
                    None => items.push(row),
                    Some(_) => rows.push(row),
                }
                if rows.len() as u64 == batch {
                    items.push(Value::Array(std::mem::take(&mut rows)));
                }
            }
            let Some(next) = page.next.filter(|next| next.row < upto) else { break };
            let read = next.offset.saturating_sub(began);
            if !items.is_empty() && read >= ENOUGH {
                return Ok(items);
            }
            if read > MOST {
                let message = format!("{batch} rows of {} are more than {MOST} bytes; make \"batch\" smaller", self.source.name());
                return Err(Fault::new(Code::LIMIT_EXCEEDED, message));
            }
            at = next;
        }
        // The last item of the file may have fewer rows.
        if !rows.is_empty() {
            items.push(Value::Array(rows));
        }
        Ok(items)
    }

    async fn page(&mut self, at: RowPlace, limit: u64) -> Result<Page, Fault> {
        let mut params = self.source.params.clone();
        params.insert("limit".to_owned(), json!(limit));
        if at.offset > 0 {
            let mut from = self.source.fixed.clone();
            from.insert("offset".to_owned(), json!(at.offset));
            from.insert("line".to_owned(), json!(at.line));
            params.insert("from".to_owned(), Value::Object(from));
        }
        let mut output = self.ask(&params).await?;
        let rows = match output["items"].take() {
            Value::Array(rows) => rows,
            _ => Vec::new(),
        };
        let Value::Object(mut next) = output["next"].take() else { return Ok(Page { rows, next: None }) };
        let mut number = |name: &str| next.remove(name).and_then(|value| value.as_u64()).unwrap_or_default();
        let place = RowPlace { row: at.row + rows.len() as u64, offset: number("offset"), line: number("line") };
        self.source.fixed = next;
        if let Err(before) = self.source.places.binary_search_by_key(&place.row, |place| place.row) {
            self.source.places.insert(before, place);
        }
        Ok(Page { rows, next: Some(place) })
    }

    async fn ask(&self, params: &Map<String, Value>) -> Result<Value, Fault> {
        let clock = &self.inner.clock;
        let mut tries = 0;
        loop {
            tries += 1;
            match call(self.inner, self.header, params).await {
                Err(fault) if fault.class == Class::Transient && tries < TRIES => {
                    tracing::warn!(%fault, "rows of a file could not be read; trying again");
                    clock.sleep_until(clock.now().saturating_add(HOLD)).await;
                }
                other => return other,
            }
        }
    }
}

async fn call(inner: &Arc<Inner>, header: &RunHeader, params: &Map<String, Value>) -> Result<Value, Fault> {
    let provider: Option<Arc<Provider>> = inner.catalog.provider(&header.owner, "file");
    let action = provider.and_then(|provider| provider.action("rows").cloned());
    let action = action.ok_or_else(|| Fault::new(Code::UNKNOWN_ACTION, "rows of files cannot be read here: there is no file.rows"))?;
    let files: Arc<dyn Files> = Arc::new(OrgFiles::of(inner.clone(), header.owner));
    let cx = Context { run: Some(header.id), files: Some(files), ..Context::apart(header.owner, "rows", inner.clock.clone(), WITHIN) };
    match action.call(Value::Object(params.clone()), &cx).await? {
        Outcome::Done(output) => Ok(output.value),
        _ => Err(Fault::internal("file.rows gave no rows")),
    }
}
