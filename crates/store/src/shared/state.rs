//! The order in which a transaction changes state: the same for every writer, so that none waits for another in a ring.

use mainspring_model::state::{StateChange, StateScope, StateWrite};
use mainspring_model::store::StateBatch;

/// All changes by what they change; those of one key in the order of their runs.
pub(crate) fn in_order<'a>(batches: impl Iterator<Item = &'a StateBatch>) -> Vec<(&'a StateBatch, &'a StateWrite)> {
    let mut all: Vec<_> = batches.flat_map(|batch| batch.writes.iter().map(move |write| (batch, write))).collect();
    all.sort_by(|(a, x), (b, y)| {
        let place = |batch: &StateBatch, write: &StateWrite| {
            let plan = (write.scope == StateScope::Plan).then_some(batch.plan.0);
            (batch.org.0, plan, matches!(write.change, StateChange::Remember(_)))
        };
        place(a, x).cmp(&place(b, y)).then_with(|| x.key.cmp(&y.key))
    });
    all
}
