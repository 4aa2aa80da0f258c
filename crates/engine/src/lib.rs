//! mainspring-engine
