-- Credentials: where they may be sent, and with whom they are shared.

-- A JSON list of hosts; null: those of the provider.
alter table credentials add column hosts text;

create table credential_shares (
    no integer primary key,
    org_id blob not null,
    credential_id blob not null,
    user_id blob not null,
    created_at integer not null,
    unique (credential_id, user_id)
) strict;

create index credential_shares_by_user on credential_shares (org_id, user_id);
