-- Copies of the whole store.

-- How far rows from elsewhere have arrived, as JSON; nobody serves such a database.
alter table store_state add column arriving text;
-- Where everything went; nobody serves it any more.
alter table store_state add column moved_to text;
