//! Replaying a journal whose loops go over rows of files: it stops where rows are to be read, and goes on with them.

use std::sync::Arc;

use mainspring_model::event::Event;
use mainspring_model::fault::Fault;
use mainspring_model::plan::Plan;
use mainspring_model::run::RunHeader;

use super::rows::{Items, RowsRead, RowsWanted};
use super::state::{Active, Addr};
use super::{Illegal, Run, RunKeys};

/// A run that is made again from its journal, as far as it can be without rows that are to be read first.
pub struct Replaying {
    run: Run,
    history: std::vec::IntoIter<Event>,
    next: Option<Event>,
}

impl Replaying {
    /// # Errors
    /// See [`Run::replay`].
    pub fn new(plan: Arc<Plan>, header: Arc<RunHeader>, keys: Arc<dyn RunKeys>, history: Vec<Event>) -> Result<Replaying, Illegal> {
        Ok(Replaying { run: Run::before(plan, header, keys, &history)?, history: history.into_iter(), next: None })
    }

    /// `Some`: read these, say what was found, and ask again. `None`: the run is whole.
    ///
    /// # Errors
    /// [`Illegal`] when an event does not fit.
    pub fn go_on(&mut self) -> Result<Option<RowsWanted>, Illegal> {
        while let Some(event) = self.next.take().or_else(|| self.history.next()) {
            if self.run.has_rows
                && let Some(path) = event.body.path()
                && let Some(unit) = self.run.row_of(path)
            {
                let Some(Active::Each(each)) = self.run.active(unit) else { continue };
                let Items::Rows(rows) = &each.items else { continue };
                let wanted = RowsWanted { addr: Addr { index: None, ..unit }, source: rows.source.clone(), item: unit.index };
                self.next = Some(event);
                return Ok(Some(wanted));
            }
            self.run.apply(event)?;
        }
        Ok(None)
    }

    pub fn rows_read(&mut self, wanted: &RowsWanted, read: Result<RowsRead, Fault>) {
        self.run.rows_read(wanted, read);
    }

    pub fn done(mut self) -> Run {
        self.run.in_flight = 0;
        self.run
    }
}
