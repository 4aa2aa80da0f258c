-- Days of the journal: made ahead of need, dropped when no run of theirs is left. The functions run as the owner of the schema,
-- so that the role of a node needs to own nothing; each looks itself whether what it is asked for may be done.

-- The first id that a run of this day can have: the milliseconds of midnight UTC, and nothing after them.
create function mainspring_day_start(day date) returns uuid language sql immutable return
    (lpad(to_hex((extract(epoch from day)::bigint) * 1000), 12, '0') || repeat('0', 20))::uuid;

-- Whether a run of these ids exists, whoever owns it. Belongs to the queue's role, which alone may look across tenants.
create function mainspring_has_runs(first uuid, after uuid) returns boolean language sql stable security definer
    set search_path = public, pg_temp
    as $$ select exists (select 1 from runs where id >= first and id < after) $$;

-- True when the day was made; false when it is there, or when rows of it lie in journal_rest already and stay there.
create function mainspring_make_day(day date) returns boolean language plpgsql security definer
    set search_path = public, pg_temp as $$
declare
    name text := 'journal_' || to_char(day, 'YYYYMMDD');
begin
    if day < (clock_timestamp() at time zone 'UTC')::date - 1 or day > (clock_timestamp() at time zone 'UTC')::date + 14 then
        raise exception 'days are made from yesterday to two weeks ahead, not %', day using errcode = 'invalid_parameter_value';
    end if;
    -- Asked of the catalogue: to_regclass remembers what was not there before the lock.
    if exists (select from pg_class where relname = name and relnamespace = 'public'::regnamespace) then
        return false;
    end if;
    perform pg_advisory_xact_lock(1835103092, 2);
    if exists (select from pg_class where relname = name and relnamespace = 'public'::regnamespace) then
        return false;
    end if;
    -- Needs the whole table for a moment: better later than long, there are days to go.
    perform set_config('lock_timeout', '2000', true);
    begin
        execute format('create table %I partition of journal for values from (%L) to (%L)',
            name, mainspring_day_start(day), mainspring_day_start(day + 1));
    exception when check_violation then
        return false;
    end;
    perform mainspring_protect(name);
    return true;
end
$$;

-- True when the day was dropped; false when it is not there, not over for a day, or a run of it is left.
create function mainspring_drop_day(day date) returns boolean language plpgsql security definer
    set search_path = public, pg_temp as $$
declare
    name text := 'journal_' || to_char(day, 'YYYYMMDD');
begin
    if to_regclass('public.' || name) is null or day > (clock_timestamp() at time zone 'UTC')::date - 2 then
        return false;
    end if;
    if mainspring_has_runs(mainspring_day_start(day), mainspring_day_start(day + 1)) then
        return false;
    end if;
    -- Looked at again behind the lock: whoever wrote to this day before it has committed, whoever comes later writes elsewhere.
    -- The whole table first, as every reader and writer locks it; only for a moment, and never waited for long.
    perform set_config('lock_timeout', '500', true);
    lock table only journal in access exclusive mode;
    execute format('lock table %I in access exclusive mode', name);
    if mainspring_has_runs(mainspring_day_start(day), mainspring_day_start(day + 1)) then
        return false;
    end if;
    execute format('drop table %I', name);
    return true;
end
$$;

revoke all on function mainspring_has_runs(uuid, uuid) from public;
revoke all on function mainspring_make_day(date) from public;
revoke all on function mainspring_drop_day(date) from public;
