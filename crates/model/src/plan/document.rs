//! The plan document as its author writes it; the published JSON Schema is generated from these types.

use schemars::JsonSchema;
use serde::Serialize;

/// A whole plan.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlanDoc {
    /// Shown everywhere; 1–200 characters.
    pub name: String,
}
