//! Fuel: what one evaluation may spend, so that no expression runs long or grows large.

use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

use crate::{Code, Fault};

/// The largest value an expression may produce, as compact JSON (escapes not counted), in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// How deep values and expressions may nest.
pub const MAX_DEPTH: usize = 64;

/// Why evaluation stopped.
pub(crate) enum Stop {
    /// Something on a path under `?.` is missing: the chain is null.
    Chain,
    /// Something is missing under `??` or `default()`: that side is null.
    Soft,
    Fault(Box<Fault>),
}

impl Stop {
    pub(crate) fn failed(message: impl Into<String>) -> Stop {
        Stop::Fault(Box::new(Fault::new(Code::EXPRESSION_FAILED, message)))
    }

    pub(crate) fn fault(self) -> Fault {
        match self {
            Stop::Fault(fault) => *fault,
            Stop::Chain | Stop::Soft => Fault::internal("a missing value left its guard"),
        }
    }
}

/// The budget of one evaluation: one unit for each node visited, element looked at and 16 bytes produced.
///
/// One `Fuel` serves one evaluation of one template or expression; it also counts the random values asked for, so that two
/// `uuid()` in one template differ.
#[derive(Debug)]
pub struct Fuel {
    left: u64,
    random: u32,
    /// Greater than zero under the left side of `??` or inside `default()`.
    pub(super) soft: u32,
    /// The last pattern that was no constant, so that one filter over many items compiles it once.
    pub(super) pattern: Option<(String, Arc<Regex>)>,
}

impl Fuel {
    /// Enough for a few passes over 100,000 items; well under a second of work.
    pub const DEFAULT: u64 = 4_000_000;

    /// Fuel for `steps` units of work.
    pub fn new(steps: u64) -> Fuel {
        Fuel { left: steps, random: 0, soft: 0, pattern: None }
    }

    /// The units not yet spent.
    pub fn left(&self) -> u64 {
        self.left
    }

    #[inline]
    pub(crate) fn spend(&mut self, units: u64) -> Result<(), Stop> {
        match self.left.checked_sub(units) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(Stop::failed("the expression does too much work for one evaluation; split it over several steps"))
            }
        }
    }

    /// Pays for `bytes` about to be produced as part of a value of `total` bytes, before they are allocated.
    pub(crate) fn produce(&mut self, bytes: usize, total: usize) -> Result<(), Stop> {
        if total > MAX_BYTES {
            return Err(Stop::failed(format!(
                "the expression makes a value of more than 1 MiB ({MAX_BYTES} bytes), the bound for expressions"
            )));
        }
        self.spend(1 + bytes as u64 / 16)
    }

    /// Pays for a whole value; refuses one that is too large or too deep. Gives its size.
    pub(crate) fn weigh(&mut self, value: &Value) -> Result<usize, Stop> {
        let mut size = 0;
        self.weigh_into(value, 1, &mut size)?;
        Ok(size)
    }

    fn weigh_into(&mut self, value: &Value, depth: usize, size: &mut usize) -> Result<(), Stop> {
        let own = match value {
            Value::Null | Value::Bool(_) => 5,
            Value::Number(_) => 8,
            Value::String(text) => text.len() + 3,
            Value::Array(_) | Value::Object(_) => 3,
        };
        *size += own;
        self.produce(own, *size)?;
        let nested = || match depth {
            MAX_DEPTH => {
                Err(Stop::failed(format!("the expression makes a value nested deeper than {MAX_DEPTH}, the bound for expressions")))
            }
            _ => Ok(depth + 1),
        };
        match value {
            Value::Array(items) => {
                let depth = nested()?;
                items.iter().try_for_each(|item| self.weigh_into(item, depth, size))
            }
            Value::Object(fields) => {
                let depth = nested()?;
                fields.iter().try_for_each(|(key, item)| {
                    *size += key.len() + 3;
                    self.weigh_into(item, depth, size)
                })
            }
            _ => Ok(()),
        }
    }

    /// The number of the next random value.
    pub(crate) fn next_random(&mut self) -> u32 {
        let n = self.random;
        self.random = n.wrapping_add(1);
        n
    }
}

impl Default for Fuel {
    fn default() -> Fuel {
        Fuel::new(Fuel::DEFAULT)
    }
}
