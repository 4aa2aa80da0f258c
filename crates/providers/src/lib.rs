//! mainspring-providers
