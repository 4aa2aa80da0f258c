-- Nodes are started with tags, and a run waits for one that serves the tag of its next step. A claim looks for the tags of its node
-- alone: ten thousand runs that nobody here may take cost it nothing.
alter table runs add column tag text not null default 'default';
drop index runs_queued;
create index runs_queued on runs (tag, due_at, id) where status = 'queued';
