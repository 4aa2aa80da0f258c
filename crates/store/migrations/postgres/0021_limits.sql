-- Calls under the rate of a step: those that began, for as long as they are counted, and those that wait, in the order in which they came.
-- Moments are whole milliseconds: sums of them decide.

create table rate_turns (
    org_id uuid not null,
    no bigint generated always as identity,
    rate_key text collate "C" not null,
    -- Of a call that waits: its run and its step there. Null once it was let begin.
    run_id uuid,
    place bytea,
    -- When it was let begin, or for when it was told to ask again.
    at_ms bigint not null,
    counted_until_ms bigint not null,
    primary key (org_id, no)
);

create unique index rate_turns_waiting on rate_turns (org_id, rate_key, place) where place is not null;
create index rate_turns_in_line on rate_turns (org_id, rate_key, no) where place is not null;
create index rate_turns_begun on rate_turns (org_id, rate_key, at_ms) where place is null;
create index rate_turns_by_run on rate_turns (org_id, run_id) where run_id is not null;
create index rate_turns_by_end on rate_turns (org_id, counted_until_ms) where place is null;

select mainspring_protect('rate_turns');
