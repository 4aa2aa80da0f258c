//! A group of run writes inside one transaction: judged in order, then one statement per table and organization.

use std::collections::{BTreeMap, HashMap};

use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, PlanId, RunId};
use mainspring_model::run::RunStatus;
use mainspring_model::store::Committed;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::births;
use super::bursts;
use super::error::Fail;
use super::ledger::{Effects, Ledger, Place};
use super::rows;
use super::runs::status;
use super::session::{Scope, Terms};
use super::state_write;
use super::whole;
use crate::shared::draft::Draft;
use crate::shared::group::{self, entries};
use crate::shared::judge::Known;

/// One run's part in the group.
pub(super) type Entry = group::Entry<Place>;

/// The run writes of one transaction, which holds the node's fence.
pub(super) struct Group<'a> {
    pub(super) drafts: &'a [&'a Draft],
    pub(super) ledger: &'a Ledger,
    pub(super) now: Millis,
    pub(super) prepared: bool,
    pub(super) terms: &'a Terms,
    /// Of the organizations' counters: this writer's own.
    pub(super) shard: i16,
    /// The organization that the transaction began with.
    pub(super) scope: Scope,
}

impl<'a> Group<'a> {
    /// The organization that a transaction for these drafts best begins with, so that it need not be set again.
    pub(super) fn first_scope(drafts: &[&Draft], ledger: &Ledger) -> Scope {
        let of = |draft: &&Draft| match &draft.birth {
            Some(birth) => Some(birth.org),
            None => ledger.held.get(&draft.run).map(|known| known.place.org),
        };
        drafts.iter().find_map(of).map_or(Scope::Nobody, Scope::Org)
    }

    pub(super) async fn write(&self, connection: &mut PgConnection) -> Result<Effects, Fail> {
        let mut effects = Effects::default();
        // Late until judged: a run that nobody finds is late as well.
        effects.verdicts.extend(self.drafts.iter().map(|_| Ok(Committed::Late)));
        let mut scope = self.scope;
        // Organizations in the order of their ids, as every writer takes them: what one locks, it locks in the order of all.
        let by_org = self.by_org(entries(self.drafts), &mut scope, connection).await?;
        for (org, mut entries) in by_org {
            if scope != Scope::Org(org) {
                scope = Scope::Org(org);
                self.terms.enter(scope, connection).await?;
            }
            self.give_birth(org, &mut entries, &mut effects, connection).await?;
            self.recall(org, &mut entries, connection).await?;
            for entry in entries.iter_mut().filter(|entry| !entry.born) {
                entry.judge(self.drafts, self.ledger.epoch, &mut effects.verdicts);
            }
            rows::insert_rows(org, self, &entries, &effects, connection).await?;
            rows::insert_blobs(org, self, &entries, &effects, connection).await?;
            rows::lock(org, &entries, self.prepared, connection).await?;
            effects.arrived |= rows::update_runs(org, &entries, self.now, self.prepared, connection).await?;
            effects.arrived |= rows::wake_parents(org, &entries, self.now, self.prepared, connection).await?;
            state_write::leave(org, self, &entries, &effects, connection).await?;
            rows::count(org, self.shard, &entries, self.prepared, connection).await?;
            effects.held.extend(entries.into_iter().filter_map(|entry| Some((entry.run, entry.known?))));
        }
        Ok(effects)
    }

    /// A run's organization is told by its birth, or remembered, or asked of the queue; one that has none stays late.
    async fn by_org(
        &self,
        entries: Vec<Entry>,
        scope: &mut Scope,
        connection: &mut PgConnection,
    ) -> Result<BTreeMap<OrgId, Vec<Entry>>, Fail> {
        let mut by_org: BTreeMap<OrgId, Vec<Entry>> = BTreeMap::new();
        let mut unknown: HashMap<Uuid, Entry> = HashMap::new();
        for mut entry in entries {
            if let Some(birth) = entry.first_birth(self.drafts) {
                by_org.entry(birth.org).or_default().push(entry);
            } else if let Some(known) = self.ledger.held.get(&entry.run) {
                entry.known = Some(known.clone());
                by_org.entry(known.place.org).or_default().push(entry);
            } else {
                unknown.insert(entry.run.0, entry);
            }
        }
        if unknown.is_empty() {
            return Ok(by_org);
        }
        *scope = Scope::Queue;
        self.terms.enter(*scope, connection).await?;
        let asked: Vec<Uuid> = unknown.keys().copied().collect();
        let query = sqlx::query("select id, org_id from runs where id = any($1)").persistent(self.prepared).bind(asked);
        for row in query.fetch_all(connection).await? {
            if let Some(entry) = unknown.remove(&row.try_get(0)?) {
                by_org.entry(OrgId(row.try_get(1)?)).or_default().push(entry);
            }
        }
        Ok(by_org)
    }

