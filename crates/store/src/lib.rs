//! mainspring-store
