//! Errors of the program itself, told to a service that speaks Sentry's protocol: defects, panics and starts that failed, never the
//! failed runs of users.

mod dsn;
mod envelope;
mod layer;
mod reporter;

pub use dsn::Dsn;
pub use layer::Reports;
pub use reporter::Reporter;
