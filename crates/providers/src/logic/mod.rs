//! Provider `logic`: the actions that steer a plan and work on lists, without any service behind them.

mod aggregate;
mod aggregate_op;
mod approval;
pub(crate) mod bounds;
mod call;
pub(crate) mod compare;
mod condition;
mod each;
mod emit;
mod fail;
mod filter;
mod group;
mod r#if;
mod jq;
mod jq_program;
mod jq_value;
mod limit;
pub(crate) mod list;
mod map;
mod merge;
mod merge_join;
mod moment;
mod open_callback;
pub(crate) mod path;
mod patience;
pub(crate) mod pure;
mod respond;
mod set;
mod sleep;
mod sort;
mod stop;
mod switch;
mod transform;
mod unique;
mod wait_for_callback;
mod wait_for_event;
mod wait_for_triggers;

use std::collections::BTreeMap;
use std::sync::Arc;

use mainspring_model::action::erase;
use mainspring_model::catalog::Provider;

use crate::apart::Apart;
use list::over_items;
use pure::pure;

/// The provider, actions in the order that documents show them.
pub fn provider(apart: &Apart) -> Provider {
    Provider {
        id: "logic".to_owned(),
        title: "Logic".to_owned(),
        category: "Flow".to_owned(),
        version: 1,
        description: "Branch, wait, answer and stop; filter, map, sort, group and merge lists; query with jq.".to_owned(),
        credential: Vec::new(),
        hosts: Vec::new(),
        verify: None,
        actions: vec![
            erase(r#if::If),
            erase(switch::Switch),
            Arc::new(set::Set::new()),
            pure(transform::Transform),
            over_items(filter::Filter),
            over_items(map::MapItems),
            over_items(sort::Sort),
            over_items(group::Group),
            over_items(aggregate::Aggregate),
            over_items(unique::Unique),
            over_items(limit::Limit),
            pure(merge::Merge),
            apart.action("logic", jq::Jq),
            erase(sleep::Sleep),
            erase(wait_for_event::WaitForEvent),
            erase(wait_for_triggers::WaitForTriggers),
            erase(emit::Emit),
            erase(open_callback::OpenCallback),
            erase(wait_for_callback::WaitForCallback),
            erase(approval::Approval),
            erase(call::Call),
            erase(respond::Respond),
            erase(stop::Stop),
            erase(fail::Fail),
        ],
        aliases: BTreeMap::new(),
    }
}
