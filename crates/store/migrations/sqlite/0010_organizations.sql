-- What an organization keeps beside its plans and runs: the audit log, invitations, variables, and with whom plans are shared.

-- Who did what, in order. Nothing changes a row; retention and the end of the organization remove them. What belongs to no
-- organization, such as a login that failed, stands under the nil organization.
create table audit_log (
    no integer primary key,
    id blob not null unique,
    org_id blob not null,
    at integer not null,
    user_id blob,
    -- How the user came in (`session`, `key`, `dev`), or who else it was (`run`, `server`, `nobody`).
    actor text not null,
    -- Of the session, the key or the run.
    actor_id blob,
    address text,
    agent text,
    action text not null,
    outcome text not null,
    target_kind text,
    target_id text,
    before text,
    after text,
    request_id text
) strict;

create index audit_log_by_time on audit_log (org_id, at, id);
create index audit_log_by_user on audit_log (org_id, user_id, at, id);
create index audit_log_by_action on audit_log (org_id, action, at, id);
create index audit_log_by_target on audit_log (org_id, target_id, at, id);
create index audit_log_by_age on audit_log (at);

create table invitations (
    no integer primary key,
    id blob not null unique,
    org_id blob not null,
    -- Who invited.
    user_id blob not null,
    role text not null,
    -- SHA-256 of the token in the link.
    token_hash blob not null unique,
    -- Only whoever has this address may accept.
    email text,
    created_at integer not null,
    expires_at integer not null,
    -- `pending`, `accepted`, `declined`, `revoked`.
    state text not null,
    ended_at integer,
    ended_by blob
) strict;

create index invitations_by_org on invitations (org_id, no);

create table variables (
    org_id blob not null,
    -- An identifier, as expressions write it.
    name text not null,
    id blob not null,
    -- Who wrote it last.
    user_id blob not null,
    -- Of a plain one.
    value text,
    -- Of a secret one.
    sealed blob,
    created_at integer not null,
    updated_at integer not null,
    primary key (org_id, name)
) strict, without rowid;

-- A plan that is not the whole organization's: its owner and those named here reach it.
alter table plans add column private integer not null default 0;

create table plan_shares (
    org_id blob not null,
    plan_id blob not null,
    user_id blob not null,
    -- May change it, and not only see and start it.
    edits integer not null,
    created_at integer not null,
    primary key (org_id, plan_id, user_id)
) strict, without rowid;

create index plan_shares_by_user on plan_shares (org_id, user_id);

-- From when on an organization's rows are removed; until then its schedules and webhooks rest. Null: it goes on.
alter table organizations add column erase_at integer;

create index organizations_to_erase on organizations (erase_at) where erase_at is not null;
