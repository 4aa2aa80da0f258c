-- What plans remember between runs. The organization's own state, which all of its plans share, has the nil id as its plan.

create table state_values (
    org_id uuid not null,
    plan_id uuid not null,
    name text collate "C" not null,
    value json not null,
    updated_at timestamptz not null,
    expires_at timestamptz,
    primary key (org_id, plan_id, name)
);

create index state_values_by_end on state_values (expires_at, org_id) where expires_at is not null;

-- Items that a set has seen, as digests.
create table state_seen (
    org_id uuid not null,
    plan_id uuid not null,
    set_name text collate "C" not null,
    item bytea not null,
    expires_at timestamptz,
    primary key (org_id, plan_id, set_name, item)
);

create index state_seen_by_end on state_seen (expires_at, org_id) where expires_at is not null;

-- Steps that changed state at once, with what came of it: until their run has ended, each may be tried again.
create table state_done (
    org_id uuid not null,
    id uuid not null,
    run_id uuid not null,
    result json not null,
    created_at timestamptz not null,
    primary key (org_id, id)
);

-- Results that steps may use again instead of calling.
create table step_results (
    org_id uuid not null,
    id bytea not null,
    result json not null,
    expires_at timestamptz not null,
    primary key (org_id, id)
);

create index step_results_by_end on step_results (expires_at, org_id);

select mainspring_protect(name) from unnest(array['state_values', 'state_seen', 'state_done', 'step_results']) as name;
