//! Forms: pages that are made from declared inputs, without a script; and what somebody typed into them.

mod field;
mod page;
mod typed;

pub use field::{Field, Widget, fields};
pub use page::{Button, FormPage, STYLE, escape, notice};
pub use typed::{Typed, read};
