-- Users, organizations, and who is what in which.

create table users (
    no integer primary key,
    id blob not null unique,
    email text not null,
    -- As addresses are compared: in lower case.
    email_key text not null unique,
    name text not null,
    password_hash text,
    operator integer not null,
    verified_at integer,
    disabled_at integer,
    created_at integer not null,
    updated_at integer not null
) strict;

create table organizations (
    no integer primary key,
    org_id blob not null unique,
    name text not null,
    slug text not null unique,
    created_at integer not null,
    updated_at integer not null
) strict;

create table members (
    no integer primary key,
    org_id blob not null,
    user_id blob not null,
    role text not null check (role in ('viewer', 'member', 'admin', 'owner')),
    created_at integer not null,
    unique (org_id, user_id)
) strict;

create index members_by_user on members (user_id);
