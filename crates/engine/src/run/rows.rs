//! A `for_each` over the rows of a file: what it asks of the driver, and which rows it has by now. Only those that are worked on are here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use mainspring_model::fault::{Code, Fault};
use serde_json::{Map, Value, json};

use super::state::{Active, Addr, FrameOwner, StepState, UnitState};
use super::{Run, Task, path};

/// A file whose rows are items, and what was found of its parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowSource {
    /// Of `file.rows`, without `limit` and `from`.
    pub params: Map<String, Value>,
    /// Rows of one item; `None`: the row itself is the item.
    pub batch: Option<u32>,
    /// In the order of the file; empty as long as it was not counted.
    pub places: Vec<RowPlace>,
    /// What `from` says beside the place: it is the same for the whole file.
    pub fixed: Map<String, Value>,
}

/// Where a row begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowPlace {
    pub row: u64,
    pub offset: u64,
    pub line: u64,
}

/// Rows that the run cannot go on without.
#[derive(Clone, Debug)]
pub struct RowsWanted {
    pub addr: Addr,
    pub source: Arc<RowSource>,
    /// From this item on; `None`: only how many there are.
    pub item: Option<u32>,
}

/// What was read of them.
#[derive(Clone, Debug, Default)]
pub struct RowsRead {
    /// With the places that are known by now.
    pub source: Arc<RowSource>,
    /// Items of the whole file, when they were counted.
    pub total: Option<u32>,
    /// The items from the one that was asked for on: at least that one.
    pub items: Vec<Value>,
}

/// Bytes of failed rows that are kept for `errors`; of the others `row` tells.
const MOST_FAILED: usize = 4 << 20;

/// What a `for_each` goes over.
pub enum Items {
    List(Vec<Value>),
    Rows(Rows),
}

/// Rows as items.
#[derive(Default)]
pub struct Rows {
    pub source: Arc<RowSource>,
    /// Those that are worked on, that come next, or that failed.
    here: BTreeMap<u32, Value>,
    /// Those that cannot be read.
    lost: HashMap<u32, Fault>,
    /// Bytes of those that failed, as JSON.
    failed: usize,
    /// What waits for them.
    waiting: Option<Vec<Task>>,
}

impl Items {
    pub fn rows(source: Arc<RowSource>) -> Items {
        Items::Rows(Rows { source, ..Rows::default() })
    }

    pub fn get(&self, index: u32) -> Option<&Value> {
        match self {
            Items::List(items) => items.get(index as usize),
            Items::Rows(rows) => rows.here.get(&index),
        }
    }

    fn held(&self) -> usize {
        match self {
            Items::List(_) => 0,
            Items::Rows(rows) => rows.here.len(),
        }
    }

    /// An item ended well and nobody looks at it again.
    pub fn forget(&mut self, index: u32) {
        if let Items::Rows(rows) = self {
            rows.here.remove(&index);
        }
    }

    /// An item failed: it is told of in `errors`, as long as there is room.
    pub fn fail(&mut self, index: u32) {
        let Items::Rows(rows) = self else { return };
        let Some(item) = rows.here.get(&index) else { return };
        rows.failed = rows.failed.saturating_add(item.to_string().len());
        if rows.failed > MOST_FAILED {
            rows.here.remove(&index);
        }
    }

    /// What stands in `errors` for an item that failed.
    pub fn error(&self, index: u32, error: Value) -> Value {
        let mut entry = json!({"index": index, "item": self.get(index), "error": error});
        if let Items::Rows(rows) = self {
            entry["row"] = json!(rows.source.first_row(index));
        }
        entry
    }

    /// The failure of a loop, told of its row.
    pub fn tell(&self, index: u32, fault: &mut Fault) {
        if let Items::Rows(rows) = self {
            fault.message = format!("row {} of {}: {}", rows.source.first_row(index), rows.source.name(), fault.message);
        }
    }
}

impl RowSource {
    /// `None` when the value names no file: then it is no source of rows.
    ///
    /// # Errors
    /// `INVALID_PARAMS`.
    pub(super) fn of(value: &Value, batch: Option<u32>) -> Option<Result<RowSource, Fault>> {
        let fields = value.as_object().filter(|fields| fields.contains_key("file"))?;
        let is_value = fields.get("file").is_some_and(Value::is_string) && fields.contains_key("sha256");
        let params = if is_value { Map::from_iter([("file".to_owned(), value.clone())]) } else { fields.clone() };
        if let Some(own) = ["limit", "from"].into_iter().find(|name| params.contains_key(*name)) {
            let message = format!("\"for_each\" reads the rows of the file by itself, so \"{own}\" is not for it");
            return Some(Err(Fault::invalid_params(message)));
        }
        Some(Ok(RowSource { params, batch: batch.filter(|size| *size > 0), ..RowSource::default() }))
    }

    /// The file's name, or its id where nobody said it.
    pub fn name(&self) -> String {
        let file = &self.params["file"];
        file["name"].as_str().or_else(|| file["file"].as_str()).or_else(|| file.as_str()).unwrap_or("the file").to_owned()
    }

    /// Of an item, counted from 1; the header is none.
    fn first_row(&self, index: u32) -> u64 {
        u64::from(index) * u64::from(self.batch.unwrap_or(1)) + 1
    }
}

impl Run {
    /// Asks for the number of rows, once; the step begins again with the answer.
    pub(super) fn count_rows(&mut self, addr: Addr, path: &str, source: RowSource) -> Option<RowsWanted> {
        if self.counting.contains_key(path) {
            return None;
        }
        self.counting.insert(path.to_owned(), None);
        Some(RowsWanted { addr, source: Arc::new(source), item: None })
    }

