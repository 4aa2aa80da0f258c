//! Filling an empty database with the rows of another store.

use async_trait::async_trait;
use mainspring_model::id::OrgId;
use mainspring_model::store::StoreError;
use mainspring_model::store::copy::{Arrived, Cell, Destination, Head, Kind, Row, Sink, Table};
use serde_json::Value;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Row as _};
use uuid::Uuid;

use super::copy_sql::{COUNTS, More, insert, more};
use super::departure::{hold, marks};
use super::error::Fail;
use super::open::{OpenOptions, Target};
use super::session::{Scope, Terms};
use super::values::{Stamp, kept, key};
use super::{days, roll_back};
use crate::copy::arriving::{Arriving, Filling, advance, counted};
use crate::shared::json;

/// A database that is being filled. While it is whole or nothing, one transaction keeps nodes from registering.
pub struct Import {
    connection: PgConnection,
    terms: Terms,
    head: Head,
    arrived: Arrived,
    filling: Filling,
}

impl Import {
    /// Makes the tables when there are none. `head` is the source's.
    ///
    /// # Errors
    /// `NotEmpty`, `InUse`, `Incomplete` (from another source), `Moved`, and those of opening.
    pub async fn begin(options: &OpenOptions, head: &Head, filling: Filling) -> Result<Import, StoreError> {
        let target = Target::of(options)?;
        let begun = async {
            let (roles, _, mut connection) = target.prepare(options).await?;
            days::make(&mut connection).await?;
            let terms = target.terms(roles.queue, options);
            hold(&target.place, &mut connection).await?;
            let arrived = begin(&target.place, head, filling, &terms, &mut connection).await?;
            if filling == Filling::Stepwise {
                sqlx::raw_sql("commit").execute(&mut connection).await?;
            }
            Ok::<_, Fail>(Import { connection, terms, head: head.clone(), arrived, filling })
        };
        begun.await.map_err(|fail| fail.stored(&target.place))
    }

