-- Runs and their journal. Times are Unix milliseconds; ids are the 16 bytes of a UUIDv7; `no` is a small local number
-- that stands for an id in the rows and indexes that there are many of.

create table store_state (
    only_row integer primary key check (only_row = 1),
    -- The epoch: one more each time a process takes engine.lock. A lease of an older generation is void.
    generation integer not null,
    plans_revision integer not null,
    probed_at integer not null,
    canary blob
) strict;

insert into store_state (only_row, generation, plans_revision, probed_at) values (1, 0, 0, 0);

-- Organizations that have runs, with the counters that pruning does not touch.
create table organization_totals (
    no integer primary key,
    org_id blob not null unique,
    total_executions integer not null default 0,
    successful integer not null default 0,
    failed integer not null default 0
) strict;

-- Numbers of the plans that have runs; they outlive the plans.
create table plan_numbers (
    no integer primary key,
    plan_id blob not null unique
) strict;

create table runs (
    no integer primary key,
    id blob not null unique,
    org_no integer not null,
    plan_no integer not null,
    status text not null,
    -- Of the process that holds the run, or held it last.
    epoch integer not null,
    -- A wake-up that came while the run was held: its next wait ends at once.
    signalled integer not null default 0,
    crashes integer not null default 0,
    crashes_alone integer not null default 0,
    -- Since when a queued run waits to be claimed, or when a waiting one goes on by itself.
    due_at integer,
    created_at integer not null,
    started_at integer,
    finished_at integer,
    cancel_by text,
    user_id blob not null,
    plan_version integer not null,
    parent_id blob,
    parent_path text,
    slot_schedule blob,
    slot_due integer,
    idempotency_key text,
    seed blob not null,
    plan_name text not null,
    environment text not null,
    trigger_data text not null,
    org_data text not null,
    inputs text not null,
    ending text
) strict;

create index runs_due on runs (status, due_at) where due_at is not null;
create index runs_by_org on runs (org_no, created_at);
create index runs_by_plan on runs (plan_no, created_at, plan_version);
-- Nearly all runs end well and leave this index; what is active or went wrong is found in it.
create index runs_by_status on runs (status, org_no, created_at) where status <> 'success';
create index runs_finished on runs (finished_at) where finished_at is not null;
create index runs_to_cancel on runs (no) where cancel_by is not null and status = 'running';
create unique index runs_slot on runs (slot_schedule, slot_due) where slot_schedule is not null;
create unique index runs_key on runs (org_no, idempotency_key) where idempotency_key is not null;

-- In order of commit, so that the rows of a group lie on the same few pages however many runs they belong to.
create table journal (
    no integer primary key,
    run_no integer not null,
    seq integer not null,
    at integer not null,
    org_no integer not null,
    plan_no integer not null,
    -- Of an attempt; null for every other kind of event.
    provider text,
    status text,
    -- The event as JSON text, its kind within. A generated column for the kind would be computed at every insert: 8 % of it.
    body text not null
) strict;

create unique index journal_of_run on journal (run_no, seq);
-- Holds all that the execution log is filtered by, so that a rare match is found without touching the rows between.
create index journal_attempts on journal (org_no, at, no, plan_no, status, provider) where provider is not null;

-- Which runs still need a blob.
create table run_blobs (
    run_no integer not null,
    sha256 text not null,
    primary key (run_no, sha256)
) strict, without rowid;

create index run_blobs_by_content on run_blobs (sha256);

-- One row per attempt, filled by nothing but the journal. The columns after `timestamp` are for our own reads.
create view execution_logs as
select
    substr(lower(hex(r.id)), 1, 8) || '-' || substr(lower(hex(r.id)), 9, 4) || '-' || substr(lower(hex(r.id)), 13, 4) || '-'
        || substr(lower(hex(r.id)), 17, 4) || '-' || substr(lower(hex(r.id)), 21) || '.' || j.seq as id,
    substr(lower(hex(r.id)), 1, 8) || '-' || substr(lower(hex(r.id)), 9, 4) || '-' || substr(lower(hex(r.id)), 13, 4) || '-'
        || substr(lower(hex(r.id)), 17, 4) || '-' || substr(lower(hex(r.id)), 21) as run_id,
    substr(lower(hex(p.plan_id)), 1, 8) || '-' || substr(lower(hex(p.plan_id)), 9, 4) || '-' || substr(lower(hex(p.plan_id)), 13, 4) || '-'
        || substr(lower(hex(p.plan_id)), 17, 4) || '-' || substr(lower(hex(p.plan_id)), 21) as plan_id,
    r.plan_name as plan_name,
    substr(lower(hex(r.user_id)), 1, 8) || '-' || substr(lower(hex(r.user_id)), 9, 4) || '-' || substr(lower(hex(r.user_id)), 13, 4) || '-'
        || substr(lower(hex(r.user_id)), 17, 4) || '-' || substr(lower(hex(r.user_id)), 21) as user_id,
    j.body ->> '$.step_number' as step_number,
    j.body ->> '$.path' as step_id,
    j.body ->> '$.attempt' as attempt,
    j.provider as provider,
    j.body ->> '$.action' as action,
    j.status as status,
    coalesce(j.body ->> '$.message', '') as message,
    (j.body ->> '$.latency_us') / 1000.0 as latency_ms,
    -- A text is shown as it is, anything else as JSON; text functions would stop at a NUL, so a text with one is JSON too.
    substr(coalesce(
        case when json_type(j.body, '$.output') = 'text' and instr(j.body -> '$.output', '\u0000') = 0
            then j.body ->> '$.output' else j.body -> '$.output' end,
        j.body ->> '$.blob.preview', ''), 1, 500) as output_preview,
    (j.body ->> '$.error.code') || ': ' || (j.body ->> '$.error.message') as error,
    strftime('%Y-%m-%dT%H:%M:%fZ', j.at / 1000.0, 'unixepoch') as timestamp,
    j.body -> '$.error' as error_detail,
    r.id as run_uuid,
    p.plan_id as plan_uuid,
    j.run_no as run_no,
    j.plan_no as plan_no,
    j.org_no as org_no,
    j.at as at,
    j.no as journal_no
from journal as j
cross join runs as r on r.no = j.run_no
cross join plan_numbers as p on p.no = j.plan_no
where j.provider is not null;