    /// The path of the loop that wants rows.
    pub fn path_of(&self, addr: Addr) -> String {
        self.step_path(addr)
    }

    /// Rows of files that are in memory now.
    pub fn rows_held(&self) -> usize {
        let steps = self.frames.iter().flatten().flat_map(|frame| &frame.steps);
        let held = steps.map(|step| match step {
            StepState::Active(active) => match &**active {
                Active::Each(each) => each.items.held(),
                _ => 0,
            },
            _ => 0,
        });
        held.sum()
    }

    /// What the driver found. A row that cannot be read is an item that failed.
    pub fn rows_read(&mut self, wanted: &RowsWanted, read: Result<RowsRead, Fault>) {
        let Some(index) = wanted.item else {
            let path = self.step_path(wanted.addr);
            if let Some(counted) = self.counting.get_mut(&path) {
                *counted = Some(read);
                self.agenda.push_back(Task::Step(wanted.addr));
            }
            return;
        };
        let Some(Active::Each(each)) = self.active_mut(wanted.addr) else { return };
        let Items::Rows(rows) = &mut each.items else { return };
        let waiting = rows.waiting.take();
        match read {
            Ok(read) => {
                for (index, item) in (index..each.total).zip(read.items) {
                    if each.results[index as usize].is_none() {
                        rows.here.entry(index).or_insert(item);
                    }
                }
                rows.source = read.source;
                if !rows.here.contains_key(&index) {
                    let message = format!("{} has no row {}, and had it before", rows.source.name(), rows.source.first_row(index));
                    rows.lost.insert(index, Fault::new(Code::INVALID_INPUT, message));
                }
            }
            Err(fault) => {
                rows.lost.insert(index, fault);
            }
        }
        self.agenda.extend(waiting.into_iter().flatten());
    }

    /// The unit of a loop over rows around this place, whose row is not here; `Err` when it will not come.
    fn row_missing(&self, addr: Addr) -> Option<Result<Addr, Fault>> {
        if !self.has_rows {
            return None;
        }
        let mut at = Some(addr);
        while let Some(addr) = at {
            if let (Some(Active::Each(each)), Some(index)) = (self.active(addr), addr.index)
                && let Items::Rows(rows) = &each.items
                && !rows.here.contains_key(&index)
            {
                return Some(rows.lost.get(&index).map_or(Ok(addr), |fault| Err(fault.clone())));
            }
            at = match self.frame(addr.frame)?.owner {
                FrameOwner::Body(outer) | FrameOwner::Handler(outer) => Some(outer),
                _ => None,
            };
        }
        None
    }

    /// Before anything that may look at an item: `Ok(None)` to go on, `Ok(Some)` to ask first, and `task` comes back with the answer.
    ///
    /// # Errors
    /// Why the row cannot be had.
    pub(super) fn rows_first(&mut self, addr: Addr, task: Task) -> Result<Option<Option<RowsWanted>>, Fault> {
        match self.row_missing(addr) {
            None => Ok(None),
            Some(Err(fault)) => Err(fault),
            Some(Ok(unit)) => Ok(Some(self.ask_row(unit, task))),
        }
    }

    /// `None` when they were asked for already.
    pub(super) fn ask_row(&mut self, unit: Addr, task: Task) -> Option<RowsWanted> {
        let Some(Active::Each(each)) = self.active_mut(unit) else { return None };
        let Items::Rows(rows) = &mut each.items else { return None };
        let first = rows.waiting.is_none();
        rows.waiting.get_or_insert_default().push(task);
        first.then(|| RowsWanted { addr: Addr { index: None, ..unit }, source: rows.source.clone(), item: unit.index })
    }

    /// Whether the row of this item is neither here nor known to be lost.
    pub(super) fn is_row_to_come(&self, unit: Addr) -> bool {
        match (self.active(unit), unit.index) {
            (Some(Active::Each(each)), Some(index)) => match &each.items {
                Items::Rows(rows) => !rows.here.contains_key(&index) && !rows.lost.contains_key(&index),
                Items::List(_) => false,
            },
            _ => false,
        }
    }

    /// Whether this place is in an item whose row is unknown, as in a look at a run from outside.
    pub(super) fn is_in_unknown_row(&self, addr: Addr) -> bool {
        self.row_missing(addr).is_some()
    }

    /// The row that an event of this path is about, unless it is here.
    pub(super) fn row_of(&self, text: &str) -> Option<Addr> {
        let mut frame = 0;
        for part in path::parse(text)? {
            let step = self.plan.step(*self.plan.ids.get(part.id)?);
            if self.frame(frame)?.list != step.list {
                let current = self.frame(self.current)?;
                frame = if current.list == step.list { self.current } else { return None };
            }
            let addr = Addr { frame, place: step.place, index: part.index };
            match self.active(addr)? {
                Active::Each(each) => {
                    let index = part.index?;
                    if each.results.get(index as usize)?.is_some() {
                        return None;
                    }
                    if self.is_row_to_come(addr) {
                        return Some(addr);
                    }
                }
                Active::Handling { .. } => {
                    frame = self.handler_of(addr)?;
                    continue;
                }
                Active::Single(_) | Active::Repeat(_) => {}
            }
            match self.active(addr)?.unit(part.index)?.state {
                UnitState::Body(body) => frame = body,
                _ => return None,
            }
        }
        None
    }
}
