-- Firings that wait for others of their burst: each is a run whose `flow_state` is `burst`, due at no time until its burst closes.

alter table runs add column burst_key text;

create index runs_burst on runs (org_id, burst_key, created_ms, id) where flow_state = 'burst';

-- Bursts that have not closed. The key is of the plan, the trigger and what its own key gave, hashed.
create table bursts (
    org_id uuid not null,
    burst_key text collate "C" not null,
    -- How they are gathered, as the newest firing's plan says.
    gather json not null,
    opened_at timestamptz not null,
    due_at timestamptz not null,
    firings bigint not null,
    bytes bigint not null,
    primary key (org_id, burst_key)
);

create index bursts_by_due on bursts (due_at);

select mainspring_protect('bursts');
