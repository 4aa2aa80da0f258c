-- Runs that are held back: by the limit of their plan, until an admission lets them begin, or because somebody paused them.

alter table runs add column priority integer not null default 0;
-- Of the plan and its key, hashed; null where the plan has no limit.
alter table runs add column flow_key text;
alter table runs add column flow_limit integer;
alter table runs add column flow_policy text;
-- `held` (a queued one is due at no time, and so is claimed by nobody), `live`, or `refused`: it is claimed to be ended.
alter table runs add column flow_state text;
-- For whose sake it was refused.
alter table runs add column flow_by blob;
alter table runs add column pause_asked integer not null default 0;

-- Of runs under a limit that have not ended, in the order in which they begin.
create index runs_flow on runs (org_no, flow_key, flow_state, priority desc, no) where flow_key is not null and finished_at is null;
create index runs_flow_held on runs (org_no, flow_key) where flow_state = 'held' and finished_at is null;
create index runs_to_pause on runs (no) where pause_asked = 1 and status = 'running';
