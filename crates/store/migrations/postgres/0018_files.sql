-- Files: what is known of each, and their bytes unless these lie in a bucket.

create table files (
    org_id uuid not null,
    id uuid not null,
    user_id uuid not null,
    name text not null,
    media_type text not null,
    size bigint not null,
    sha256 text not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    run_id uuid,
    step text,
    -- The bytes are in a bucket.
    elsewhere boolean not null,
    primary key (org_id, id)
);

create index files_of_organization on files (org_id, created_at desc, id desc) include (size);
create index files_by_end on files (expires_at) where expires_at is not null;

create table file_chunks (
    org_id uuid not null,
    file_id uuid not null,
    no bigint not null,
    bytes bytea not null,
    primary key (org_id, file_id, no)
);

-- They are compressed already, or not worth it.
alter table file_chunks alter column bytes set storage external;

-- Bytes that no row of files speaks of: being written, or to be removed at this time.
create table file_uploads (
    org_id uuid not null,
    file_id uuid not null,
    due_at timestamptz not null,
    primary key (org_id, file_id)
);

create index file_uploads_due on file_uploads (due_at);

select mainspring_protect(name) from unnest(array['files', 'file_chunks', 'file_uploads']) as name;
