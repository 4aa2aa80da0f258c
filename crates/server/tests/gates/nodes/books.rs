//! What the database is made to note by itself: which process wrote each journal row, and who was a node from when to when.
//!
//! Columns with defaults and a trigger that a superuser adds: the nodes know nothing of them and cannot leave them out.

use std::collections::HashMap;

use mainspring_model::event::EventBody;
use serde_json::Value;

use crate::gates::dump::kind;
use crate::gates::oracle::{Row, RunDump};
use crate::postgres::database::Database;

/// A process says who it is by its address: `options[gate.who]=…`.
const ADDED: &str = "\
    alter table nodes add column who text default current_setting('gate.who', true); \
    alter table journal add column who text default current_setting('gate.who', true), \
        add column written timestamptz default clock_timestamp(); \
    create table gate_nodes (no bigint, who text, event text, at timestamptz default clock_timestamp()); \
    create function gate_note() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$ begin \
        insert into gate_nodes (no, who, event) values (coalesce(new.no, old.no), coalesce(new.who, old.who), lower(tg_op)); \
        return null; end $$; \
    create trigger gate_note after insert or delete or update of lease_until on nodes for each row execute function gate_note();";

/// After the migrations and before any node.
pub fn open(database: &Database) {
    database.psql(ADDED.trim_start());
}

/// The address of a process by this name.
pub fn address(url: &str, who: &str) -> String {
    format!("{url}?options[gate.who]={who}")
}

/// Runs that this process holds.
pub fn held(database: &Database, who: &str) -> Vec<String> {
    let sql = format!("select id from runs where status = 'running' and epoch in (select no from gate_nodes where who = '{who}')");
    database.psql(&sql).lines().map(str::to_owned).collect()
}

/// When the lease of this process ends, in Unix milliseconds by the database's clock; `None` when it is no node.
pub fn lease_until(database: &Database, who: &str) -> Option<i64> {
    let sql = format!("select floor(extract(epoch from max(lease_until)) * 1000)::bigint from nodes where who = '{who}'");
    database.psql(&sql).parse().ok()
}

/// When this process had its lease renewed, or became a node again, first after this moment.
pub fn renewed_after(database: &Database, who: &str, moment: i64) -> Option<i64> {
    let sql = format!(
        "select floor(extract(epoch from min(at)) * 1000)::bigint from gate_nodes where who = '{who}' and event <> 'delete' \
         and at > to_timestamp({moment} / 1000.0)"
    );
    database.psql(&sql).parse().ok()
}

/// How many runs have not ended.
pub fn open_runs(database: &Database) -> u64 {
    database.psql("select count(*) from runs where finished_at is null").parse().unwrap()
}

/// When each process was registered as a node, in Unix milliseconds; most are once.
pub fn registrations(database: &Database) -> HashMap<String, Vec<i64>> {
    let rows = database.psql("select who, floor(extract(epoch from at) * 1000)::bigint from gate_nodes where event = 'insert' order by at");
    let mut registered: HashMap<String, Vec<i64>> = HashMap::new();
    for (who, at) in rows.lines().filter_map(|line| line.split_once('|')) {
        registered.entry(who.to_owned()).or_default().push(at.parse().unwrap());
    }
    registered
}

/// One journal row and the process that wrote it.
pub struct Signed {
    pub run: String,
    pub who: String,
    /// Unix milliseconds, by the database.
    pub written: i64,
}

/// Every run as it lies in the tables, oldest first, read by nothing of ours; and who wrote its rows.
pub fn dump(database: &Database) -> (Vec<RunDump>, Vec<Signed>) {
    let runs = database.psql(
        "select json_build_object('id', id, 'token', coalesce(inputs ->> 'token', ''), 'plan', plan_name, 'status', status, \
         'created', created_ms, 'due', trigger_data ->> 'due_at') from runs order by created_ms, id",
    );
    let rows = database.psql(
        "select json_build_object('run', run_id, 'seq', seq, 'at', floor(extract(epoch from at) * 1000)::bigint, \
         'written', floor(extract(epoch from written) * 1000)::bigint, 'who', coalesce(who, ''), 'body', body) \
         from journal order by run_id, seq",
    );
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut by_run: HashMap<String, Vec<Row>> = HashMap::new();
    let mut signed = Vec::new();
    for row in rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let (run, written) = (text(&row["run"]), row["written"].as_i64().unwrap());
        let body: EventBody = serde_json::from_value(row["body"].clone()).unwrap();
        let seq = u32::try_from(row["seq"].as_u64().unwrap()).unwrap();
        by_run.entry(run.clone()).or_default().push(Row { seq, at: row["at"].as_i64().unwrap(), written, kind: kind(&body) });
        signed.push(Signed { run, who: text(&row["who"]), written });
    }
    let runs = runs.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let runs = runs.map(|run| RunDump {
        id: text(&run["id"]),
        token: text(&run["token"]),
        plan: text(&run["plan"]),
        status: text(&run["status"]),
        created_at: run["created"].as_i64().unwrap(),
        due_at: run["due"].as_str().map(str::to_owned),
        rows: by_run.remove(run["id"].as_str().unwrap()).unwrap_or_default(),
    });
    (runs.collect(), signed)
}

/// A slot's run.
pub struct Filled {
    pub plan: String,
    pub version: u64,
    pub due: i64,
    pub created: i64,
    pub status: String,
}

/// Schedules that have a slot up to `last` to fill.
pub fn slots_due(database: &Database, last: i64) -> u64 {
    database.psql(&format!("select count(*) from schedules where next_due <= to_timestamp({last} / 1000.0)")).parse().unwrap()
}

/// Runs of slots up to `last` that have not ended.
pub fn open_runs_of_slots(database: &Database, last: i64) -> u64 {
    let sql = format!("select count(*) from runs where finished_at is null and created_ms <= {last}");
    database.psql(&sql).parse().unwrap()
}

/// Every run that a schedule started; when it was due by what its plan was told, not by the key that is under test.
pub fn filled(database: &Database) -> Vec<Filled> {
    let rows = database.psql(
        "select plan_id, plan_version, (extract(epoch from (trigger_data ->> 'due_at')::timestamptz) * 1000)::bigint, created_ms, status \
         from runs where trigger_data ->> 'due_at' is not null",
    );
    let filled = rows.lines().map(|line| {
        let [plan, version, due, created, status] = line.split('|').collect::<Vec<_>>().try_into().unwrap();
        let number = |text: &str| text.parse::<i64>().unwrap();
        Filled {
            plan: plan.to_owned(),
            version: version.parse().unwrap(),
            due: number(due),
            created: number(created),
            status: status.to_owned(),
        }
    });
    filled.collect()
}
