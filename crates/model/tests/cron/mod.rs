//! Cron: what is read, what is refused, and when it fires.

mod clocks;
mod misfire;
mod oracle;
mod reading;
