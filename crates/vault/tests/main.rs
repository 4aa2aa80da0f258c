//! The vault's outside behaviour: keys, envelopes, tokens, idempotency keys and redaction.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod access_token;
mod attacks;
mod envelope;
mod fuzz;
mod idempotency;
mod key_file;
mod key_ring;
mod password;
mod redactor;
mod support;
mod token;
mod totp;
mod webhook;
