-- Plans with their versions and what starts them, and users' own providers.

create table plans (
    org_id uuid not null,
    id uuid not null,
    user_id uuid not null,
    name text not null,
    name_key text not null,
    source text not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (org_id, id)
);

create index plans_by_id on plans (id);
create index plans_by_org on plans (org_id, created_at, id);
create index plans_by_name on plans (org_id, name_key);
create unique index plans_file_name on plans (org_id, user_id, name_key) where source = 'file';

create table plan_versions (
    org_id uuid not null,
    plan_id uuid not null,
    version bigint not null,
    document json not null,
    created_at timestamptz not null,
    -- When a newer version or the plan's removal made it history. It may go once no run needs it.
    retired_at timestamptz,
    primary key (org_id, plan_id, version)
);

create index plan_versions_by_plan on plan_versions (plan_id);
create index plan_versions_retired on plan_versions (retired_at) where retired_at is not null;

create table webhook_routes (
    org_id uuid not null,
    plan_id uuid not null,
    position integer not null,
    path text not null,
    path_key text not null,
    method text not null,
    trigger_id text not null,
    exclusive boolean not null,
    primary key (org_id, plan_id, position)
);

create index webhook_routes_by_path on webhook_routes (path_key);

create table schedules (
    org_id uuid not null,
    id uuid not null,
    plan_id uuid not null,
    user_id uuid not null,
    -- Beside the plan's, so that due schedules are read without the plans.
    plan_name text not null,
    trigger_id text not null,
    expression text not null,
    timezone text,
    misfire json not null,
    next_due timestamptz,
    last_due timestamptz,
    primary key (org_id, id)
);

create index schedules_by_id on schedules (id);
create index schedules_due on schedules (next_due, id) where next_due is not null;
create index schedules_by_plan on schedules (org_id, plan_id);

create table integrations (
    org_id uuid not null,
    id uuid not null,
    user_id uuid not null,
    name text not null,
    name_key text not null,
    definition json not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (org_id, id),
    unique (org_id, user_id, name_key)
);

create index integrations_by_id on integrations (id);

select mainspring_protect(name) from unnest(array['plans', 'plan_versions', 'webhook_routes', 'schedules', 'integrations']) as name;
