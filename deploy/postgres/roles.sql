-- Run once, by the image's first start, as the superuser: the two roles and their database. `mainspring migrate up` does the rest.
--
-- Nodes log in as a role that owns nothing and that row-level security binds. The owner makes the tables; only `migrate` has its
-- password. CREATEROLE lets it make the role of the queue, which sees rows of all organizations, but no content.

\getenv owner_password OWNER_PASSWORD
\getenv node_password NODE_PASSWORD

create role mainspring_owner login createrole nosuperuser nobypassrls password :'owner_password';
create role mainspring_node login nosuperuser nobypassrls nocreaterole nocreatedb password :'node_password';
create database mainspring owner mainspring_owner;
revoke all on database mainspring from public;
grant connect on database mainspring to mainspring_node;
