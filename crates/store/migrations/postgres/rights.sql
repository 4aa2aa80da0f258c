-- Who may do what: renewed whenever this text or the role of the nodes changes. {queue}, {runtime} and {owner} are quoted names,
-- {queue_text} is the queue's role as a text, {membership} how a role becomes a member on this version of PostgreSQL.

do $$
begin
    if not exists (select from pg_roles where rolname = {queue_text}) then
        create role {queue} nologin;
    end if;
    -- The owner too, to give a function to the queue's role below.
    if not pg_has_role(current_user, {queue_text}, 'member') then
        grant {queue} to {owner}{membership};
    end if;
    if not pg_has_role({runtime_text}, {queue_text}, 'member') then
        grant {queue} to {runtime}{membership};
    end if;
end
$$;

grant usage on schema public to {queue}, {runtime};

grant select, insert, update, delete on
    api_keys, blobs, bursts, credential_shares, credentials, data_keys, egress_rules, feature_flags, file_chunks, file_uploads, files, hidden_fields, idempotency, integrations, invitations, journal, login_attempts,
    members, nodes, notification_rules, notifications, one_time_tokens, organization_totals, organizations, outbox, outside_identities,
    plan_shares, plan_versions, plans, rate_turns, recovery_codes, refresh_tokens, run_blobs, runs, schedules, second_factors, sessions, signals, state_done, state_seen, state_values,
    step_results, store_state, trigger_states,
    users, variables, waits, webhook_routes to {runtime};
-- It only grows, but for retention and the end of an organization.
grant select, insert, delete on audit_log to {runtime};
-- Rows of runs that lie in no day are deleted run by run.
grant select, delete on journal_rest to {runtime};
grant select on execution_logs, schema_migrations, schema_rights to {runtime};
grant execute on function mainspring_make_day(date), mainspring_drop_day(date) to {runtime};

-- What has to be seen and done across organizations, column by column: no input, no output, no name, no secret.
grant select (org_id, id, status, epoch, signalled, cancel_asked, crashes, crashes_alone, due_at, started_at, finished_at, parent_id,
        plan_id, plan_version, slot_schedule, slot_due, tag, pause_asked, flow_key, flow_state, flow_policy, flow_by,
        priority, created_ms, set_aside),
    update (status, epoch, signalled, crashes, crashes_alone, due_at, started_at, tag, flow_state, set_aside) on runs to {queue};
grant select (no, alone) on nodes to {queue};
grant select on schedules, webhook_routes to {queue};
grant select (org_id, id) on plans, integrations, notification_rules to {queue};
grant select (org_id, id, expires_at) on credentials to {queue};
grant select (org_id, id, state, due_at, ended_at, attempts), update (due_at, attempts) on outbox to {queue};
grant select (org_id, created_at) on notifications to {queue};
grant select (org_id) on feature_flags to {queue};
grant select (org_id, plan_id, version, retired_at) on plan_versions to {queue};
grant select (org_id, id, key_hash) on api_keys to {queue};
grant select (org_id, version) on data_keys to {queue};
grant select (org_id, started_at) on idempotency to {queue};
grant select (org_id, sha256, touched_at) on blobs to {queue};
grant select (org_id, run_id, sha256) on run_blobs to {queue};
grant select (org_id) on organization_totals, egress_rules to {queue};
-- Which organizations somebody is a member of, and which one a slug names; no address and no hash of a password.
grant select on members, organizations to {queue};
grant select (org_id) on users, hidden_fields to {queue};
grant select (org_id, id, token_hash) on invitations to {queue};
grant select (org_id, name) on variables to {queue};
grant select (org_id, at) on audit_log to {queue};
grant select (org_id, received_at) on signals to {queue};
grant select (org_id, burst_key, due_at) on bursts to {queue};
grant select (org_id) on rate_turns, waits, state_done to {queue};
grant select (org_id, expires_at) on state_values, state_seen, step_results to {queue};
grant select (org_id, failures) on trigger_states to {queue};
grant select (org_id, id, expires_at) on files to {queue};
grant select (org_id, file_id, due_at) on file_uploads to {queue};

-- By the role that acts and not by membership alone: a role that inherits from its memberships gains nothing from this one.
do $$
declare name text;
begin
    foreach name in array array['runs', 'schedules', 'webhook_routes', 'plans', 'integrations', 'credentials', 'plan_versions', 'api_keys',
            'data_keys', 'idempotency', 'blobs', 'run_blobs', 'organization_totals', 'members', 'organizations', 'users', 'outbox',
            'notifications', 'notification_rules', 'feature_flags', 'hidden_fields', 'invitations', 'variables', 'audit_log', 'egress_rules', 'signals', 'waits', 'bursts',
            'state_values', 'state_seen', 'state_done', 'step_results', 'rate_turns', 'trigger_states', 'files', 'file_uploads'] loop
        execute format('drop policy if exists queue on %I', name);
        execute format('create policy queue on %I to %I using (current_user = %L) with check (current_user = %L)',
            name, {queue_text}, {queue_text}, {queue_text});
    end loop;
end
$$;

-- The new owner of a function must be able to create in its schema, for this moment.
do $$
begin
    if (select proowner <> {queue_text}::regrole from pg_proc where oid = 'mainspring_has_runs(uuid, uuid)'::regprocedure) then
        grant create on schema public to {queue};
        alter function mainspring_has_runs(uuid, uuid) owner to {queue};
        revoke create on schema public from {queue};
    end if;
    set local role {queue};
    grant execute on function mainspring_has_runs(uuid, uuid) to {owner};
    reset role;
end
$$;
