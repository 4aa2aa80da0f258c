-- What plans remember between runs. The organization's own state, which all of its plans share, has sixteen zero bytes as its plan.

create table state_values (
    no integer primary key,
    org_id blob not null,
    plan_id blob not null,
    name text not null,
    value text not null,
    updated_at integer not null,
    expires_at integer,
    unique (org_id, plan_id, name)
) strict;

create index state_values_by_end on state_values (expires_at) where expires_at is not null;

-- Items that a set has seen, as digests.
create table state_seen (
    no integer primary key,
    org_id blob not null,
    plan_id blob not null,
    set_name text not null,
    item blob not null,
    expires_at integer,
    unique (org_id, plan_id, set_name, item)
) strict;

create index state_seen_by_end on state_seen (expires_at) where expires_at is not null;

-- Steps that changed state at once, with what came of it: until their run has ended, each may be tried again.
create table state_done (
    no integer primary key,
    org_id blob not null,
    id blob not null,
    run_id blob not null,
    result text not null,
    created_at integer not null,
    unique (org_id, id)
) strict;

-- Results that steps may use again instead of calling.
create table step_results (
    no integer primary key,
    org_id blob not null,
    id blob not null,
    result text not null,
    expires_at integer not null,
    unique (org_id, id)
) strict;

create index step_results_by_end on step_results (expires_at);
