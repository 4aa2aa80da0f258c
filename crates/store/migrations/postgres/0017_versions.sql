-- History of plans: drafts, who saved a version, when and why; and the file that a plan comes from.

-- The version that is worked on and that no trigger uses. A plan whose `version` is 0 has nothing but this.
alter table plans add column draft bigint;
-- The highest number that a version of the plan ever had.
alter table plans add column latest bigint not null default 0;
-- Below the folder of plan files.
alter table plans add column file text;
-- The owner is bound by the rows' policies as everybody is, and acts for no organization here.
alter table plans no force row level security;
alter table plan_versions no force row level security;
update plans set latest = version;

-- When it became the version that runs; null for a draft that never did.
alter table plan_versions add column published_at timestamptz;
alter table plan_versions add column user_id uuid;
alter table plan_versions add column note text;
-- The plan's name in it; null in versions of before.
alter table plan_versions add column name text;
update plan_versions set published_at = created_at;
-- History is kept from now on; what there is of it is history, not waste.
update plan_versions as v set retired_at = null where exists (select from plans as p where p.org_id = v.org_id and p.id = v.plan_id);

alter table plans force row level security;
alter table plan_versions force row level security;
