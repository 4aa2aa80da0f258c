-- Places: how many runs of an organization may be at work. What has none is set aside until one is free.

-- The organization's own limit; null where it has none.
alter table organizations add column places integer;

create index organizations_with_places on organizations (org_id) where places is not null;

-- Of a queued one that is due at no time because its organization has no place for it.
alter table runs add column set_aside integer not null default 0;

create index runs_set_aside on runs (org_no, (cancel_by is null), priority desc, created_at, no) where set_aside = 1;
