-- Sealed values, API keys and remembered answers. Nothing here opens without the key ring.

create table data_keys (
    org_id uuid not null,
    version bigint not null,
    kek_id text not null,
    wrapped bytea not null,
    primary key (org_id, version)
);

create table credentials (
    org_id uuid not null,
    id uuid not null,
    user_id uuid not null,
    provider text not null,
    provider_key text not null,
    name text not null,
    name_key text not null,
    -- Field name to base64 of the sealed bytes.
    fields json not null,
    expires_at timestamptz,
    last_used_at timestamptz,
    created_at timestamptz not null,
    primary key (org_id, id),
    unique (org_id, user_id, provider_key, name_key)
);

create index credentials_by_id on credentials (id);

create table api_keys (
    org_id uuid not null,
    id uuid not null,
    user_id uuid not null,
    name text not null,
    key_hash bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    last_used_at timestamptz,
    primary key (org_id, id),
    unique (org_id, key_hash)
);

create index api_keys_by_id on api_keys (id);
create index api_keys_by_hash on api_keys (key_hash);

create table idempotency (
    org_id uuid not null,
    idempotency_key text not null,
    fingerprint bytea not null,
    started_at timestamptz not null,
    -- Null until the first caller has answered.
    status integer,
    headers json,
    body bytea,
    primary key (org_id, idempotency_key)
);

create index idempotency_by_age on idempotency (started_at);

select mainspring_protect(name) from unnest(array['data_keys', 'credentials', 'api_keys', 'idempotency']) as name;
