//! JSON as it is stored: text, read to any depth that was written.

use mainspring_model::store::StoreError;

pub(crate) fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    mainspring_model::value::from_json(text).map_err(|error| StoreError::Invalid(format!("stored JSON: {error}")))
}

pub(crate) fn text_of<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Invalid(format!("a value that is not JSON: {error}")))
}

/// What is said of a column that cannot hold what was read.
pub(crate) fn damaged(what: &str) -> StoreError {
    StoreError::Invalid(format!("{what} in the database is damaged"))
}
