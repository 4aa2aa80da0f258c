-- Which fields of run data an organization hides, and from which role on they are seen.
create table hidden_fields (
    org_id blob not null,
    position integer not null,
    field text not null,
    least text not null,
    primary key (org_id, position)
) strict, without rowid;
