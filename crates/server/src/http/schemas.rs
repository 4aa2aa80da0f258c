//! Published JSON Schemas.

use std::sync::OnceLock;

use mainspring_model::plan::plan_schema;

use super::reply::Reply;

/// The JSON Schema of the plan document
#[utoipa::path(get, path = "/api/schemas/plan", tag = "plans", security(()), responses((status = 200, description = "JSON Schema, draft 2020-12.", body = Object)))]
pub async fn get_plan_schema() -> Reply {
    static SCHEMA: OnceLock<Reply> = OnceLock::new();
    SCHEMA.get_or_init(|| Reply::ok(&plan_schema())).clone()
}
