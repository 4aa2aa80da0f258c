//! Live updates as their readers meet them: the real router on a real socket.

pub mod client;
mod hostile;
mod notifications;
mod resuming;
mod runs;
mod stream;
