//! The server's tests, one binary: a module per part.

mod http;
