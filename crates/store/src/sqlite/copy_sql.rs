//! The statements of copies: how each table of the form is read here and written here.

/// An organization is ?1. What is read is in the order of the form's columns, and of rows as they were made.
pub(super) fn select(table: &str) -> &'static str {
    match table {
        "users" => {
            "select zeroblob(16), id, email, email_key, name, password_hash, operator, verified_at, disabled_at, created_at, updated_at from users \
             where ?1 = zeroblob(16) order by no"
        }
        "organizations" => "select org_id, name, slug, created_at, updated_at, erase_at, places from organizations where org_id = ?1",
        "second_factors" => {
            "select zeroblob(16), user_id, sealed, confirmed_at, last_step, created_at from second_factors where ?1 = zeroblob(16) \
             order by user_id"
        }
        "recovery_codes" => {
            "select zeroblob(16), user_id, code_hash from recovery_codes where ?1 = zeroblob(16) order by user_id, code_hash"
        }
        "outside_identities" => {
            "select zeroblob(16), issuer, subject, user_id, created_at from outside_identities where ?1 = zeroblob(16) order by issuer, subject"
        }
        "members" => "select org_id, user_id, role, created_at from members where org_id = ?1 order by no",
        "hidden_fields" => "select org_id, position, field, least from hidden_fields where org_id = ?1 order by position",
        "organization_totals" => {
            "select org_id, total_executions, successful, failed from organization_totals where org_id = ?1 \
             and (total_executions <> 0 or successful <> 0 or failed <> 0)"
        }
        "plans" => {
            "select org_id, id, user_id, name, source, version, created_at, updated_at, private, draft, latest, file from plans \
             where org_id = ?1 order by no"
        }
        "plan_shares" => "select org_id, plan_id, user_id, edits, created_at from plan_shares where org_id = ?1 order by plan_id, user_id",
        // The organization of a version is its plan's; when that was removed, the one of the runs that need the version.
        "plan_versions" => {
            "select ?1, v.plan_id, v.version, v.document, v.created_at, v.retired_at, v.published_at, v.user_id, v.note, v.name \
             from plan_versions as v where \
             exists (select 1 from plans as p where p.id = v.plan_id and p.org_id = ?1) or (not exists (select 1 from plans as p \
             where p.id = v.plan_id) and exists (select 1 from plan_numbers as n join runs as r on r.plan_no = n.no \
             join organization_totals as o on o.no = r.org_no where n.plan_id = v.plan_id and o.org_id = ?1)) \
             order by v.plan_id, v.version"
        }
        "webhook_routes" => {
            "select org_id, plan_id, row_number() over (partition by plan_id order by rowid) - 1, path, method, trigger_id, exclusive \
             from webhook_routes where org_id = ?1 order by rowid"
        }
        "schedules" => {
            "select org_id, id, plan_id, user_id, trigger_id, expression, timezone, misfire, next_due, last_due from schedules \
             where org_id = ?1 order by no"
        }
        "trigger_states" => {
            "select org_id, plan_id, trigger_id, seen, failures, failing_since, error, worked_at from trigger_states where org_id = ?1 \
             order by plan_id, trigger_id"
        }
        "integrations" => {
            "select org_id, id, user_id, name, definition, created_at, updated_at from integrations where org_id = ?1 order by no"
        }
        "egress_rules" => "select org_id, host, note, user_id, created_at from egress_rules where org_id = ?1 order by no",
        "data_keys" => "select org_id, version, kek_id, wrapped from data_keys where org_id = ?1 order by version",
        "credentials" => {
            "select org_id, id, user_id, provider, name, fields, expires_at, last_used_at, created_at, hosts from credentials \
             where org_id = ?1 order by no"
        }
        "credential_shares" => "select org_id, credential_id, user_id, created_at from credential_shares where org_id = ?1 order by no",
        "api_keys" => {
            "select org_id, id, user_id, name, key_hash, created_at, expires_at, last_used_at, scopes from api_keys where org_id = ?1 order by no"
        }
        "invitations" => {
            "select org_id, id, user_id, role, token_hash, email, created_at, expires_at, state, ended_at, ended_by from invitations \
             where org_id = ?1 order by no"
        }
        "variables" => {
            "select org_id, name, id, user_id, value, sealed, created_at, updated_at from variables where org_id = ?1 order by name"
        }
        "audit_log" => {
            "select org_id, id, at, user_id, actor, actor_id, address, agent, action, outcome, target_kind, target_id, before, after, \
             request_id from audit_log where org_id = ?1 order by at, id"
        }
        "idempotency" => {
            "select org_id, idempotency_key, fingerprint, started_at, status, headers, body from idempotency \
             where org_id = ?1 and status is not null order by idempotency_key"
        }
        "feature_flags" => "select org_id, name, definition, updated_at, user_id from feature_flags where org_id = ?1 order by name",
        "notification_rules" => {
            "select org_id, id, user_id, name, definition, secrets, created_at, updated_at from notification_rules \
             where org_id = ?1 order by no"
        }
        "notifications" => {
            "select org_id, id, user_id, event, title, body, data, created_at, read_at from notifications where org_id = ?1 order by no"
        }
        "outbox" => {
            "select org_id, id, channel, message_key, rule_id, subject_id, state, held_by, slot_at, due_at, attempts, sealed, reason, \
             created_at, ended_at from outbox where org_id = ?1 order by no"
        }
        "signals" => "select org_id, id, topic, sole, data, received_at from signals where org_id = ?1 order by received_at, id",
        "waits" => {
            "select org_id, run_id, path, topic, key_pointer, key_value, detail, created_at from waits where org_id = ?1 order by run_id, path"
        }
        "state_values" => {
            "select org_id, plan_id, name, value, updated_at, expires_at from state_values where org_id = ?1 order by plan_id, name"
        }
        "state_seen" => {
            "select org_id, plan_id, set_name, item, expires_at from state_seen where org_id = ?1 order by plan_id, set_name, item"
        }
        "state_done" => "select org_id, id, run_id, result, created_at from state_done where org_id = ?1 order by id",
        // Without their bytes, which lie in a folder; those in a bucket stay there.
        "file_chunks" => "select id from files where org_id = ?1 and elsewhere = 0 and size > 0 order by no",
        "files" => {
            "select org_id, id, user_id, name, media_type, size, sha256, created_at, expires_at, run_id, step, elsewhere from files \
             where org_id = ?1 order by no"
        }
        // Without their bytes, which are files.
        "blobs" => {
            "select distinct b.sha256 from organization_totals as o join runs as r on r.org_no = o.no join run_blobs as b \
             on b.run_no = r.no where o.org_id = ?1 order by b.sha256"
        }
        "runs" => {
            "select o.org_id, r.id, p.plan_id, r.user_id, case r.status when 'running' then 'queued' else r.status end, r.signalled, \
             r.crashes, r.crashes_alone, r.plan_version, r.created_at, \
             case when r.status = 'running' or r.set_aside = 1 then coalesce(r.due_at, r.started_at, r.created_at) else r.due_at end, r.started_at, \
             r.finished_at, r.slot_schedule, r.slot_due, r.parent_id, r.parent_path, r.cancel_by, r.idempotency_key, r.seed, r.plan_name, \
             r.environment, r.trigger_data, r.org_data, r.inputs, r.ending, r.priority, r.flow_key, r.flow_limit, \
             r.flow_policy, r.flow_state, r.flow_by, r.pause_asked, r.burst_key from organization_totals as o \
             cross join runs as r on r.org_no = o.no cross join plan_numbers as p on p.no = r.plan_no \
             where o.org_id = ?1 order by r.created_at, r.no"
        }
        "bursts" => "select org_id, burst_key, gather, opened_at, due_at, firings, bytes from bursts where org_id = ?1 order by burst_key",
        "run_blobs" => {
            "select o.org_id, r.id, b.sha256 from organization_totals as o cross join runs as r on r.org_no = o.no \
             cross join run_blobs as b on b.run_no = r.no where o.org_id = ?1 order by r.created_at, r.no, b.sha256"
        }
        _ => {
            "select o.org_id, r.id, j.seq, j.at, p.plan_id, j.provider, j.status, j.body from organization_totals as o \
             cross join runs as r on r.org_no = o.no cross join journal as j on j.run_no = r.no \
             cross join plan_numbers as p on p.no = j.plan_no where o.org_id = ?1 order by r.created_at, r.no, j.seq"
        }
    }
}

