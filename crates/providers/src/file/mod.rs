//! Provider `file`: files of the organization as steps read and write them. Their bytes never stand in expressions.

mod delete;
mod given;
mod info;
mod list;
mod read;
mod rows;
mod write;

use std::collections::BTreeMap;

use mainspring_model::action::erase;
use mainspring_model::catalog::Provider;

pub(crate) use given::Given;

/// The provider, actions in the order that documents show them.
pub fn provider() -> Provider {
    Provider {
        id: "file".to_owned(),
        title: "Files".to_owned(),
        category: "Data".to_owned(),
        version: 1,
        description: "Keep text, JSON and bytes in files, read them, and see what there is.".to_owned(),
        credential: Vec::new(),
        hosts: Vec::new(),
        verify: None,
        actions: vec![
            erase(write::Write),
            erase(read::Read),
            erase(rows::Rows),
            erase(info::Info),
            erase(list::List),
            erase(delete::Delete),
        ],
        aliases: BTreeMap::new(),
    }
}
