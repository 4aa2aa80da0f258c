//! Attempts to reach another organization's rows past the store: generated statements by the nodes' own role, none of which
//! may see or change a row.

use mainspring_model::store::Health;
use mainspring_store::postgres::PostgresStore;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use super::database::Database;
use super::settled::settle;
use crate::suite::make::{START, World, owner};

/// How many; the environment may ask for more.
const ATTEMPTS: u32 = 20_000;
const COUNT: &str = "MAINSPRING_TEST_BYPASS_ATTEMPTS";
/// In every text of the one whose rows are wanted.
const MARK: &str = "bravo-only";

#[expect(clippy::disallowed_methods, reason = "a longer run is asked for by hand")]
fn attempts() -> u32 {
    std::env::var(COUNT).map_or(ATTEMPTS, |text| text.parse().expect("a number"))
}

/// Tables whose rows belong to the installation, which no organization may see.
const OF_THE_INSTALLATION: [&str; 9] = [
    "feature_flags",
    "login_attempts",
    "one_time_tokens",
    "outside_identities",
    "recovery_codes",
    "refresh_tokens",
    "second_factors",
    "sessions",
    "users",
];

/// All of an organization's rows, and the installation's, as a superuser sees them.
async fn everything(tables: &[Table], org: &str, server: &mut PgConnection) -> Vec<String> {
    let mut all = Vec::new();
    for Table { name, .. } in tables {
        let org = if OF_THE_INSTALLATION.contains(&name.as_str()) { "00000000-0000-0000-0000-000000000000" } else { org };
        let sql = format!("select t::text from {name} as t where org_id = '{org}' order by 1");
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *server).await.unwrap();
        assert!(!rows.is_empty() || name.starts_with("journal_2"), "{name} has a row to aim at");
        all.extend(rows.into_iter().map(|row| format!("{name} {row}")));
    }
    all
}

struct Table {
    name: String,
    /// Those that can be inserted.
    columns: Vec<String>,
}

async fn tables(server: &mut PgConnection) -> Vec<Table> {
    let rows = sqlx::query(
        "select c.relname::text, array_agg(a.attname::text order by a.attnum) filter (where a.attgenerated = '') from pg_class as c \
         join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') \
         and exists (select from pg_attribute as o where o.attrelid = c.oid and o.attname = 'org_id') group by 1 order by 1",
    )
    .fetch_all(server)
    .await
    .unwrap();
    rows.iter().map(|row| Table { name: row.get(0), columns: row.get(1) }).collect()
}

/// A small generator of our own: the same statements each time.
struct Dice(u64);

impl Dice {
    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        &all[usize::try_from(self.0 >> 33).unwrap() % all.len()]
    }
}

