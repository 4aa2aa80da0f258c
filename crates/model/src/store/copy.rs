//! Copies of a whole store: the one form in which its rows leave one database and enter another, whichever kinds they are.

use async_trait::async_trait;

use super::StoreError;

/// The version of this form: of [`TABLES`], their columns and what the values mean. A change of either raises it, once one was released.
pub const FORM: u32 = 1;

/// What a column holds. Every one may also be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 16 bytes.
    Id,
    Whole,
    /// 0 or 1.
    Flag,
    /// Unix milliseconds within the years 1 to 9999; what lies outside is the first or the last of them.
    Moment,
    Text,
    /// A text that is looked up; beyond 200 bytes it is its beginning and its hash.
    Key,
    /// A document as text, to the byte.
    Json,
    Bytes,
}

/// A table of the form. Its first column is the organization.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    pub columns: &'static [(&'static str, Kind)],
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Null,
    Whole(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// Values in the order of the table's columns.
pub type Row = Vec<Cell>;

macro_rules! table {
    ($name:literal: $($column:ident $kind:ident),+ $(,)?) => {
        Table { name: $name, columns: &[("org_id", Kind::Id), $((stringify!($column), Kind::$kind)),+] }
    };
}

/// Every table, in the order in which an organization's rows travel: what others are found by comes first.
///
/// What a process keeps for itself is no part of it: nodes and leases, epochs, the revision of plans, answers that nobody has
/// given yet. Sessions stay too, so that none comes back that was revoked after the copy: people log in once more. A run that a process holds travels as one that is queued.
pub const TABLES: &[Table] = &[
    table!("users": id Id, email Text, email_key Text, name Text, password_hash Text, operator Flag, verified_at Moment, disabled_at Moment,
        created_at Moment, updated_at Moment),
    table!("organizations": name Text, slug Text, created_at Moment, updated_at Moment, erase_at Moment, places Whole),
    table!("second_factors": user_id Id, sealed Bytes, confirmed_at Moment, last_step Whole, created_at Moment),
    table!("recovery_codes": user_id Id, code_hash Bytes),
    table!("outside_identities": issuer Text, subject Text, user_id Id, created_at Moment),
    table!("members": user_id Id, role Text, created_at Moment),
    table!("hidden_fields": position Whole, field Text, least Text),
    table!("organization_totals": total_executions Whole, successful Whole, failed Whole),
    table!("plans": id Id, user_id Id, name Text, source Text, version Whole, created_at Moment, updated_at Moment,
        private Flag, draft Whole, latest Whole, file Text),
    table!("plan_shares": plan_id Id, user_id Id, edits Flag, created_at Moment),
    table!("plan_versions": plan_id Id, version Whole, document Json, created_at Moment, retired_at Moment,
        published_at Moment, user_id Id, note Text, name Text),
    table!("webhook_routes": plan_id Id, position Whole, path Text, method Text, trigger_id Text, exclusive Flag),
    table!("schedules": id Id, plan_id Id, user_id Id, trigger_id Text, expression Text, timezone Text, misfire Json,
        next_due Moment, last_due Moment),
    table!("trigger_states": plan_id Id, trigger_id Text, seen Json, failures Whole, failing_since Moment, error Json, worked_at Moment),
    table!("integrations": id Id, user_id Id, name Text, definition Json, created_at Moment, updated_at Moment),
    table!("egress_rules": host Text, note Text, user_id Id, created_at Moment),
    table!("data_keys": version Whole, kek_id Text, wrapped Bytes),
    table!("credentials": id Id, user_id Id, provider Text, name Text, fields Json, expires_at Moment, last_used_at Moment,
        created_at Moment, hosts Json),
    table!("credential_shares": credential_id Id, user_id Id, created_at Moment),
    table!("api_keys": id Id, user_id Id, name Text, key_hash Bytes, created_at Moment, expires_at Moment, last_used_at Moment,
        scopes Json),
    table!("invitations": id Id, user_id Id, role Text, token_hash Bytes, email Text, created_at Moment, expires_at Moment, state Text,
        ended_at Moment, ended_by Id),
    table!("variables": name Text, id Id, user_id Id, value Json, sealed Bytes, created_at Moment, updated_at Moment),
    table!("audit_log": id Id, at Moment, user_id Id, actor Text, actor_id Id, address Text, agent Text, action Text, outcome Text,
        target_kind Text, target_id Text, before Json, after Json, request_id Text),
    table!("idempotency": idempotency_key Key, fingerprint Bytes, started_at Moment, status Whole, headers Json, body Bytes),
    table!("feature_flags": name Text, definition Json, updated_at Moment, user_id Id),
    table!("notification_rules": id Id, user_id Id, name Text, definition Json, secrets Bytes, created_at Moment, updated_at Moment),
    table!("notifications": id Id, user_id Id, event Text, title Text, body Text, data Json, created_at Moment, read_at Moment),
    table!("outbox": id Id, channel Text, message_key Text, rule_id Id, subject_id Id, state Text, held_by Id, slot_at Moment,
        due_at Moment, attempts Whole, sealed Bytes, reason Text, created_at Moment, ended_at Moment),
    table!("signals": id Id, topic Text, sole Flag, data Json, received_at Moment),
    table!("waits": run_id Id, path Text, topic Text, key_pointer Text, key_value Text, detail Json, created_at Moment),
    table!("state_values": plan_id Id, name Text, value Json, updated_at Moment, expires_at Moment),
    table!("state_seen": plan_id Id, set_name Text, item Bytes, expires_at Moment),
    table!("state_done": id Id, run_id Id, result Json, created_at Moment),
    table!("file_chunks": file_id Id, no Whole, bytes Bytes),
    table!("files": id Id, user_id Id, name Text, media_type Text, size Whole, sha256 Text, created_at Moment, expires_at Moment,
        run_id Id, step Text, elsewhere Flag),
    table!("blobs": sha256 Text, bytes Bytes),
    table!("runs": id Id, plan_id Id, user_id Id, status Text, signalled Flag, crashes Whole, crashes_alone Whole,
        plan_version Whole, created_ms Whole, due_at Moment, started_at Moment, finished_at Moment, slot_schedule Id,
        slot_due Moment, parent_id Id, parent_path Text, cancel_by Text, idempotency_key Key, seed Bytes, plan_name Text,
        environment Text, trigger_data Json, org_data Json, inputs Json, ending Json, priority Whole, flow_key Text, flow_limit Whole, flow_policy Text,
        flow_state Text, flow_by Id, pause_asked Flag, burst_key Text),
    table!("bursts": burst_key Text, gather Json, opened_at Moment, due_at Moment, firings Whole, bytes Whole),
    table!("run_blobs": run_id Id, sha256 Text),
    table!("journal": run_id Id, seq Whole, at Moment, plan_id Id, provider Key, status Text, body Json),
];

/// The place of a table among [`TABLES`].
pub fn number_of(table: &Table) -> usize {
    TABLES.iter().position(|other| other.name == table.name).expect("every table is one of the list")
}

/// What is told of a store before its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The folder, or host, port and database; never a password.
    pub place: String,
    /// Proves that a key ring opens what is sealed; `None` when nothing ever was.
    pub canary: Option<Vec<u8>>,
    /// Of the ring's keys that wrap data keys.
    pub key_ids: Vec<String>,
    /// From where this store is being filled, when it holds only a part yet.
    pub part_of: Option<String>,
}

