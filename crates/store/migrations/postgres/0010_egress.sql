-- What an organization's plans may reach, when it says so itself.

create table egress_rules (
    org_id uuid not null,
    host text not null,
    note text not null,
    user_id uuid not null,
    created_at timestamptz not null,
    primary key (org_id, host)
);

select mainspring_protect('egress_rules');
