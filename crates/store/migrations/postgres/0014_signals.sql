-- What happened outside of runs, and which steps wait for what.

-- Kept for a while also where nobody waits: a signal may come before its wait.
create table signals (
    org_id uuid not null,
    id uuid not null,
    topic text not null,
    -- An answer, of which its topic has one.
    sole boolean not null,
    data json not null,
    received_at timestamptz not null,
    primary key (org_id, id)
);

create index signals_of_topic on signals (org_id, topic, received_at, id);
create unique index signals_sole on signals (org_id, topic) where sole;
create index signals_by_age on signals (received_at);

create table waits (
    org_id uuid not null,
    run_id uuid not null,
    path text not null,
    topic text not null,
    -- What the data of a signal must hold to be worth a look; empty when it says nothing.
    key_pointer text not null,
    key_value text not null,
    detail json not null,
    created_at timestamptz not null,
    primary key (org_id, run_id, path)
);

create index waits_of_topic on waits (org_id, topic, key_pointer, key_value);

select mainspring_protect(name) from unnest(array['signals', 'waits']) as name;
