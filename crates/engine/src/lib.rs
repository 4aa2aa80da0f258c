//! Running plans: the pure [`run::Run`], the driver that carries its decisions to the world and to disk, schedules and retention.

mod attempt;
mod claims;
mod credentials;
mod driver;
mod engine;
mod inner;
mod journal;
mod keys;
pub mod live;
mod marks;
mod meter;
mod plans;
mod prune;
mod pulse;
mod rehearse;
mod room;
pub mod run;
mod sabotage;
mod scheduler;
mod settings;
mod store_clock;
mod suspects;
pub mod triggers;
mod trust;

pub use credentials::{Credentials, SealError};
pub use driver::{Progress, Report};
pub use engine::{Engine, Parts, RunHandle, Start, StartError};
pub use journal::{hydrate, read as read_large};
pub use marks::{CrashMarks, Found, NoMarks};
pub use meter::Meter;
pub use plans::LoadedPlan;
pub use pulse::Loop;
pub use rehearse::StepResult;
pub use settings::Settings;
pub use store_clock::StoreClock;
