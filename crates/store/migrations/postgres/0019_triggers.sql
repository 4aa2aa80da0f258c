-- What triggers that look for what is new (poll, folder, email) remember between their looks.

create table trigger_states (
    org_id uuid not null,
    plan_id uuid not null,
    trigger_id text not null,
    -- What was seen, in a form of the trigger's kind.
    seen json not null,
    failures integer not null,
    failing_since timestamptz,
    error json,
    worked_at timestamptz,
    primary key (org_id, plan_id, trigger_id)
);

create index trigger_states_failing on trigger_states (failures) where failures > 0;

select mainspring_protect(name) from unnest(array['trigger_states']) as name;
