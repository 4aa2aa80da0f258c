//! Which waits a signal is worth a look for: those without a key, and those whose key its data holds.

use mainspring_model::store::WaitKey;
use serde_json::Value;

/// The pointers of a topic's waits with the value that the data has there; `""` is the pointer of waits without a key.
pub(crate) fn keys_of(data: &Value, pointers: Vec<String>) -> Vec<(String, String)> {
    let at = |pointer: &String| {
        if pointer.is_empty() {
            return Some(String::new());
        }
        WaitKey::text_of(data.pointer(pointer)?)
    };
    pointers.into_iter().filter_map(|pointer| at(&pointer).map(|value| (pointer, value))).collect()
}