/// The form's columns are ?1, ?2 and so on.
pub(super) fn insert(table: &str) -> &'static str {
    match table {
        // ?1 is named, so that it counts as bound.
        "users" => {
            "insert into users (id, email, email_key, name, password_hash, operator, verified_at, disabled_at, created_at, updated_at) \
             select ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 where ?1 is not null"
        }
        "organizations" => {
            "insert into organizations (org_id, name, slug, created_at, updated_at, erase_at, places) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
        }
        "second_factors" => {
            "insert into second_factors (user_id, sealed, confirmed_at, last_step, created_at) select ?2, ?3, ?4, ?5, ?6 where ?1 is not null"
        }
        "recovery_codes" => "insert into recovery_codes (user_id, code_hash) select ?2, ?3 where ?1 is not null",
        "outside_identities" => {
            "insert into outside_identities (issuer, subject, user_id, created_at) select ?2, ?3, ?4, ?5 where ?1 is not null"
        }
        "members" => "insert into members (org_id, user_id, role, created_at) values (?1, ?2, ?3, ?4)",
        "hidden_fields" => "insert into hidden_fields (org_id, position, field, least) values (?1, ?2, ?3, ?4)",
        "organization_totals" => "insert into organization_totals (org_id, total_executions, successful, failed) values (?1, ?2, ?3, ?4)",
        "plans" => {
            "insert into plans (org_id, id, user_id, name, source, version, created_at, updated_at, private, draft, latest, file) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
        }
        "plan_shares" => "insert into plan_shares (org_id, plan_id, user_id, edits, created_at) values (?1, ?2, ?3, ?4, ?5)",
        "plan_versions" => {
            "insert into plan_versions (plan_id, version, document, created_at, retired_at, published_at, user_id, note, name) \
             select ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 where ?1 is not null"
        }
        "webhook_routes" => {
            "insert into webhook_routes (org_id, plan_id, path, method, trigger_id, exclusive) select ?1, ?2, ?4, ?5, ?6, ?7 \
             where ?3 is not null"
        }
        "schedules" => {
            "insert into schedules (org_id, id, plan_id, user_id, trigger_id, expression, timezone, misfire, next_due, last_due) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        }
        "integrations" => {
            "insert into integrations (org_id, id, user_id, name, definition, created_at, updated_at) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
        }
        "egress_rules" => "insert into egress_rules (org_id, host, note, user_id, created_at) values (?1, ?2, ?3, ?4, ?5)",
        "data_keys" => "insert into data_keys (org_id, version, kek_id, wrapped) values (?1, ?2, ?3, ?4)",
        "credentials" => {
            "insert into credentials (org_id, id, user_id, provider, name, fields, expires_at, last_used_at, created_at, hosts) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        }
        "credential_shares" => "insert into credential_shares (org_id, credential_id, user_id, created_at) values (?1, ?2, ?3, ?4)",
        "api_keys" => {
            "insert into api_keys (org_id, id, user_id, name, key_hash, created_at, expires_at, last_used_at, scopes) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
        }
        "invitations" => {
            "insert into invitations (org_id, id, user_id, role, token_hash, email, created_at, expires_at, state, ended_at, ended_by) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
        }
        "variables" => {
            "insert into variables (org_id, name, id, user_id, value, sealed, created_at, updated_at) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
        }
        "audit_log" => {
            "insert into audit_log (org_id, id, at, user_id, actor, actor_id, address, agent, action, outcome, target_kind, target_id, \
             before, after, request_id) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
        }
        "idempotency" => {
            "insert into idempotency (org_id, idempotency_key, fingerprint, started_at, status, headers, body) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
        }
        "feature_flags" => "insert into feature_flags (org_id, name, definition, updated_at, user_id) values (?1, ?2, ?3, ?4, ?5)",
        "notification_rules" => {
            "insert into notification_rules (org_id, id, user_id, name, definition, secrets, created_at, updated_at) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
        }
        "notifications" => {
            "insert into notifications (org_id, id, user_id, event, title, body, data, created_at, read_at) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
        }
        "outbox" => {
            "insert into outbox (org_id, id, channel, message_key, rule_id, subject_id, state, held_by, slot_at, due_at, attempts, \
             sealed, reason, created_at, ended_at) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
        }
        "signals" => "insert into signals (org_id, id, topic, sole, data, received_at) values (?1, ?2, ?3, ?4, ?5, ?6)",
        "trigger_states" => {
            "insert into trigger_states (org_id, plan_id, trigger_id, seen, failures, failing_since, error, worked_at) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
        }
        "waits" => {
            "insert into waits (org_id, run_id, path, topic, key_pointer, key_value, detail, created_at) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
        }
        "state_values" => "insert into state_values (org_id, plan_id, name, value, updated_at, expires_at) values (?1, ?2, ?3, ?4, ?5, ?6)",
        "state_seen" => "insert into state_seen (org_id, plan_id, set_name, item, expires_at) values (?1, ?2, ?3, ?4, ?5)",
        "state_done" => "insert into state_done (org_id, id, run_id, result, created_at) values (?1, ?2, ?3, ?4, ?5)",
        "runs" => {
            "insert into runs (org_no, id, plan_no, user_id, status, epoch, signalled, crashes, crashes_alone, plan_version, created_at, \
             due_at, started_at, finished_at, slot_schedule, slot_due, parent_id, parent_path, cancel_by, idempotency_key, seed, plan_name, \
             environment, trigger_data, org_data, inputs, ending, priority, flow_key, flow_limit, flow_policy, flow_state, flow_by, \
             pause_asked, burst_key) values ((select no from organization_totals where org_id = ?1), ?2, \
             (select no from plan_numbers where plan_id = ?3), ?4, ?5, 0, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, \
             ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34)"
        }
        "files" => {
            "insert into files (org_id, id, user_id, name, media_type, size, sha256, created_at, expires_at, run_id, step, elsewhere) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
        }
        "bursts" => "insert into bursts (org_id, burst_key, gather, opened_at, due_at, firings, bytes) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        "run_blobs" => "insert into run_blobs (run_no, sha256) select no, ?3 from runs where id = ?2 and ?1 is not null",
        _ => {
            "insert into journal (run_no, seq, at, org_no, plan_no, provider, status, body) select r.no, ?3, ?4, r.org_no, \
             (select no from plan_numbers where plan_id = ?5), ?6, ?7, ?8 from runs as r where r.id = ?2 and ?1 is not null"
        }
    }
}

/// Numbers for what runs refer to.
pub(super) const NUMBER_ORG: &str = "insert into organization_totals (org_id) values (?1) on conflict do nothing";
pub(super) const NUMBER_PLAN: &str = "insert into plan_numbers (plan_id) values (?1) on conflict do nothing";

/// Every organization there is.
pub(super) const ORGANIZATIONS: &str = "select org_id from organization_totals union select org_id from plans \
     union select org_id from webhook_routes union select org_id from schedules union select org_id from trigger_states union select org_id from integrations \
     union select org_id from data_keys union select org_id from credentials union select org_id from api_keys \
     union select org_id from idempotency union select org_id from organizations union select org_id from members \
     union select org_id from feature_flags union select org_id from notification_rules \
     union select org_id from notifications union select org_id from outbox \
     union select org_id from audit_log union select org_id from invitations union select org_id from variables \
     union select org_id from bursts union select org_id from signals union select org_id from waits union select org_id from state_values union select org_id from state_seen \
     union select org_id from state_done union select org_id from hidden_fields union select org_id from egress_rules union select org_id from files union select zeroblob(16) from users order by org_id";

/// Whether a file is still there.
pub(super) const KEPT: &str = "select 1 from files where id = ?1";

/// Runs that need a blob of this address.
pub(super) const NEEDING: &str = "select r.id from run_blobs as b join runs as r on r.no = b.run_no where b.sha256 = ?1";
