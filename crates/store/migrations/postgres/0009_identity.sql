-- How users prove who they are. Tokens are here as their SHA-256 only. All of it is the installation's, whose id is the nil one.

create table sessions (
    org_id uuid not null check (org_id = '00000000-0000-0000-0000-000000000000'),
    id uuid not null,
    user_id uuid not null,
    method text not null,
    device text not null,
    address text not null,
    -- Of the browser's cookie, when there is one.
    cookie_hash bytea,
    created_at timestamptz not null,
    last_used_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (org_id, id),
    unique (org_id, cookie_hash)
);

create index sessions_by_user on sessions (user_id);
create index sessions_by_end on sessions (expires_at);

create table refresh_tokens (
    org_id uuid not null check (org_id = '00000000-0000-0000-0000-000000000000'),
    token_hash bytea not null,
    session_id uuid not null,
    expires_at timestamptz not null,
    -- Null while it has not been used; then the hash of what took its place.
    used_at timestamptz,
    successor bytea,
    primary key (org_id, token_hash)
);

create index refresh_tokens_by_session on refresh_tokens (session_id);
create index refresh_tokens_by_end on refresh_tokens (expires_at);

create table one_time_tokens (
    org_id uuid not null check (org_id = '00000000-0000-0000-0000-000000000000'),
    token_hash bytea not null,
    purpose text not null,
    user_id uuid,
    data json not null,
    expires_at timestamptz not null,
    primary key (org_id, token_hash)
);

create index one_time_tokens_by_user on one_time_tokens (user_id, purpose);

create table login_attempts (
    org_id uuid not null check (org_id = '00000000-0000-0000-0000-000000000000'),
    attempt_key text not null,
    attempts bigint not null,
    last_at timestamptz not null,
    forgotten_at timestamptz not null,
    primary key (org_id, attempt_key)
);

create table second_factors (
    org_id uuid not null check (org_id = '00000000-0000-0000-0000-000000000000'),
    user_id uuid not null,
    sealed bytea not null,
    confirmed_at timestamptz,
    last_step bigint,
    created_at timestamptz not null,
    primary key (org_id, user_id)
);

create table recovery_codes (
    org_id uuid not null check (org_id = '00000000-0000-0000-0000-000000000000'),
    user_id uuid not null,
    code_hash bytea not null,
    primary key (org_id, user_id, code_hash)
);

create table outside_identities (
    org_id uuid not null check (org_id = '00000000-0000-0000-0000-000000000000'),
    issuer text not null,
    subject text not null,
    user_id uuid not null,
    created_at timestamptz not null,
    primary key (org_id, issuer, subject)
);

create index outside_identities_by_user on outside_identities (user_id);

-- Names of permissions as a JSON list; null for all that the user's role may.
alter table api_keys add column scopes json;

select mainspring_protect(name) from unnest(array['sessions', 'refresh_tokens', 'one_time_tokens', 'login_attempts', 'second_factors',
    'recovery_codes', 'outside_identities']) as name;
