//! What a run may spend on language models, and what a call may use of it.

use std::fmt;
use std::ops::AddAssign;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most of each that a run may use; absent: as much as it likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// US dollars, by the vendors' list prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub cost_usd: Option<f64>,
    /// Sent and answered together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Each attempt that reached a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
}

/// US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Price {
    pub sent: f64,
    pub answered: f64,
}

impl Price {
    /// In US dollars.
    pub fn of(self, sent: u64, answered: u64) -> f64 {
        (self.sent * sent as f64 + self.answered * answered as f64) / 1e6
    }
}

/// What one call to a model may use at most.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelCall {
    pub model: String,
    /// Tokens, estimated from what is sent.
    pub sent: u64,
    /// Tokens of the longest answer; `None`: the request bounds it nowhere.
    pub answered: Option<u64>,
    /// `None`: not known of this model.
    pub price: Option<Price>,
}

/// What was reserved before a call; stands in the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reserved {
    pub sent: u64,
    pub answered: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
}

impl Reserved {
    /// As if the call used all of it.
    pub fn spent(&self) -> Spent {
        self.settled(self.sent, self.answered)
    }

    /// The call used so many tokens.
    pub fn settled(&self, sent: u64, answered: u64) -> Spent {
        Spent { calls: 1, tokens: sent.saturating_add(answered), cost_usd: self.price.map_or(0.0, |price| price.of(sent, answered)) }
    }
}

/// What was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    pub calls: u64,
    pub tokens: u64,
    pub cost_usd: f64,
}

impl AddAssign for Spent {
    fn add_assign(&mut self, more: Spent) {
        self.calls = self.calls.saturating_add(more.calls);
        self.tokens = self.tokens.saturating_add(more.tokens);
        self.cost_usd += more.cost_usd;
    }
}

/// Why a call is not made.
#[derive(Clone, Debug, PartialEq)]
pub enum Refused {
    Calls {
        most: u64,
    },
    Tokens {
        wanted: u64,
        left: u64,
        most: u64,
    },
    Cost {
        wanted: f64,
        left: f64,
        most: f64,
    },
    /// The request does not say how long the answer may be.
    Unbounded,
    /// The price of this model is not known.
    Unpriced {
        model: String,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Calls { most } => write!(out, "the plan's budget is {most} calls to models, and they were made; raise budget.calls"),
            Refused::Tokens { wanted, left, most } => write!(
                out,
                "this call may use {wanted} tokens; {left} of {most} are left. Raise budget.tokens, shorten what is sent, or lower max_tokens"
            ),
            Refused::Cost { wanted, left, most } => write!(
                out,
                "this call may cost {wanted:.4} USD; {left:.4} USD of {most} USD are left. Raise budget.cost_usd, shorten what is sent, \
                 lower max_tokens, or choose a smaller model"
            ),
            Refused::Unbounded => out.write_str("the plan has a budget, and nothing bounds this model's answer; write max_tokens"),
            Refused::Unpriced { model } => write!(
                out,
                "the plan's budget is in US dollars, and what \"{model}\" costs is not known here; write budget.tokens or budget.calls instead"
            ),
        }
    }
}

impl Budget {
    /// Whether a call may be made when `spent` was used or is reserved.
    ///
    /// # Errors
    /// Why not.
    pub fn reserve(&self, spent: Spent, call: ModelCall) -> Result<Reserved, Refused> {
        if let Some(most) = self.calls.filter(|most| spent.calls >= *most) {
            return Err(Refused::Calls { most });
        }
        let counts = self.tokens.is_some() || self.cost_usd.is_some();
        let answered = match call.answered {
            None if counts => return Err(Refused::Unbounded),
            answered => answered.unwrap_or_default(),
        };
        if self.cost_usd.is_some() && call.price.is_none() {
            return Err(Refused::Unpriced { model: call.model });
        }
        let reserved = Reserved { sent: call.sent, answered, price: call.price };
        let wanted = reserved.spent();
        if let Some(most) = self.tokens
            && spent.tokens.saturating_add(wanted.tokens) > most
        {
            return Err(Refused::Tokens { wanted: wanted.tokens, left: most.saturating_sub(spent.tokens), most });
        }
        if let Some(most) = self.cost_usd
            && spent.cost_usd + wanted.cost_usd > most
        {
            return Err(Refused::Cost { wanted: wanted.cost_usd, left: (most - spent.cost_usd).max(0.0), most });
        }
        Ok(reserved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(sent: u64, answered: u64) -> ModelCall {
        ModelCall { model: "m".to_owned(), sent, answered: Some(answered), price: Some(Price { sent: 1.0, answered: 2.0 }) }
    }

    #[test]
    fn what_does_not_fit_is_refused_before_it_is_sent() {
        let budget = Budget { tokens: Some(1_000), calls: Some(2), cost_usd: Some(0.001) };
        let first = budget.reserve(Spent::default(), call(100, 200)).unwrap();
        assert_eq!(first.spent(), Spent { calls: 1, tokens: 300, cost_usd: 0.0005 });
        let spent = first.settled(100, 50);
        assert_eq!(budget.reserve(spent, call(800, 51)), Err(Refused::Tokens { wanted: 851, left: 850, most: 1_000 }));
        assert!(matches!(budget.reserve(spent, call(1, 500)), Err(Refused::Cost { .. })));
        assert!(budget.reserve(spent, call(1, 300)).is_ok());
        assert_eq!(budget.reserve(Spent { calls: 2, ..spent }, call(1, 1)), Err(Refused::Calls { most: 2 }));
    }

    #[test]
    fn what_cannot_be_counted_is_refused_where_it_has_to_be() {
        let endless = ModelCall { answered: None, ..call(1, 1) };
        let unpriced = ModelCall { price: None, ..call(1, 1) };
        let calls = Budget { calls: Some(1), ..Budget::default() };
        assert!(calls.reserve(Spent::default(), endless.clone()).is_ok());
        assert!(calls.reserve(Spent::default(), unpriced.clone()).is_ok());
        let tokens = Budget { tokens: Some(9), ..Budget::default() };
        assert_eq!(tokens.reserve(Spent::default(), endless), Err(Refused::Unbounded));
        let cost = Budget { cost_usd: Some(9.0), ..Budget::default() };
        assert_eq!(cost.reserve(Spent::default(), unpriced), Err(Refused::Unpriced { model: "m".to_owned() }));
    }
}