/// Takes rows as they come.
#[async_trait]
pub trait Sink: Send {
    /// At least one row, all of one table and one organization, at most some hundreds or some megabytes.
    async fn take(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<(), StoreError>;
}

/// One consistent view of a store, beside whoever writes to it.
#[async_trait]
pub trait Source: Send {
    fn head(&self) -> &Head;

    /// Gives every row, organization by organization and table by table, in an order that is the same each time.
    async fn read(&mut self, to: &mut dyn Sink) -> Result<(), StoreError>;
}

/// How much of a source has arrived, and a hash over it in its order, which says whether it is still the same source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    pub rows: u64,
    pub chain: [u8; 32],
}

/// A store that is being filled. Nobody can serve it before [`Destination::finish`].
#[async_trait]
pub trait Destination: Sink {
    /// What an interrupted copy left; the rows that are given next follow it.
    fn arrived(&self) -> Arrived;

    /// Lets the store be served.
    async fn finish(self: Box<Self>) -> Result<(), StoreError>;
}

/// A store that is given up for another, and that nobody serves meanwhile.
#[async_trait]
pub trait Departure: Send {
    /// Notes where everything went: from here on nobody serves it by accident.
    async fn leave(self: Box<Self>, to: &str) -> Result<(), StoreError>;
}
