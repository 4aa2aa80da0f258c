-- Runs that are held back: by the limit of their plan, until an admission lets them begin, or because somebody paused them.

alter table runs
    add column priority smallint not null default 0,
    -- Of the plan and its key, hashed; null where the plan has no limit.
    add column flow_key text,
    add column flow_limit integer,
    add column flow_policy text,
    -- `held` (a queued one is due at no time, and so is claimed by nobody), `live`, or `refused`: it is claimed to be ended.
    add column flow_state text,
    -- For whose sake it was refused.
    add column flow_by uuid,
    add column pause_asked boolean not null default false;

-- Of runs under a limit that have not ended, in the order in which they begin.
create index runs_flow on runs (org_id, flow_key, flow_state, priority desc, created_ms, id)
    where flow_key is not null and finished_at is null;
create index runs_flow_held on runs (org_id, flow_key) where flow_state = 'held' and finished_at is null;
create index runs_to_pause on runs (epoch) where pause_asked and status = 'running';
