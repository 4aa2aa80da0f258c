-- Nodes, runs and their journal.
--
-- Every table of an organization begins its keys with org_id, so that the schema also fits a PostgreSQL that is sharded by
-- tenant; unique keys hold within an organization. Times that operators read are timestamptz with whole milliseconds. Texts of
-- users are `text` with NUL written as "␛0" and ␛ doubled, because PostgreSQL's texts hold no NUL; a text that a key needs is
-- cut and hashed beside it (…_key), because a btree row has 2,700 bytes. Documents are `json`, not `jsonb`: they come back byte
-- by byte, with \u0000, the order of members and numbers beyond 64 bits as they were written.

create table store_state (
    only_row boolean primary key default true check (only_row),
    -- Moves with every change of plans, schedules or integrations.
    plans_revision bigint not null default 0,
    probed_at timestamptz,
    -- Proves that the key ring opens this database.
    canary bytea
);

insert into store_state default values;

-- Processes that drive runs. `no` is the epoch of all that one of them writes. A row that is gone means that its process was
-- declared dead: the fence of every transaction of a process is a key-share lock on its own row.
create table nodes (
    no bigint generated always as identity primary key,
    node_id uuid not null,
    started_at timestamptz not null default clock_timestamp(),
    lease_until timestamptz not null,
    -- The run that it drives with the process to itself, because it is suspected to kill processes.
    alone uuid
) with (fillfactor = 50);

-- Counters that pruning does not touch, in shards: one row would make all writers of an organization wait for one another.
create table organization_totals (
    org_id uuid not null,
    shard smallint not null,
    total_executions bigint not null default 0,
    successful bigint not null default 0,
    failed bigint not null default 0,
    primary key (org_id, shard)
) with (fillfactor = 50);

create table runs (
    org_id uuid not null,
    id uuid not null,
    plan_id uuid not null,
    user_id uuid not null,
    status text not null,
    -- Of the node that holds the run, or held it last; 0 when it waits to be claimed.
    epoch bigint not null,
    -- A wake-up that came while the run was held: its next wait ends at once.
    signalled boolean not null default false,
    cancel_asked boolean not null default false,
    crashes integer not null default 0,
    crashes_alone integer not null default 0,
    plan_version bigint not null,
    -- Exact, and what lists are ordered by; a header may carry a moment that no timestamptz holds.
    created_ms bigint not null,
    created_at timestamptz not null generated always as
        (to_timestamp(greatest(-62135596800000, least(created_ms, 253402300799999))::double precision / 1000.0)) stored,
    -- Since when a queued run waits to be claimed, or when a waiting one goes on by itself.
    due_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    slot_schedule uuid,
    slot_due timestamptz,
    parent_id uuid,
    parent_path text,
    cancel_by text,
    idempotency_key text,
    seed bytea not null,
    plan_name text not null,
    environment text not null,
    -- `type` of the trigger, beside the document so that no list has to parse one.
    trigger_kind text not null,
    trigger_data json not null,
    org_data json not null,
    inputs json not null,
    ending json,
    primary key (org_id, id)
) with (
    -- A queue: rows change a few times and go. Room for the changes, and a vacuum long before a fifth of the table is dead.
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 500,
    autovacuum_analyze_scale_factor = 0.02,
    autovacuum_vacuum_cost_delay = 1
);

create index runs_by_id on runs (id);
create index runs_by_org on runs (org_id, created_ms, id);
create index runs_by_plan on runs (org_id, plan_id, created_ms, id);
-- Nearly all runs end well and leave this index; what is active or went wrong is found in it.
create index runs_by_status on runs (org_id, status, created_ms, id) where status <> 'success';
create index runs_queued on runs (due_at, id) where status = 'queued';
create index runs_waiting on runs (due_at, id) where status = 'waiting' and due_at is not null;
create index runs_held on runs (epoch, id) where status = 'running';
create index runs_going on runs (id) where finished_at is null;
create index runs_finished on runs (finished_at, id) where finished_at is not null;
create index runs_to_cancel on runs (epoch) where cancel_asked and status = 'running';
create index runs_of_version on runs (plan_id, plan_version);
create unique index runs_slot on runs (org_id, slot_schedule, slot_due) where slot_schedule is not null;
create unique index runs_key on runs (org_id, idempotency_key) where idempotency_key is not null;

