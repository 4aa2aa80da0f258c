-- How users prove who they are. Tokens are here as their SHA-256 only.

create table sessions (
    no integer primary key,
    id blob not null unique,
    user_id blob not null,
    method text not null,
    device text not null,
    address text not null,
    -- Of the browser's cookie, when there is one.
    cookie_hash blob unique,
    created_at integer not null,
    last_used_at integer not null,
    expires_at integer not null
) strict;

create index sessions_by_user on sessions (user_id, no);

create table refresh_tokens (
    token_hash blob not null primary key,
    session_id blob not null,
    expires_at integer not null,
    -- Null while it has not been used; then the hash of what took its place.
    used_at integer,
    successor blob
) strict, without rowid;

create index refresh_tokens_by_session on refresh_tokens (session_id);

create table one_time_tokens (
    token_hash blob not null primary key,
    purpose text not null,
    user_id blob,
    data text not null,
    expires_at integer not null
) strict, without rowid;

create index one_time_tokens_by_user on one_time_tokens (user_id, purpose);

create table login_attempts (
    attempt_key text not null primary key,
    attempts integer not null,
    last_at integer not null,
    forgotten_at integer not null
) strict, without rowid;

create table second_factors (
    user_id blob not null primary key,
    sealed blob not null,
    confirmed_at integer,
    last_step integer,
    created_at integer not null
) strict, without rowid;

create table recovery_codes (
    user_id blob not null,
    code_hash blob not null,
    primary key (user_id, code_hash)
) strict, without rowid;

create table outside_identities (
    issuer text not null,
    subject text not null,
    user_id blob not null,
    created_at integer not null,
    primary key (issuer, subject)
) strict, without rowid;

create index outside_identities_by_user on outside_identities (user_id);

-- Names of permissions as a JSON list; null for all that the user's role may.
alter table api_keys add column scopes text;
