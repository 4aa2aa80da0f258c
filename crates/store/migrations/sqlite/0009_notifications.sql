-- Messages on their way out, feature flags, and who is told of what.

-- Up to when the ends of runs were looked at, and a number that moves with every change of a flag.
alter table store_state add column watched_until integer not null default 0;
alter table store_state add column flags_revision integer not null default 0;

-- What was sent or given up stays for a while without its content: its key keeps an event from being told of twice.
create table outbox (
    no integer primary key,
    id blob not null unique,
    org_id blob not null,
    channel text not null,
    message_key text not null,
    -- Messages of one rule about one subject keep a distance.
    rule_id blob,
    subject_id blob,
    state text not null,
    -- The message that tells of this one, which is held.
    held_by blob,
    -- When it may leave first; the distance counts from here.
    slot_at integer not null,
    -- When it is tried next.
    due_at integer not null,
    attempts integer not null default 0,
    sealed blob,
    reason text,
    created_at integer not null,
    ended_at integer,
    unique (org_id, message_key)
) strict;

create index outbox_due on outbox (due_at) where state = 'waiting';
create index outbox_of_rule on outbox (rule_id, subject_id, slot_at) where rule_id is not null;
create index outbox_held on outbox (held_by) where held_by is not null;
create index outbox_ended on outbox (ended_at) where ended_at is not null;

create table feature_flags (
    org_id blob not null,
    name text not null,
    definition text not null,
    updated_at integer not null,
    user_id blob not null,
    primary key (org_id, name)
) strict;

create table notification_rules (
    no integer primary key,
    id blob not null unique,
    org_id blob not null,
    user_id blob not null,
    name text not null,
    definition text not null,
    secrets blob,
    created_at integer not null,
    updated_at integer not null
) strict;

create index notification_rules_by_org on notification_rules (org_id, no);

-- What the program itself shows to a person. The id is the message's.
create table notifications (
    no integer primary key,
    id blob not null unique,
    org_id blob not null,
    user_id blob not null,
    event text not null,
    title text not null,
    body text not null,
    data text not null,
    created_at integer not null,
    read_at integer
) strict;

create index notifications_of_person on notifications (org_id, user_id, no);
create index notifications_unread on notifications (org_id, user_id, no) where read_at is null;
create index notifications_by_age on notifications (created_at);

-- Runs of which somebody may want to know. Nearly none are in it.
create index runs_ended_badly on runs (finished_at, id)
    where finished_at is not null and status <> 'success' and status <> 'cancelled';
create index credentials_by_expiry on credentials (expires_at) where expires_at is not null;
