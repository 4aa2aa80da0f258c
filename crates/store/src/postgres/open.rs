//! Opening: the server, the role, the migrations and the node's own row, each refusal in words that say what to do.

use std::str::FromStr;
use std::sync::atomic::AtomicU8;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mainspring_model::clock::Clock;
use mainspring_model::run::UNTAGGED;
use mainspring_model::store::{FileBytes, Migrations, StoreError};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};

use super::breaker::Breaker;
use super::claims::Floor;
use super::error::Fail;
use super::lease::Keeper;
use super::nodes::Node;
use super::notices::Notices;
use super::pools::{Lane, Tally};
use super::rights::{self, Roles};
use super::session::Terms;
use super::writer::Writers;
use super::{PostgresStore, days, departure, migrations, trust};

/// Migrations may take long, and several nodes take turns; but not for ever.
const PREPARING: Duration = Duration::from_secs(600);

/// How a store is opened. Two addresses keep the nodes' role from owning anything; with one, that role may own the schema.
#[derive(Clone)]
pub struct OpenOptions {
    /// The address that nodes log in with, with its password: `postgres://role:password@host:port/database?sslmode=…`.
    pub url: String,
    /// The address of the role that owns the schema (`MIGRATE_DATABASE_URL`), used while opening and for nothing else.
    pub migrate_url: Option<String>,
    /// Apply what is missing; without it a database with pending migrations is refused.
    pub auto_migrate: bool,
    /// This process will drive runs: it registers as a node and renews its lease.
    pub drives: bool,
    /// What the node serves: it claims runs that were queued for one of these.
    pub tags: Vec<String>,
    /// How many runs of each organization may be at work, over all nodes; as many as there are when `None`.
    pub places: Option<u32>,
    /// Refuse a login role that owns the schema, instead of a warning.
    pub production: bool,
    /// How long a silent node counts as alive, by the database's clock. Renewed every third of it.
    pub lease: Duration,
    /// Between two looks for nodes whose lease is over; `None`: only when asked ([`PostgresStore::sweep`]).
    pub sweep: Option<Duration>,
    /// Of each statement, of waiting for a connection, and of a transaction that is not a writer's.
    pub deadline: Duration,
    /// Writing connections of runs, each with a thread.
    pub writers: u32,
    /// Connections for what the interface asks.
    pub api: u32,
    /// Connections for what the engine asks: claims, histories, blobs.
    pub steps: u32,
    /// Keep prepared statements. Turn it off behind a pooler in transaction mode that does not carry them.
    pub prepared: bool,
    /// Instead of the database's clock, in tests. Leases go by the database's all the same.
    pub clock: Option<Arc<dyn Clock>>,
    /// Where the bytes of files go instead of their table.
    pub objects: Option<Arc<dyn FileBytes>>,
}

impl OpenOptions {
    /// For a process that drives runs: 2 writers, 4 + 4 connections, lease and deadline of 10 s. With the lease, the sweep and the
    /// notices a node has at most 15 connections.
    pub fn new(url: impl Into<String>) -> OpenOptions {
        OpenOptions {
            url: url.into(),
            migrate_url: None,
            auto_migrate: true,
            drives: true,
            tags: vec![UNTAGGED.to_owned()],
            places: None,
            production: false,
            lease: Duration::from_secs(10),
            sweep: Some(Duration::from_secs(1)),
            deadline: Duration::from_secs(10),
            writers: 2,
            api: 4,
            steps: 4,
            prepared: true,
            clock: None,
            objects: None,
        }
    }

    /// Host, port and database.
    ///
    /// # Errors
    /// `Invalid` when the address is none.
    pub fn place(&self) -> Result<String, StoreError> {
        Ok(Target::of(self)?.place.to_string())
    }
}

/// Applies what is missing and renews the rights of the roles, whatever `auto_migrate` says: `mainspring migrate up`.
///
/// # Errors
/// As [`PostgresStore::open`].
pub async fn migrate(options: &OpenOptions) -> Result<Migrations, StoreError> {
    let target = Target::of(options)?;
    let up = async {
        let mut connection = target.log_in(&target.connect).await?;
        let roles = within(&mut connection, async |connection| rights::look(&target.place, connection).await).await?;
        let mut owner = target.log_in(&target.owner).await?;
        migrations::up(&roles, &mut owner).await?;
        within(&mut owner, async |owner| migrations::state(owner).await).await
    };
    up.await.map_err(|fail| fail.stored(&target.place))
}

/// What the database has and lacks, without changing it: `mainspring migrate status`.
///
/// # Errors
/// As [`PostgresStore::open`].
pub async fn migration_state(options: &OpenOptions) -> Result<Migrations, StoreError> {
    let target = Target::of(options)?;
    let state = async {
        let mut owner = target.log_in(&target.owner).await?;
        within(&mut owner, async |owner| migrations::state(owner).await).await
    };
    state.await.map_err(|fail| fail.stored(&target.place))
}

