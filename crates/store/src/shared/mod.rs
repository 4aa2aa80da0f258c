//! What both databases share: the parts of a store that know no SQL.

pub(crate) mod bursts;
pub(crate) mod cursor;
pub(crate) mod draft;
pub(crate) mod files;
pub(crate) mod flow;
pub(crate) mod group;
pub(crate) mod invitations;
pub(crate) mod json;
pub(crate) mod judge;
pub(crate) mod people;
pub(crate) mod places;
pub(crate) mod plans;
pub(crate) mod queue;
pub(crate) mod sessions;
pub(crate) mod signals;
pub(crate) mod state;
pub(crate) mod texts;
pub(crate) mod throttle;
pub(crate) mod turns;