    async fn write(&mut self, table: &'static Table, rows: &[Row]) -> Result<(), Fail> {
        if self.filling == Filling::Stepwise {
            self.terms.begin(Scope::Nobody, true, None, &mut self.connection).await?;
            // Another copy under way would have gone on from here.
            let locked = sqlx::query("select arriving from public.store_state for update").persistent(false);
            let there: Option<String> = locked.fetch_one(&mut self.connection).await?.try_get(0)?;
            if there.as_deref() != Some(&*Arriving::new(&self.head.place, &self.arrived).text()?) {
                return Err(StoreError::Conflict("another copy into this database is under way".to_owned()).into());
            }
        }
        let org = match rows.first().and_then(|row| row.first()) {
            Some(Cell::Bytes(org)) => Uuid::from_slice(org).map_err(|_| Fail::damaged("an organization's id"))?,
            _ => return Err(Fail::damaged("an organization's id")),
        };
        self.terms.enter(Scope::Org(OrgId(org)), &mut self.connection).await?;
        let sql = insert(table);
        let query = sqlx::query(AssertSqlSafe(sql)).persistent(self.terms.prepared);
        bound(table, rows, query)?.execute(&mut self.connection).await?;
        advance(&mut self.arrived, table, rows);
        if self.filling == Filling::Stepwise {
            self.terms.enter(Scope::Nobody, &mut self.connection).await?;
            note(&Arriving::new(&self.head.place, &self.arrived), &mut self.connection).await?;
            sqlx::raw_sql("commit").execute(&mut self.connection).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Sink for Import {
    async fn take(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<(), StoreError> {
        let written = self.write(table, &rows).await;
        if written.is_err() {
            roll_back(&mut self.connection).await;
        }
        written.map_err(|fail| fail.stored(&self.terms.place))
    }
}

#[async_trait]
impl Destination for Import {
    fn arrived(&self) -> Arrived {
        self.arrived.clone()
    }

    async fn finish(self: Box<Self>) -> Result<(), StoreError> {
        let place = self.terms.place.clone();
        self.publish().await.map_err(|fail| fail.stored(&place))
    }
}

impl Import {
    async fn publish(mut self) -> Result<(), Fail> {
        if self.filling == Filling::Stepwise {
            self.terms.begin(Scope::Nobody, true, None, &mut self.connection).await?;
        }
        self.terms.enter(Scope::Nobody, &mut self.connection).await?;
        sqlx::query("update public.store_state set canary = $1, arriving = null, plans_revision = plans_revision + 1")
            .persistent(false)
            .bind(self.head.canary.as_deref())
            .execute(&mut self.connection)
            .await?;
        sqlx::raw_sql("commit").execute(&mut self.connection).await?;
        self.connection.close().await?;
        Ok(())
    }
}

/// Goes on where an interrupted copy of this source was, or begins in an empty database.
async fn begin(place: &str, head: &Head, filling: Filling, terms: &Terms, connection: &mut PgConnection) -> Result<Arrived, Fail> {
    let place = place.to_owned();
    match marks(connection).await? {
        (Some(arriving), _) if filling == Filling::Stepwise && arriving.from == head.place => return Ok(arriving.arrived()),
        (Some(arriving), _) => return Err(StoreError::Incomplete { place, from: arriving.from }.into()),
        (None, Some(to)) => return Err(StoreError::Moved { place, to }.into()),
        (None, None) => {}
    }
    terms.enter(Scope::Queue, connection).await?;
    let mut found = Vec::new();
    for (name, sql) in COUNTS {
        let count: i64 = sqlx::query(*sql).persistent(false).fetch_one(&mut *connection).await?.try_get(0)?;
        if count > 0 {
            found.push((*name, count));
        }
    }
    terms.enter(Scope::Nobody, connection).await?;
    if !found.is_empty() {
        return Err(StoreError::NotEmpty { place, found: counted(&found) }.into());
    }
    note(&Arriving::new(&head.place, &Arrived::default()), connection).await?;
    Ok(Arrived::default())
}

async fn note(arriving: &Arriving, connection: &mut PgConnection) -> Result<(), Fail> {
    let query = sqlx::query("update public.store_state set arriving = $1").persistent(false);
    query.bind(arriving.text()?).execute(connection).await?;
    Ok(())
}

type Bound<'q> = Query<'q, Postgres, PgArguments>;

/// An array for each column, and for each text that this database has beside the form.
fn bound<'q>(table: &Table, rows: &[Row], mut query: Bound<'q>) -> Result<Bound<'q>, Fail> {
    for (at, (_, kind)) in table.columns.iter().enumerate() {
        let all = || rows.iter().map(move |row| &row[at]);
        query = match kind {
            Kind::Id => query.bind(all().map(id).collect::<Result<Vec<_>, _>>()?),
            Kind::Whole => query.bind(all().map(whole).collect::<Vec<_>>()),
            Kind::Flag => query.bind(all().map(|cell| whole(cell).map(|flag| flag != 0)).collect::<Vec<_>>()),
            Kind::Moment => query.bind(all().map(|cell| whole(cell).map(Stamp)).collect::<Vec<_>>()),
            Kind::Text => query.bind(all().map(|cell| text(cell).map(|text| kept(text).into_owned())).collect::<Vec<_>>()),
            Kind::Key => query.bind(all().map(|cell| text(cell).map(|text| key(text).into_owned())).collect::<Vec<_>>()),
            Kind::Json => query.bind(all().map(|cell| text(cell).map(str::to_owned)).collect::<Vec<_>>()),
            Kind::Bytes => query.bind(all().map(bytes).collect::<Vec<_>>()),
        };
    }
    let column = |name: &str| table.columns.iter().position(|(column, _)| *column == name);
    for (_, more) in more(table.name) {
        let of = |row: &'_ Row, name: &str| column(name).and_then(|at| text(&row[at]).map(str::to_owned)).unwrap_or_default();
        let texts: Vec<String> = match more {
            More::Sql(_) => continue,
            More::Key(name) => rows.iter().map(|row| key(&of(row, name)).into_owned()).collect(),
            More::Type(name) => rows.iter().map(|row| kind_of(&of(row, name))).collect::<Result<_, Fail>>()?,
        };
        query = query.bind(texts);
    }
    Ok(query)
}

fn kind_of(trigger: &str) -> Result<String, Fail> {
    let trigger: Value = json::json(trigger)?;
    Ok(kept(trigger["type"].as_str().unwrap_or_default()).into_owned())
}

fn id(cell: &Cell) -> Result<Option<Uuid>, Fail> {
    bytes(cell).map(|bytes| Uuid::from_slice(&bytes).map_err(|_| Fail::damaged("an id"))).transpose()
}

fn whole(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Whole(number) => Some(*number),
        _ => None,
    }
}

fn text(cell: &Cell) -> Option<&str> {
    match cell {
        Cell::Text(text) => Some(text),
        _ => None,
    }
}

fn bytes(cell: &Cell) -> Option<Vec<u8>> {
    match cell {
        Cell::Bytes(bytes) => Some(bytes.clone()),
        _ => None,
    }
}