impl PostgresStore {
    /// Opens the store of a database and makes its tables when there are none. Any number of processes may do so at once.
    ///
    /// # Errors
    /// `Unreachable`, `Denied`, `Busy`, `ReadOnly` (a replica), `TooOld`, `Rights`, `Newer`, `ChangedMigration`, `Pending`,
    /// `Incomplete`, `Moved`, `Full`, `Failed`.
    pub async fn open(options: OpenOptions) -> Result<Arc<PostgresStore>, StoreError> {
        let target = Target::of(&options)?;
        let prepared = match tokio::time::timeout(PREPARING, target.prepare(&options)).await {
            Ok(Ok((roles, warnings, mut connection))) => {
                let allowed = within(&mut connection, async |connection| departure::refuse(&target.place, connection).await).await;
                allowed.map(|()| (roles, warnings, connection))
            }
            Ok(Err(fail)) => Err(fail),
            Err(_) => Err(target.late(PREPARING)),
        };
        let (roles, warnings, mut connection) = prepared.map_err(|fail| fail.stored(&target.place))?;
        let terms = Arc::new(target.terms(roles.queue, &options));
        let node = Arc::new(Node::new(&terms, options.lease));
        let joined = async {
            if options.drives {
                days::make(&mut connection).await?;
                node.join(&mut connection).await?;
            }
            connection.close().await?;
            Ok::<(), Fail>(())
        };
        let joined = tokio::time::timeout(options.deadline * 2, joined).await.unwrap_or_else(|_| Err(target.late(options.deadline * 2)));
        joined.map_err(|fail| fail.stored(&target.place))?;
        let notices = Notices::new();
        let writers = Writers::start(options.writers, &terms, &node, &notices)?;
        let keeper = Keeper::start(Arc::clone(&terms), Arc::clone(&node), Arc::clone(&notices), options.sweep)?;
        Ok(Arc::new(PostgresStore {
            api: Lane::new("api", &terms, options.api),
            steps: Lane::new("steps", &terms, options.steps),
            tags: options.tags,
            places: options.places,
            terms,
            writers,
            node,
            notices,
            keeper: Mutex::new(Some(keeper)),
            warnings,
            floor: Mutex::new(Floor::default()),
            unanswered: Mutex::default(),
            blob_prefix: AtomicU8::new(0),
            objects: options.objects,
            touched: Mutex::default(),
        }))
    }
}

/// Where the database is, in its two addresses.
pub(super) struct Target {
    pub(super) connect: PgConnectOptions,
    owner: PgConnectOptions,
    pub(super) place: Arc<str>,
    deadline: Duration,
}

impl Target {
    pub(super) fn of(options: &OpenOptions) -> Result<Target, StoreError> {
        let connect = address(&options.url)?;
        let owner = options.migrate_url.as_deref().map(address).transpose()?.unwrap_or_else(|| connect.clone());
        let database = connect.get_database().unwrap_or(connect.get_username());
        let place = format!("{}:{}/{database}", connect.get_host(), connect.get_port()).into();
        Ok(Target { connect, owner, place, deadline: options.deadline })
    }

    pub(super) fn terms(&self, queue: String, options: &OpenOptions) -> Terms {
        Terms {
            connect: self.connect.clone(),
            place: self.place.clone(),
            queue,
            prepared: options.prepared,
            deadline: options.deadline,
            // No longer than a lease: what a stopped node held is free when it is declared dead.
            idle: options.deadline.min(options.lease),
            breaker: Breaker::new(&self.place, trust::monotonic()),
            leases: Tally::default(),
            writers: Tally::default(),
            clock: options.clock.clone(),
        }
    }

    pub(super) async fn log_in(&self, address: &PgConnectOptions) -> Result<PgConnection, Fail> {
        match tokio::time::timeout(self.deadline, address.connect()).await {
            Ok(connection) => Ok(connection?),
            Err(_) => Err(self.late(self.deadline)),
        }
    }

    fn late(&self, after: Duration) -> Fail {
        let reason = format!("no answer within {} ms", after.as_millis());
        StoreError::Unreachable { place: self.place.to_string(), reason }.into()
    }

    /// The roles, what is to be warned of, and the connection of a node.
    pub(super) async fn prepare(&self, options: &OpenOptions) -> Result<(Roles, Vec<String>, PgConnection), Fail> {
        let mut connection = self.log_in(&self.connect).await?;
        let roles = within(&mut connection, async |connection| rights::look(&self.place, connection).await).await?;
        let mut owner = self.log_in(&self.owner).await?;
        let (state, lack) = within(&mut owner, async |owner| {
            let state = migrations::state(owner).await?;
            let lack = if state.pending.is_empty() { rights::lacking(&roles, owner).await? } else { None };
            Ok((state, lack))
        })
        .await?;
        match (options.auto_migrate, state.pending.is_empty(), lack) {
            (_, true, None) => {}
            (true, ..) => migrations::up(&roles, &mut owner).await?,
            (false, false, _) => return Err(StoreError::Pending { names: state.pending }.into()),
            (false, true, Some(lack)) => {
                let reason = format!("the role \"{}\" cannot be used: {lack}; run `mainspring migrate up`", roles.runtime);
                return Err(StoreError::Rights(reason).into());
            }
        }
        owner.close().await?;
        let excess = within(&mut connection, async |connection| {
            migrations::require(connection).await?;
            rights::excess(connection).await
        })
        .await?;
        match excess {
            Some(reason) if options.production => Err(StoreError::Rights(reason).into()),
            excess => {
                if let Some(warning) = &excess {
                    tracing::warn!("{warning}");
                }
                Ok((roles, excess.into_iter().collect(), connection))
            }
        }
    }
}

/// In one transaction, so that a pooler keeps one server for all of it.
pub(super) async fn within<T>(
    connection: &mut PgConnection,
    body: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Fail>,
) -> Result<T, Fail> {
    sqlx::raw_sql("begin").execute(&mut *connection).await?;
    let done = body(connection).await;
    // An error of the body is the one to tell; whatever it was, there is nothing to keep.
    let ended = sqlx::raw_sql("rollback").execute(connection).await;
    let done = done?;
    ended?;
    Ok(done)
}

fn address(url: &str) -> Result<PgConnectOptions, StoreError> {
    // The address is not repeated: it has a password in it.
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| StoreError::Invalid("the database's address is not like postgres://role:password@host:port/database".to_owned()))?;
    Ok(options.application_name("mainspring").statement_cache_capacity(256).disable_statement_logging())
}
