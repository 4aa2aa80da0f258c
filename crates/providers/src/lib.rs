//! What Mainspring's steps do: the only HTTP client and the providers that are built in.

#![allow(clippy::result_large_err, reason = "a fault is made once per failed attempt; boxing it everywhere would cost more than it saves")]

pub mod custom_api;
pub mod egress;
pub mod http;
pub mod logic;
pub mod transform;
pub mod webhook;
