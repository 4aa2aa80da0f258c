-- Files: what is known of each. Their bytes lie in the folder "files", or in a bucket.

create table files (
    no integer primary key,
    org_id blob not null,
    id blob not null,
    user_id blob not null,
    name text not null,
    media_type text not null,
    size integer not null,
    sha256 text not null,
    created_at integer not null,
    expires_at integer,
    run_id blob,
    step text,
    -- The bytes are in a bucket.
    elsewhere integer not null,
    unique (org_id, id)
) strict;

create index files_of_organization on files (org_id, no, size);
create index files_by_end on files (expires_at) where expires_at is not null;

-- Bytes that no row of files speaks of: being written, or to be removed at this time.
create table file_uploads (
    org_id blob not null,
    file_id blob not null,
    due_at integer not null,
    primary key (org_id, file_id)
) strict, without rowid;

create index file_uploads_due on file_uploads (due_at);
