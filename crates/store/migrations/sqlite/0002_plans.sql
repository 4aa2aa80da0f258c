-- Plans with their versions and what starts them, and users' own providers.

create table plans (
    no integer primary key,
    id blob not null unique,
    org_id blob not null,
    user_id blob not null,
    name text not null,
    source text not null,
    version integer not null,
    created_at integer not null,
    updated_at integer not null
) strict;

create index plans_by_org on plans (org_id, no);
create index plans_by_name on plans (org_id, name);
create unique index plans_file_name on plans (org_id, user_id, name) where source = 'file';

create table plan_versions (
    plan_id blob not null,
    version integer not null,
    document text not null,
    created_at integer not null,
    -- When a newer version or the plan's removal made it history. It may go once no run needs it.
    retired_at integer,
    unique (plan_id, version)
) strict;

create index plan_versions_retired on plan_versions (retired_at) where retired_at is not null;

create table webhook_routes (
    plan_id blob not null,
    org_id blob not null,
    path text not null,
    method text not null,
    trigger_id text not null,
    exclusive integer not null
) strict;

create index webhook_routes_by_path on webhook_routes (path, method);
create index webhook_routes_by_plan on webhook_routes (plan_id);

create table schedules (
    no integer primary key,
    id blob not null unique,
    plan_id blob not null,
    org_id blob not null,
    user_id blob not null,
    trigger_id text not null,
    expression text not null,
    timezone text,
    misfire text not null,
    next_due integer,
    last_due integer
) strict;

create index schedules_due on schedules (next_due) where next_due is not null;
create index schedules_by_plan on schedules (plan_id);
create index schedules_by_org on schedules (org_id, next_due);

create table integrations (
    no integer primary key,
    id blob not null unique,
    org_id blob not null,
    user_id blob not null,
    name text not null,
    definition text not null,
    created_at integer not null,
    updated_at integer not null,
    unique (org_id, user_id, name)
) strict;
