//! The statements of copies: how each table of the form is read here and written here.

use mainspring_model::store::copy::{Kind, Table};

/// An organization is $1. What is read is in the order of the form's columns, and of rows as they were made.
pub(super) fn select(table: &Table) -> String {
    let columns: Vec<String> = table.columns.iter().map(|(name, kind)| column(table.name, name, *kind)).collect();
    let (filter, order) = match table.name {
        "organization_totals" => {
            (" group by t.org_id having sum(t.total_executions) <> 0 or sum(t.successful) <> 0 or sum(t.failed) <> 0", "t.org_id")
        }
        "notification_rules" | "notifications" | "outbox" => ("", "t.created_at, t.id"),
        "users" | "plans" | "integrations" | "credentials" | "api_keys" | "invitations" => ("", "t.created_at, t.id"),
        "organizations" => ("", "t.org_id"),
        "egress_rules" => ("", "t.created_at, t.host collate \"C\""),
        "hidden_fields" => ("", "t.position"),
        "second_factors" => ("", "t.user_id"),
        "recovery_codes" => ("", "t.user_id, t.code_hash"),
        "outside_identities" => ("", "t.issuer collate \"C\", t.subject collate \"C\""),
        "members" => ("", "t.created_at, t.user_id"),
        "plan_shares" => ("", "t.plan_id, t.user_id"),
        "variables" => ("", "t.name collate \"C\""),
        "audit_log" => ("", "t.at, t.id"),
        "signals" => ("", "t.received_at, t.id"),
        "waits" => ("", "t.run_id, t.path"),
        "state_values" => ("", "t.plan_id, t.name"),
        "state_seen" => ("", "t.plan_id, t.set_name, t.item"),
        "state_done" => ("", "t.id"),
        "credential_shares" => ("", "t.created_at, t.credential_id, t.user_id"),
        // Only what a plan or a run still needs.
        "plan_versions" => (
            " and (exists (select from plans as p where p.org_id = t.org_id and p.id = t.plan_id) \
             or exists (select from runs as r where r.org_id = t.org_id and r.plan_id = t.plan_id))",
            "t.plan_id, t.version",
        ),
        "webhook_routes" => ("", "t.plan_id, t.position"),
        "schedules" => ("", "t.plan_id, t.id"),
        "trigger_states" => ("", "t.plan_id, t.trigger_id collate \"C\""),
        "data_keys" => ("", "t.version"),
        "feature_flags" => ("", "t.name collate \"C\""),
        "idempotency" => (" and t.status is not null", "t.idempotency_key collate \"C\""),
        "blobs" => (" and exists (select from run_blobs as b where b.org_id = t.org_id and b.sha256 = t.sha256)", "t.sha256 collate \"C\""),
        "runs" => ("", "t.created_ms, t.id"),
        "file_chunks" => (" and exists (select from files as f where f.org_id = t.org_id and f.id = t.file_id)", "t.file_id, t.no"),
        "files" => ("", "t.created_at, t.id"),
        "bursts" => ("", "t.burst_key"),
        "run_blobs" => ("", "t.run_id, t.sha256 collate \"C\""),
        _ => ("", "t.run_id, t.seq"),
    };
    format!("select {} from {} as t where t.org_id = $1{filter} order by {order}", columns.join(", "), table.name)
}

fn column(table: &str, name: &str, kind: Kind) -> String {
    match (table, name, kind) {
        ("organization_totals", "total_executions" | "successful" | "failed", _) => format!("sum(t.{name})::bigint"),
        ("runs", "status", _) => "case t.status when 'running' then 'queued' else t.status end".to_owned(),
        ("runs", "due_at", _) => {
            "case when t.status = 'running' or t.set_aside then coalesce(t.due_at, t.started_at, t.created_at) else t.due_at end".to_owned()
        }
        (_, _, Kind::Whole) => format!("t.{name}::bigint"),
        (_, _, Kind::Json) => format!("t.{name}::text"),
        _ => format!("t.{name}"),
    }
}

