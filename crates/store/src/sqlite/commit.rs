//! A group of run writes inside one transaction: judged in order, then one statement per table for all of them.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use mainspring_model::clock::Millis;
use mainspring_model::id::RunId;
use mainspring_model::run::RunStatus;
use mainspring_model::store::Committed;
use sqlx::{Row, SqliteConnection};

use super::births;
use super::error::Fail;
use super::ledger::{Effects, Ledger, Numbers};
use super::rows;
use super::runs::status;
use super::state_write;
use super::{hex_list, id_of, uuid};
use crate::shared::draft::Draft;
use crate::shared::group::{self, entries};
use crate::shared::judge::Known;

/// One run's part in the group.
pub(super) type Entry = group::Entry<Numbers>;

/// The run writes of one transaction.
pub(super) struct Group<'a> {
    pub(super) drafts: &'a [&'a Draft],
    pub(super) ledger: &'a Ledger,
    pub(super) now: Millis,
    /// As read in this transaction.
    pub(super) generation: i64,
}

impl Group<'_> {
    pub(super) async fn write(&self, connection: &mut SqliteConnection) -> Result<Effects, Fail> {
        let mut effects = Effects::default();
        // Late until judged: a run that nobody finds is late as well.
        effects.verdicts.extend(self.drafts.iter().map(|_| Ok(Committed::Late)));
        let deposed = self.ledger.epoch != 0 && self.ledger.epoch != self.generation;
        if self.drafts.is_empty() || deposed {
            return Ok(effects);
        }
        let mut entries = entries(self.drafts);
        self.give_birth(&mut entries, &mut effects, connection).await?;
        self.recall(&mut entries, connection).await?;
        for entry in entries.iter_mut().filter(|entry| !entry.born) {
            entry.judge(self.drafts, self.ledger.epoch, &mut effects.verdicts);
        }
        rows::insert_rows(self, &entries, &effects, connection).await?;
        rows::insert_blobs(self, &entries, &effects, connection).await?;
        state_write::leave(self, &entries, &effects, connection).await?;
        effects.arrived |= rows::update_runs(&entries, self.now, connection).await?;
        rows::count(&entries, connection).await?;
        effects.arrived |= rows::wake_parents(&entries, self.now, connection).await?;
        effects.held = entries.into_iter().filter_map(|entry| Some((entry.run, entry.known?))).collect();
        Ok(effects)
    }

    /// Inserts the runs that the group makes. One that is not made leaves its entry as if nobody had tried.
    async fn give_birth(&self, entries: &mut [Entry], effects: &mut Effects, connection: &mut SqliteConnection) -> Result<(), Fail> {
        let births: Vec<usize> = (0..entries.len()).filter(|i| entries[*i].first_birth(self.drafts).is_some()).collect();
        if births.is_empty() {
            return Ok(());
        }
        let slots = births.iter().filter_map(|i| entries[*i].first_birth(self.drafts)?.slot.map(|(slot, _)| slot.schedule));
        let schedules = births::living_schedules(slots, connection).await?;
        let mut candidates = Vec::with_capacity(births.len());
        for i in births {
            let draft = self.drafts[entries[i].drafts[0]];
            let birth = draft.birth.as_ref().expect("only entries that begin with a birth were chosen");
            if draft.epoch != self.ledger.epoch || birth.slot.is_some_and(|(slot, _)| !schedules.contains(&slot.schedule)) {
                continue;
            }
            let org_no = self.ledger.org_no(birth.org, effects, connection).await?;
            let plan_no = self.ledger.plan_no(birth.plan, effects, connection).await?;
            if entries[i].bear(Numbers { no: 0, org_no, plan_no }, self.drafts, self.ledger.epoch, &mut effects.verdicts) {
                candidates.push(i);
            }
        }
        let newborns: Vec<_> = candidates.iter().map(|i| entries[*i].newborn(self.drafts)).collect();
        let made = births::insert(&newborns, self.now, &self.ledger.turns, connection).await?;
        drop(newborns);
        let mut filled = Vec::new();
        for i in candidates {
            let entry = &mut entries[i];
            let birth = entry.first_birth(self.drafts).expect("a candidate begins with a birth");
            let known = entry.known.as_mut().expect("a candidate was judged");
            if let Some(no) = made.get(&entry.run) {
                known.place.no = *no;
                let queued = known.status == RunStatus::Queued;
                effects.arrived |= queued;
                births::hold_back(*no, birth, queued, self.now, connection).await?;
                filled.push(birth);
                continue;
            }
            let there = births::in_place_of(entry.run, birth, known.place.org_no, connection).await?;
            entry.displace(there, &mut effects.verdicts);
        }
        births::move_schedules(filled.into_iter(), connection).await
    }

    /// What is known of the runs that are not new: from memory when this process holds them, else from their rows.
    async fn recall(&self, entries: &mut [Entry], connection: &mut SqliteConnection) -> Result<(), Fail> {
        let mut unknown = HashMap::new();
        for (i, entry) in entries.iter_mut().enumerate().filter(|(_, entry)| entry.known.is_none()) {
            match self.ledger.held.get(&entry.run) {
                Some(known) => entry.known = Some(known.clone()),
                None => {
                    unknown.insert(entry.run, i);
                }
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let asked = hex_list(unknown.keys().map(|run| run.0));
        let mut rows = sqlx::query(
            "select id, no, org_no, plan_no, status, epoch, \
             coalesce((select max(j.seq) from journal as j where j.run_no = runs.no), 0), crashes + crashes_alone > 0, parent_id \
             from runs where id in (select unhex(value) from json_each(?1))",
        )
        .bind(asked)
        .fetch(connection);
        while let Some(row) = rows.try_next().await? {
            let known = Known {
                place: Numbers { no: row.try_get(1)?, org_no: row.try_get(2)?, plan_no: row.try_get(3)? },
                status: status(row.try_get(4)?)?,
                epoch: row.try_get(5)?,
                seq: row.try_get(6)?,
                crashed: row.try_get(7)?,
                parent: row.try_get::<Option<&[u8]>, _>(8)?.map(id_of).transpose()?.map(RunId),
            };
            if let Some(i) = unknown.get(&RunId(uuid(&row, 0)?)) {
                entries[*i].known = Some(known);
            }
        }
        Ok(())
    }

    /// Accepted drafts with what is known of their run.
    pub(super) fn accepted<'e>(
        &'e self,
        entries: &'e [Entry],
        effects: &'e Effects,
    ) -> impl Iterator<Item = (&'e Known<Numbers>, &'e Draft)> {
        group::accepted(entries, self.drafts, &effects.verdicts).map(|(_, known, draft)| (known, draft))
    }
}
