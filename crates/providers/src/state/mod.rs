//! Provider `state`: what plans remember between runs. The engine answers; these actions check what is asked.

mod delete;
mod get;
mod increment;
mod set;
mod terms;
mod unseen;

use std::collections::BTreeMap;

use mainspring_model::action::erase;
use mainspring_model::catalog::Provider;

/// The provider, actions in the order that documents show them.
pub fn provider() -> Provider {
    Provider {
        id: "state".to_owned(),
        title: "State".to_owned(),
        category: "Flow".to_owned(),
        version: 1,
        description: "Remember values between runs, count, and tell new items from those seen before.".to_owned(),
        credential: Vec::new(),
        hosts: Vec::new(),
        verify: None,
        actions: vec![erase(get::Get), erase(set::Set), erase(increment::Increment), erase(delete::Delete), erase(unseen::Unseen)],
        aliases: BTreeMap::new(),
    }
}
