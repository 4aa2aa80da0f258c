-- Sealed values, API keys and remembered answers. Nothing here opens without the key ring.

create table data_keys (
    org_id blob not null,
    version integer not null,
    kek_id text not null,
    wrapped blob not null,
    primary key (org_id, version)
) strict, without rowid;

create table credentials (
    no integer primary key,
    id blob not null unique,
    org_id blob not null,
    user_id blob not null,
    provider text not null,
    name text not null,
    -- Field name to base64 of the sealed bytes, as JSON.
    fields text not null,
    expires_at integer,
    last_used_at integer,
    created_at integer not null,
    unique (org_id, user_id, provider, name)
) strict;

create table api_keys (
    no integer primary key,
    id blob not null unique,
    org_id blob not null,
    user_id blob not null,
    name text not null,
    key_hash blob not null unique,
    created_at integer not null,
    expires_at integer,
    last_used_at integer
) strict;

create index api_keys_by_org on api_keys (org_id, no);

create table idempotency (
    org_id blob not null,
    idempotency_key text not null,
    fingerprint blob not null,
    started_at integer not null,
    -- Null until the first caller has answered.
    status integer,
    headers text,
    body blob,
    primary key (org_id, idempotency_key)
) strict;

create index idempotency_by_age on idempotency (started_at);
