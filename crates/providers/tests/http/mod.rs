//! Provider `http` and its earlier names: what leaves, what comes back.

mod answers;
mod credentials;
mod earlier;
mod pages;
mod requests;
