-- What triggers that look for what is new (poll, folder, email) remember between their looks.

create table trigger_states (
    org_id blob not null,
    plan_id blob not null,
    trigger_id text not null,
    -- What was seen, in a form of the trigger's kind.
    seen text not null,
    failures integer not null,
    failing_since integer,
    error text,
    worked_at integer,
    primary key (plan_id, trigger_id)
) strict, without rowid;

create index trigger_states_by_org on trigger_states (org_id);
create index trigger_states_failing on trigger_states (failures) where failures > 0;
