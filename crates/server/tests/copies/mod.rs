//! Backup, restore and move as an operator does them: real processes under load, killed, and brought up elsewhere.

mod drill;
mod home;
mod moving;
mod refusals;
