-- What an organization's plans may reach, when it says so itself.

create table egress_rules (
    no integer primary key,
    org_id blob not null,
    host text not null,
    note text not null,
    user_id blob not null,
    created_at integer not null,
    unique (org_id, host)
) strict;
