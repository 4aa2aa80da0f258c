-- Firings that wait for others of their burst: each is a run whose `flow_state` is `burst`, due at no time until its burst closes.

alter table runs add column burst_key text;

create index runs_burst on runs (org_no, burst_key, no) where flow_state = 'burst';

-- Bursts that have not closed. The key is of the plan, the trigger and what its own key gave, hashed.
create table bursts (
    org_id blob not null,
    burst_key text not null,
    -- How they are gathered, as the newest firing's plan says.
    gather text not null,
    opened_at integer not null,
    due_at integer not null,
    firings integer not null,
    bytes integer not null,
    primary key (org_id, burst_key)
) strict, without rowid;

create index bursts_by_due on bursts (due_at);
