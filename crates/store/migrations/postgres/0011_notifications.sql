-- Messages on their way out, feature flags, and who is told of what.

-- Up to when the ends of runs were looked at, and a number that moves with every change of a flag.
alter table store_state add column watched_until timestamptz not null default '1970-01-01 00:00:00+00';
alter table store_state add column flags_revision bigint not null default 0;

-- What was sent or given up stays for a while without its content: its key keeps an event from being told of twice.
create table outbox (
    org_id uuid not null,
    id uuid not null,
    channel text not null,
    message_key text not null,
    -- Messages of one rule about one subject keep a distance.
    rule_id uuid,
    subject_id uuid,
    state text not null,
    -- The message that tells of this one, which is held.
    held_by uuid,
    -- When it may leave first; the distance counts from here.
    slot_at timestamptz not null,
    -- When it is tried next.
    due_at timestamptz not null,
    attempts bigint not null default 0,
    sealed bytea,
    reason text,
    created_at timestamptz not null,
    ended_at timestamptz,
    primary key (org_id, id),
    unique (org_id, message_key)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

create index outbox_due on outbox (due_at, id) where state = 'waiting';
create index outbox_of_rule on outbox (org_id, rule_id, subject_id, slot_at) where rule_id is not null;
create index outbox_held on outbox (org_id, held_by) where held_by is not null;
create index outbox_ended on outbox (ended_at) where ended_at is not null;

create table feature_flags (
    org_id uuid not null,
    name text not null,
    definition json not null,
    updated_at timestamptz not null,
    user_id uuid not null,
    primary key (org_id, name)
);

create table notification_rules (
    org_id uuid not null,
    id uuid not null,
    user_id uuid not null,
    name text not null,
    definition json not null,
    secrets bytea,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (org_id, id)
);

-- What the program itself shows to a person. The id is the message's.
create table notifications (
    org_id uuid not null,
    id uuid not null,
    user_id uuid not null,
    event text not null,
    title text not null,
    body text not null,
    data json not null,
    created_at timestamptz not null,
    read_at timestamptz,
    primary key (org_id, id)
);

create index notifications_of_person on notifications (org_id, user_id, created_at, id);
create index notifications_unread on notifications (org_id, user_id) where read_at is null;
create index notifications_by_age on notifications (created_at);

-- Runs of which somebody may want to know. Nearly none are in it.
create index runs_ended_badly on runs (finished_at, id)
    where finished_at is not null and status <> 'success' and status <> 'cancelled';
create index credentials_by_expiry on credentials (expires_at) where expires_at is not null;

select mainspring_protect(name) from unnest(array['outbox', 'feature_flags', 'notification_rules', 'notifications']) as name;
