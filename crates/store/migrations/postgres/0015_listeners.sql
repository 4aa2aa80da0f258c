-- Triggers that listen: a schedule whose rule is `on <topic>`, found when a signal of that topic comes.

create index schedules_by_rule on schedules (org_id, expression);