/// One statement that would give or change a row of `theirs`, were it not for the policies. `None` of them gives a row otherwise.
fn statement(dice: &mut Dice, tables: &[Table], mine: &str, theirs: &str, queue: &str) -> String {
    let table = dice.of(tables);
    let (t, u) = (&table.name, &dice.of(tables).name);
    let column = dice.of(&table.columns);
    let theirs = match dice.of(&[0, 1, 2, 3]) {
        0 => format!("'{theirs}'"),
        1 => format!("upper('{theirs}')::uuid"),
        2 => format!("(array['{mine}', '{theirs}']::uuid[])[2]"),
        _ => format!("('{theirs}'::text)::uuid"),
    };
    let others = table.columns.iter().map(|c| if c == "org_id" { theirs.clone() } else { c.clone() }).collect::<Vec<_>>().join(", ");
    let columns = table.columns.join(", ");
    let (first, rest) = ("org_id", &columns);
    match dice.of(&(0..32).collect::<Vec<u8>>()) {
        0 => format!("select {column} from {t} where org_id = {theirs}"),
        1 => format!("select * from {t} where org_id <> '{mine}'"),
        2 => format!("select 1 from {t} where {t}::text like '%{MARK}%'"),
        3 => format!("select a.{column} from {t} as a join {u} as b on a.org_id = b.org_id where b.org_id = {theirs}"),
        4 => format!("select a.org_id from {t} as a left join {u} as b on true where a.org_id = {theirs} or b.org_id = {theirs}"),
        5 => format!("with x as materialized (select * from {t}) select 1 from x where org_id = {theirs}"),
        6 => format!("select 1 where exists (select from {t} where org_id = {theirs})"),
        7 => format!(
            "select x.* from (values ({theirs})) as v (o) cross join lateral (select {column} from {t} where org_id = v.o::uuid) as x"
        ),
        8 => format!("select {column} from {t} where org_id = {theirs} for update"),
        9 => format!("select 1 from {t} where org_id = {theirs} union all select 1 from {u} where org_id = {theirs}"),
        10 => format!("select * from execution_logs where org_id = {theirs} or user_id::text like '%7d2' or message like '%{MARK}%'"),
        11 => format!("select 1 from execution_logs as l join {t} as a on a.org_id = l.org_id where a.org_id = {theirs}"),
        12 => format!(
            "select {column} from {t} where ctid = any (array(select format('(0,%s)', n)::tid from generate_series(1, 50) as n)) and org_id = {theirs}"
        ),
        13 => format!("select 1 from {t} where pg_temp.leak(org_id::text)"),
        14 => format!("select 1 from {t} where 1 / (case when org_id = {theirs} then 0 else 1 end) > 1"),
        15 => format!("update {t} set {column} = {column} where org_id = {theirs} returning *"),
        16 => format!("update {t} set org_id = {theirs} where org_id = '{mine}' returning *"),
        17 => format!("update {t} as a set {column} = a.{column} from {u} as b where a.org_id = {theirs} returning a.org_id"),
        18 => format!("delete from {t} where org_id = {theirs} returning *"),
        19 => format!("delete from {t} where {t}::text like '%{MARK}%' returning *"),
        20 => format!("delete from {t} as a using {u} as b where a.org_id = {theirs} and b.org_id = '{mine}' returning a.*"),
        21 => format!("insert into {t} ({columns}) select {others} from {t} returning *"),
        22 => format!("insert into {t} ({columns}) select {others} from {t} on conflict do nothing returning *"),
        23 => format!("insert into {t} (org_id) values ({theirs}) on conflict do nothing returning {first}"),
        24 => format!(
            "insert into {t} ({rest}) select {others} from {t} union all select {columns} from {t} where org_id = {theirs} returning 1"
        ),
        25 => format!("merge into {t} as a using (select {theirs}::uuid as o) as v on a.org_id = v.o when matched then delete"),
        26 => format!("merge into {t} as a using {t} as b on a.org_id = {theirs} when matched then update set {column} = a.{column}"),
        27 => format!("truncate {t}"),
        28 => format!("set role {queue}; select * from {t} where org_id = {theirs}; reset role"),
        29 => format!("set role {queue}; delete from {t} where org_id = {theirs}; reset role"),
        30 => format!("set role {queue}; insert into {t} ({columns}) select {others} from {t} where org_id = {theirs}; reset role"),
        _ => {
            let tricks = [
                format!("set row_security = off; select 1 from {t} where org_id = {theirs}"),
                format!("alter table {t} disable row level security"),
                format!("alter table {t} no force row level security"),
                format!("create policy mine on {t} using (true)"),
                format!("drop policy tenant on {t}"),
                format!("grant select on {t} to public"),
                "select 1 where mainspring_drop_day((clock_timestamp() at time zone 'UTC')::date)".to_owned(),
                format!("select 1 from {t} where org_id = {theirs} and set_config('mainspring.org', '{mine}', true) is not null"),
                format!("set session authorization {queue}"),
                format!("copy (select 1 from {t} where org_id = {theirs}) to program 'true'"),
                format!("create rule r as on select to {t} do instead select 1"),
            ];
            dice.of(&tricks).clone()
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_reaches_another_organization() {
    let database = Database::make().await;
    let store = PostgresStore::open(database.options()).await.unwrap();
    let clock = mainspring_model::clock::FakeClock::at(START);
    let world = World::new(store.clone(), clock, tempfile::tempdir().unwrap());
    settle(&world, owner(1), 1, "alpha").await;
    settle(&world, owner(2), 2, MARK).await;
    let (mine, theirs) = (owner(1).org.to_string(), owner(2).org.to_string());
    let mut server = database.beside().await;
    let tables = tables(&mut server).await;
    let before = everything(&tables, &theirs, &mut server).await;
    assert!(before.len() > tables.len() / 2);
    let queue: String = sqlx::query_scalar("select 'mainspring_queue_' || oid from pg_database where datname = current_database()")
        .fetch_one(&mut server)
        .await
        .unwrap();

    let mut trial = Trial {
        role: PgConnection::connect(&database.url(&database.runtime, "runtime")).await.unwrap(),
        dice: Dice(20_260_801),
        refused: 0,
        empty: 0,
    };
    // Cheap, so that a planner that trusted it would run it first; it tells what it sees by failing.
    let leak = "create function pg_temp.leak(text) returns boolean language plpgsql cost 0.0000001 as \
         $$ begin if $1 like '%7d2' or $1 like '%3ea' then raise exception 'leaked %', $1; end if; return false; end $$";
    trial.role.execute(leak).await.unwrap();
    let found = trial.run(attempts(), &tables, [&mine, &theirs], &queue).await;
    assert_eq!(found, None, "a row was reached");
    assert_eq!(everything(&tables, &theirs, &mut server).await, before, "no row was changed");
    assert!(trial.refused > 100 && trial.empty > 100, "{} refused, {} empty: both kinds were tried", trial.refused, trial.empty);
    // The trial can fail: one table without its policy is found.
    server.execute("alter table credentials disable row level security").await.unwrap();
    let found = trial.run(2_000, &tables, [&mine, &theirs], &queue).await;
    assert!(found.is_some_and(|sql| sql.contains("credentials")));
    store.close().await;
}

struct Trial {
    role: PgConnection,
    dice: Dice,
    refused: u32,
    empty: u32,
}

impl Trial {
    /// The first statement that reached something, if one did.
    async fn run(&mut self, attempts: u32, tables: &[Table], [mine, theirs]: [&str; 2], queue: &str) -> Option<String> {
        // Nobody's organization among them; the nil one is the installation, and no request acts for it.
        let scopes = [mine, mine, "", "garbage", "ffffffff-ffff-ffff-ffff-ffffffffffff", "''; drop table runs; --"];
        for n in 0..attempts {
            let scope = *self.dice.of(&scopes);
            if n % 7 == 0 {
                let sql = format!("reset role; reset row_security; select set_config('mainspring.org', '{scope}', false)");
                self.role.execute(AssertSqlSafe(sql)).await.unwrap();
            }
            let sql = statement(&mut self.dice, tables, mine, theirs, queue);
            // Undone each time, whatever it did to the tenant's own rows: the next one finds them as they were.
            let rows = sqlx::raw_sql(AssertSqlSafe(format!("begin; {sql}"))).fetch_all(&mut self.role).await;
            let reached = match &rows {
                // Some of the queue's own tables have nothing but the queue's columns.
                Ok(rows) if sql.starts_with("set role") => !(sql.contains("select *") && rows.iter().all(|row| row.len() < 12)),
                Ok(rows) => !rows.is_empty(),
                Err(error) => error.to_string().contains("leaked") || error.to_string().contains("division"),
            };
            self.role.execute("rollback").await.unwrap();
            if reached {
                return Some(sql);
            }
            *(if rows.is_ok() { &mut self.empty } else { &mut self.refused }) += 1;
        }
        None
    }
}
