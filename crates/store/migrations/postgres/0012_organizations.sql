-- What an organization keeps beside its plans and runs: the audit log, invitations, variables, and with whom plans are shared.

-- Who did what, in order. Nothing changes a row; retention and the end of the organization remove them. What belongs to no
-- organization, such as a login that failed, stands under the nil organization.
create table audit_log (
    org_id uuid not null,
    id uuid not null,
    at timestamptz not null,
    user_id uuid,
    -- How the user came in (`session`, `key`, `dev`), or who else it was (`run`, `server`, `nobody`).
    actor text not null,
    -- Of the session, the key or the run.
    actor_id uuid,
    address text,
    agent text,
    action text not null,
    action_key text not null,
    outcome text not null,
    target_kind text,
    target_id text,
    target_key text,
    before json,
    after json,
    request_id text,
    primary key (org_id, id)
);

create index audit_log_by_time on audit_log (org_id, at, id);
create index audit_log_by_user on audit_log (org_id, user_id, at, id);
create index audit_log_by_action on audit_log (org_id, action_key, at, id);
create index audit_log_by_target on audit_log (org_id, target_key, at, id);
create index audit_log_by_age on audit_log (at);

create table invitations (
    org_id uuid not null,
    id uuid not null,
    -- Who invited.
    user_id uuid not null,
    role text not null,
    -- SHA-256 of the token in the link.
    token_hash bytea not null,
    -- Only whoever has this address may accept.
    email text,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    -- `pending`, `accepted`, `declined`, `revoked`.
    state text not null,
    ended_at timestamptz,
    ended_by uuid,
    primary key (org_id, id),
    unique (org_id, token_hash)
);

create index invitations_by_hash on invitations (token_hash);

create table variables (
    org_id uuid not null,
    -- An identifier, as expressions write it.
    name text not null,
    id uuid not null,
    -- Who wrote it last.
    user_id uuid not null,
    -- Of a plain one.
    value json,
    -- Of a secret one.
    sealed bytea,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (org_id, name)
);

-- A plan that is not the whole organization's: its owner and those named here reach it.
alter table plans add column private boolean not null default false;

create table plan_shares (
    org_id uuid not null,
    plan_id uuid not null,
    user_id uuid not null,
    -- May change it, and not only see and start it.
    edits boolean not null,
    created_at timestamptz not null,
    primary key (org_id, plan_id, user_id)
);

create index plan_shares_by_user on plan_shares (org_id, user_id);

-- From when on an organization's rows are removed; until then its schedules and webhooks rest. Null: it goes on.
alter table organizations add column erase_at timestamptz;

create index organizations_to_erase on organizations (erase_at) where erase_at is not null;

select mainspring_protect(name) from unnest(array['audit_log', 'invitations', 'variables', 'plan_shares']) as name;