-- By days of the runs' ids, which are UUIDv7: a day is dropped whole when no run of it is left.
create table journal (
    org_id uuid not null,
    run_id uuid not null,
    seq integer not null,
    at timestamptz not null,
    plan_id uuid not null,
    -- Of an attempt; null for every other kind of event. A long provider's name is cut and hashed.
    provider text,
    status text,
    -- The event, its kind within.
    body json not null,
    primary key (org_id, run_id, seq)
) partition by range (run_id);

create index journal_attempts on journal (org_id, at, run_id, seq) include (plan_id, status, provider) where provider is not null;

-- Runs whose ids lie in no day that was made.
create table journal_rest partition of journal default;

-- Which runs still need a blob.
create table run_blobs (
    org_id uuid not null,
    run_id uuid not null,
    sha256 text not null,
    primary key (org_id, run_id, sha256)
);

create index run_blobs_by_content on run_blobs (org_id, sha256);

create table blobs (
    org_id uuid not null,
    sha256 text not null,
    bytes bytea not null,
    -- A younger blob may belong to a write under way.
    touched_at timestamptz not null,
    primary key (org_id, sha256)
);

-- Compressed by nobody: what is large and compresses well was text that is rarely read again.
alter table blobs alter column bytes set storage external;

create index blobs_by_age on blobs (left(sha256, 2), touched_at);

-- JSON that PostgreSQL's own functions read: they refuse every document with \u0000 in it, which becomes \u2400 (␀).
create function mainspring_plain(body json) returns json language sql immutable parallel safe return
    case when position('\u0000' in body::text) = 0 then body
        else regexp_replace(body::text, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\u2400', 'g')::json end;

-- A value as people read it: a text as it is, anything else as JSON.
create function mainspring_shown(value json) returns text language sql immutable parallel safe return
    case when value is null then null when json_typeof(value) = 'string' then value #>> '{}' else value::text end;

-- One row per attempt, filled by nothing but the journal. Read with the rights of whoever asks.
create view execution_logs with (security_invoker = true) as
select
    j.run_id::text || '.' || j.seq as id,
    j.run_id as run_id,
    j.plan_id as plan_id,
    r.plan_name as plan_name,
    r.user_id as user_id,
    (e.body ->> 'step_number')::bigint as step_number,
    e.body ->> 'path' as step_id,
    (e.body ->> 'attempt')::bigint as attempt,
    j.provider as provider,
    e.body ->> 'action' as action,
    j.status as status,
    coalesce(e.body ->> 'message', '') as message,
    (e.body ->> 'latency_us')::double precision / 1000 as latency_ms,
    left(coalesce(nullif(mainspring_shown(e.body -> 'output'), 'null'), e.body -> 'blob' ->> 'preview', ''), 500) as output_preview,
    (e.body -> 'error' ->> 'code') || ': ' || (e.body -> 'error' ->> 'message') as error,
    j.at as timestamp,
    j.org_id as org_id,
    j.seq as seq
from journal as j
join runs as r on r.org_id = j.org_id and r.id = j.run_id
-- `offset 0` keeps the planner from reading the body anew for each column.
cross join lateral (select mainspring_plain(j.body) as body offset 0) as e
where j.provider is not null;

-- One organization's rows to whoever acts for it, to the owner of the table as to anybody; without an organization, none.
create function mainspring_protect(name text) returns void language plpgsql set search_path = public, pg_temp as $$
begin
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format('create policy tenant on %I using (org_id = (select nullif(current_setting(''mainspring.org'', true), '''')::uuid)) '
        'with check (org_id = (select nullif(current_setting(''mainspring.org'', true), '''')::uuid))', name);
end
$$;

select mainspring_protect(name)
from unnest(array['organization_totals', 'runs', 'journal', 'journal_rest', 'run_blobs', 'blobs']) as name;