/// What a table has beside the form's columns: the column, and where it comes from.
pub(super) enum More {
    /// An expression over `v`, a row of the form.
    Sql(&'static str),
    /// How a text of the form is looked up here.
    Key(&'static str),
    /// The `type` of a trigger.
    Type(&'static str),
}

pub(super) fn more(table: &str) -> &'static [(&'static str, More)] {
    match table {
        "organization_totals" => &[("shard", More::Sql("0"))],
        "plans" | "integrations" => &[("name_key", More::Key("name"))],
        "webhook_routes" => &[("path_key", More::Key("path"))],
        "schedules" => {
            const NAME: &str = "coalesce((select p.name from plans as p where p.org_id = v.org_id and p.id = v.plan_id), '')";
            &[("plan_name", More::Sql(NAME))]
        }
        "audit_log" => &[("action_key", More::Key("action")), ("target_key", More::Key("target_id"))],
        "credentials" => &[("provider_key", More::Key("provider")), ("name_key", More::Key("name"))],
        "blobs" => &[("touched_at", More::Sql("clock_timestamp()"))],
        "runs" => &[
            ("epoch", More::Sql("0")),
            ("cancel_asked", More::Sql("v.cancel_by is not null")),
            ("trigger_kind", More::Type("trigger_data")),
        ],
        _ => &[],
    }
}

/// An array for each column of the form is $1, $2 and so on, and after them one for each further text.
pub(super) fn insert(table: &Table) -> String {
    let mut into: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let mut given = into.clone();
    let mut types: Vec<&str> = table.columns.iter().map(|(_, kind)| array(*kind)).collect();
    let mut values: Vec<String> =
        table.columns.iter().map(|(name, kind)| format!("v.{name}{}", if *kind == Kind::Json { "::json" } else { "" })).collect();
    for (name, more) in more(table.name) {
        into.push(name);
        match more {
            More::Sql(sql) => values.push((*sql).to_owned()),
            More::Key(_) | More::Type(_) => {
                given.push(name);
                types.push("text[]");
                values.push(format!("v.{name}"));
            }
        }
    }
    let arrays: Vec<String> = (1..).zip(types).map(|(at, kind)| format!("${at}::{kind}")).collect();
    format!(
        "insert into {} ({}) select {} from unnest({}) as v ({})",
        table.name,
        into.join(", "),
        values.join(", "),
        arrays.join(", "),
        given.join(", ")
    )
}

fn array(kind: Kind) -> &'static str {
    match kind {
        Kind::Id => "uuid[]",
        Kind::Whole => "bigint[]",
        Kind::Flag => "boolean[]",
        Kind::Moment => "timestamptz[]",
        Kind::Text | Kind::Key | Kind::Json => "text[]",
        Kind::Bytes => "bytea[]",
    }
}

/// Every organization there is, as the queue's role sees them.
pub(super) const ORGANIZATIONS: &str = "select org_id from organization_totals union select org_id from runs \
     union select org_id from plans union select org_id from plan_versions union select org_id from webhook_routes \
     union select org_id from schedules union select org_id from trigger_states union select org_id from integrations union select org_id from data_keys \
     union select org_id from credentials union select org_id from api_keys union select org_id from idempotency \
     union select org_id from organizations union select org_id from members union select org_id from users \
     union select org_id from feature_flags union select org_id from notification_rules union select org_id from notifications \
     union select org_id from outbox union select org_id from audit_log union select org_id from invitations union select org_id from variables \
     union select org_id from bursts union select org_id from signals union select org_id from waits union select org_id from state_values union select org_id from state_seen \
     union select org_id from state_done union select org_id from hidden_fields union select org_id from egress_rules union select org_id from files order by org_id";

/// How many of what there is, as the queue's role sees it.
pub(super) const COUNTS: &[(&str, &str)] = &[
    ("plans", "select count(org_id) from plans"),
    ("runs", "select count(org_id) from runs"),
    ("schedules", "select count(org_id) from schedules"),
    ("trigger_states", "select count(org_id) from trigger_states"),
    ("integrations", "select count(org_id) from integrations"),
    ("credentials", "select count(org_id) from credentials"),
    ("api_keys", "select count(org_id) from api_keys"),
    ("data_keys", "select count(org_id) from data_keys"),
    ("remembered_answers", "select count(org_id) from idempotency"),
    ("feature_flags", "select count(org_id) from feature_flags"),
    ("notification_rules", "select count(org_id) from notification_rules"),
    ("notifications", "select count(org_id) from notifications"),
    ("outbox", "select count(org_id) from outbox"),
    ("plan_versions", "select count(org_id) from plan_versions"),
    ("organization_totals", "select count(org_id) from organization_totals"),
    ("egress_rules", "select count(org_id) from egress_rules"),
    ("users", "select count(org_id) from users"),
    ("organizations", "select count(org_id) from organizations"),
    ("audit_log", "select count(org_id) from audit_log"),
    ("signals", "select count(org_id) from signals"),
    ("state_values", "select count(org_id) from state_values"),
    ("state_seen", "select count(org_id) from state_seen"),
    ("files", "select count(org_id) from files"),
];
