-- Credentials: where they may be sent, and with whom they are shared.

-- A list of hosts; null: those of the provider.
alter table credentials add column hosts json;

create table credential_shares (
    org_id uuid not null,
    credential_id uuid not null,
    user_id uuid not null,
    created_at timestamptz not null,
    primary key (org_id, credential_id, user_id)
);

create index credential_shares_by_user on credential_shares (org_id, user_id);

select mainspring_protect('credential_shares');
