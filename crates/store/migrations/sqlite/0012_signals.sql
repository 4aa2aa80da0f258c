-- What happened outside of runs, and which steps wait for what.

-- Kept for a while also where nobody waits: a signal may come before its wait.
create table signals (
    no integer primary key,
    org_id blob not null,
    id blob not null,
    topic text not null,
    -- An answer, of which its topic has one.
    sole integer not null,
    data text not null,
    received_at integer not null,
    unique (org_id, id)
) strict;

create index signals_of_topic on signals (org_id, topic, received_at, id);
create unique index signals_sole on signals (org_id, topic) where sole = 1;
create index signals_by_age on signals (received_at);

create table waits (
    org_id blob not null,
    run_id blob not null,
    path text not null,
    topic text not null,
    -- What the data of a signal must hold to be worth a look; empty when it says nothing.
    key_pointer text not null,
    key_value text not null,
    detail text not null,
    created_at integer not null,
    primary key (org_id, run_id, path)
) strict, without rowid;

create index waits_of_topic on waits (org_id, topic, key_pointer, key_value);