    /// Inserts the runs that the group makes. One that is not made leaves its entry as if nobody had tried.
    async fn give_birth(
        &self,
        org: OrgId,
        entries: &mut [Entry],
        effects: &mut Effects,
        connection: &mut PgConnection,
    ) -> Result<(), Fail> {
        let births: Vec<usize> = (0..entries.len()).filter(|i| entries[*i].first_birth(self.drafts).is_some()).collect();
        if births.is_empty() {
            return Ok(());
        }
        let slots = births.iter().filter_map(|i| entries[*i].first_birth(self.drafts)?.slot.map(|(slot, _)| slot.schedule));
        let schedules = births::living_schedules(org, slots, self.prepared, connection).await?;
        let mut candidates = Vec::with_capacity(births.len());
        for i in births {
            let draft = self.drafts[entries[i].drafts[0]];
            let birth = draft.birth.as_ref().expect("only entries that begin with a birth were chosen");
            if draft.epoch != self.ledger.epoch || birth.slot.is_some_and(|(slot, _)| !schedules.contains(&slot.schedule)) {
                continue;
            }
            let place = Place { org, plan: birth.plan };
            if entries[i].bear(place, self.drafts, self.ledger.epoch, &mut effects.verdicts) {
                candidates.push(i);
            }
        }
        if candidates.is_empty() {
            return Ok(());
        }
        let mut newborns: Vec<_> = candidates.iter().map(|i| entries[*i].newborn(self.drafts)).collect();
        let made = births::insert(org, &mut newborns, self.now, &self.ledger.turns, self.prepared, connection).await?;
        births::hold_back(org, &newborns, &made, self.prepared, connection).await?;
        bursts::arrive(org, &newborns, &made, self.now, self.prepared, connection).await?;
        drop(newborns);
        let mut filled = Vec::new();
        for i in candidates {
            let entry = &mut entries[i];
            let birth = entry.first_birth(self.drafts).expect("a candidate begins with a birth");
            if made.contains(&entry.run) {
                effects.arrived |= entry.known.as_ref().is_some_and(|known| known.status == RunStatus::Queued);
                filled.push(birth);
                continue;
            }
            let there = births::in_place_of(org, entry.run, birth, self.prepared, connection).await?;
            entry.displace(there, &mut effects.verdicts);
        }
        births::move_schedules(org, filled.into_iter(), self.prepared, connection).await
    }

    /// What is known of the runs that are neither new nor remembered, from their rows. They are locked: another node may be
    /// about to claim one that waits.
    async fn recall(&self, org: OrgId, entries: &mut [Entry], connection: &mut PgConnection) -> Result<(), Fail> {
        let mut unknown = HashMap::new();
        for (i, entry) in entries.iter_mut().enumerate().filter(|(_, entry)| entry.known.is_none()) {
            match self.ledger.held.get(&entry.run) {
                Some(known) => entry.known = Some(known.clone()),
                None => {
                    unknown.insert(entry.run.0, i);
                }
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let asked: Vec<Uuid> = unknown.keys().copied().collect();
        sqlx::query(rows::LOCK).persistent(self.prepared).bind(org.0).bind(asked.clone()).execute(&mut *connection).await?;
        // A statement of its own, so that it sees what was committed while the locks were waited for.
        let rows = sqlx::query(
            "select r.id, r.plan_id, r.status, r.epoch, coalesce((select max(j.seq) from journal as j where j.org_id = r.org_id \
             and j.run_id = r.id), 0)::bigint, r.crashed, r.parent_id from unnest($2::uuid[]) as asked (id) cross join lateral \
             (select org_id, id, plan_id, status, epoch, crashes + crashes_alone > 0 as crashed, parent_id from runs \
             where org_id = $1 and runs.id = asked.id offset 0) as r",
        )
        .persistent(self.prepared)
        .bind(org.0)
        .bind(asked)
        .fetch_all(connection)
        .await?;
        for row in &rows {
            let known = Known {
                place: Place { org, plan: PlanId(row.try_get(1)?) },
                status: status(row.try_get(2)?)?,
                epoch: row.try_get(3)?,
                seq: whole(row, 4)?,
                crashed: row.try_get(5)?,
                parent: row.try_get::<Option<Uuid>, _>(6)?.map(RunId),
            };
            if let Some(i) = unknown.get(&row.try_get::<Uuid, _>(0)?) {
                entries[*i].known = Some(known);
            }
        }
        Ok(())
    }
}
