//! A file as a param: the value that a step or an upload gave, or its id alone.

use std::borrow::Cow;

use mainspring_model::Fault;
use mainspring_model::action::Context;
use mainspring_model::file::FileValue;
use mainspring_model::id::FileId;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// Only the id is believed: what else the value says is looked up anew.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged, expecting = "a file is what a file step or an upload gave, or its id")]
pub(crate) enum Given {
    Id(FileId),
    Value { file: FileId },
}

impl Given {
    /// # Errors
    /// `FILE_NOT_FOUND`.
    pub(crate) async fn find(self, cx: &Context) -> Result<FileValue, Fault> {
        cx.files()?.find(self.id()).await
    }

    pub(crate) fn id(self) -> FileId {
        match self {
            Given::Id(id) | Given::Value { file: id } => id,
        }
    }
}

impl JsonSchema for Given {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "GivenFile".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["object", "string"], "description": "A file, as a file step or an upload gave it, or its id."})
    }
}
