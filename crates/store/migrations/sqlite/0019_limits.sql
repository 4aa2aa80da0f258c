-- Calls under the rate of a step: those that began, for as long as they are counted, and those that wait, in the order in which they came.

create table rate_turns (
    no integer primary key,
    org_id blob not null,
    rate_key text not null,
    -- Of a call that waits: its run and its step there. Null once it was let begin.
    run_id blob,
    place blob,
    -- When it was let begin, or for when it was told to ask again.
    at integer not null,
    counted_until integer not null
) strict;

create unique index rate_turns_waiting on rate_turns (org_id, rate_key, place) where place is not null;
create index rate_turns_in_line on rate_turns (org_id, rate_key, no) where place is not null;
create index rate_turns_begun on rate_turns (org_id, rate_key, at) where place is null;
create index rate_turns_by_run on rate_turns (run_id) where run_id is not null;
create index rate_turns_by_end on rate_turns (counted_until) where place is null;
