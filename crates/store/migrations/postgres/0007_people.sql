-- Users, organizations, and who is what in which.

-- Users belong to the installation, whose id is the nil one: row-level security shows them to whoever acts for it and to no
-- organization.
create table users (
    org_id uuid not null check (org_id = '00000000-0000-0000-0000-000000000000'),
    id uuid not null,
    email text not null,
    -- As addresses are compared: in lower case.
    email_key text not null,
    name text not null,
    password_hash text,
    operator boolean not null,
    verified_at timestamptz,
    disabled_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (org_id, id),
    unique (org_id, email_key)
);

create table organizations (
    org_id uuid not null primary key,
    name text not null,
    -- Of the whole installation: it is part of addresses.
    slug text not null unique,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create table members (
    org_id uuid not null,
    user_id uuid not null,
    role text not null check (role in ('viewer', 'member', 'admin', 'owner')),
    created_at timestamptz not null,
    primary key (org_id, user_id)
);

create index members_by_user on members (user_id);

select mainspring_protect(name) from unnest(array['users', 'organizations', 'members']) as name;
