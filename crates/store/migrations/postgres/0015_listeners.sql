-- Triggers that listen: a schedule whose rule is `on <topic>`, found when a signal of that topic comes.
-- Only of those: as an index of all schedules of an organization it would be taken for other questions too, and read all of them.

create index schedules_by_rule on schedules (org_id, expression) where starts_with(expression, 'on ');
