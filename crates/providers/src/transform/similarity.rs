//! `transform.similarity`: how alike texts are, as a number from 0 to 1.

use mainspring_model::action::ActionSpec;
use mainspring_model::{Code, Fault};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Number, Value, json};

use super::invalid_input;
use crate::logic::bounds::{at_item, kind, within_items};
use crate::logic::pure::Pure;

pub(super) struct Similarity;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The text.
    text: String,
    /// Text to compare it with, or a list of texts: then there is one number for each.
    #[schemars(extend("type" = ["string", "array"]))]
    to: Value,
    #[serde(default)]
    method: Method,
    /// True: large and small letters are the same.
    #[serde(default)]
    ignore_case: bool,
}

/// How: names and typing errors by jaro_winkler; changes of single letters by levenshtein or, with swapped neighbours as one change,
/// damerau_levenshtein; texts with words in another order by sorensen_dice, which counts pairs of letters.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Method {
    #[default]
    JaroWinkler,
    Levenshtein,
    DamerauLevenshtein,
    SorensenDice,
}

/// All but one of the methods take time in proportion to the product of the lengths; so many pairs of letters are about a second.
const MOST_PAIRS: usize = 100_000_000;
/// A single text: two of them at this length are within the pairs, and a table of them within memory.
const LONGEST: usize = 5_000;

impl Pure for Similarity {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": ["number", "array"], "items": {"type": "number"}})),
            example: json!({"text": "Jon Smith", "to": ["John Smith", "Ada Lovelace"], "method": "levenshtein"}),
            ..ActionSpec::of::<Params>("similarity", "Text similarity", "Says how alike texts are, from 0 for not at all to 1 for equal.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let mut left = MOST_PAIRS;
        let text = folded(&params.text, params.ignore_case)?;
        match params.to {
            Value::String(other) => score(&text, &folded(&other, params.ignore_case)?, params.method, &mut left),
            Value::Array(others) => {
                within_items("to", others.len())?;
                let mut scores = Vec::with_capacity(others.len());
                for (index, other) in others.iter().enumerate() {
                    let Value::String(other) = other else {
                        return Err(at_item(index, invalid_input(format!("it must be text; it is {}", kind(other)))));
                    };
                    let one = folded(other, params.ignore_case).and_then(|other| score(&text, &other, params.method, &mut left));
                    scores.push(one.map_err(|fault| at_item(index, fault))?);
                }
                Ok(Value::Array(scores))
            }
            other => Err(Fault::invalid_params(format!("\"to\" must be text or a list of texts; it is {}", kind(&other)))),
        }
    }
}

fn folded(text: &str, ignore_case: bool) -> Result<String, Fault> {
    let letters = text.chars().count();
    if letters > LONGEST {
        return Err(Fault::new(
            Code::LIMIT_EXCEEDED,
            format!("a text of {letters} letters is longer than the {LONGEST} that are compared"),
        ));
    }
    Ok(if ignore_case { text.to_lowercase() } else { text.to_owned() })
}

fn score(text: &str, other: &str, method: Method, left: &mut usize) -> Result<Value, Fault> {
    // Letters are at most as many as bytes.
    *left = left.checked_sub(text.len() * other.len()).ok_or_else(|| {
        Fault::new(
            Code::LIMIT_EXCEEDED,
            format!("the texts are too many or too long to compare: {MOST_PAIRS} pairs of letters are compared at most"),
        )
    })?;
    let score = match method {
        Method::JaroWinkler => strsim::jaro_winkler(text, other),
        Method::Levenshtein => strsim::normalized_levenshtein(text, other),
        Method::DamerauLevenshtein => strsim::normalized_damerau_levenshtein(text, other),
        Method::SorensenDice => strsim::sorensen_dice(text, other),
    };
    // Four digits: what lies behind them is no more than how the processor rounds.
    Ok(Number::from_f64((score * 1e4).round() / 1e4).map_or(Value::Null, Value::Number))
}
