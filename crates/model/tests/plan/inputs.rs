//! The declaration of inputs, and what a run is given.

use serde_json::{Value, json};

use super::{all, good, lines};

fn declared(inputs: &str) -> String {
    format!("name: A\ninputs: {inputs}\nsteps: []\n")
}

#[test]
fn declarations() {
    all(&[
        (
            &declared("{amount: {type: int}}"),
            "2:25 /inputs/amount/type INVALID_SCHEMA: there is no type \"int\"; did you mean \"integer\"? (write integer)",
        ),
        (
            &declared("{amount: number}"),
            "2:18 /inputs/amount WRONG_TYPE: an input is declared by an object such as {type: number, required: true}, but this is the text \"number\" (write {type: number})",
        ),
        (
            &declared("{amount: {type: number, required: maybe}}"),
            "2:43 /inputs/amount/required WRONG_TYPE: \"required\" is true or false, but this is the text \"maybe\"",
        ),
        (
            &declared("{amount: {type: number, default: x}}"),
            "2:42 /inputs/amount/default INVALID_SCHEMA: the default of \"amount\" does not fit its own declaration: \"x\" is not of type \"number\"",
        ),
        (
            &declared("{a: {minimum: x}}"),
            "2:23 /inputs/a/minimum INVALID_SCHEMA: the input \"a\" is no JSON Schema: \"x\" is not of type \"number\"",
        ),
        (&declared("{a: {pattern: '('}}"), "2:13 /inputs/a INVALID_SCHEMA: the input \"a\" is no JSON Schema: \"(\" is not a \"regex\""),
        (
            &declared("{a: {items: {$ref: 'https://example.com/x'}}}"),
            "2:28 /inputs/a/items/$ref INVALID_SCHEMA: an input's schema is written out: references ($ref and the like) are not read",
        ),
        (&declared("{a: {type: object, required: [b], properties: {b: {type: string}}}}"), "passed"),
    ]);
}

fn accepted(inputs: &str, given: Value) -> Result<Value, String> {
    good(&declared(inputs)).plan.inputs.accept(&given).map_err(|problems| lines(&problems))
}

#[test]
fn a_run_is_given_what_is_declared() {
    let inputs = "{amount: {type: number, required: true, minimum: 1}, email: {type: string}, tags: {type: array, items: {type: string}, default: [x]}}";
    assert_eq!(accepted(inputs, json!({"amount": 2})), Ok(json!({"amount": 2, "tags": ["x"]})));
    assert_eq!(accepted(inputs, json!({"amount": 2, "tags": []})), Ok(json!({"amount": 2, "tags": []})));
    assert_eq!(accepted(inputs, Value::Null), Err("/inputs/amount INVALID_INPUT: the input \"amount\" is missing".to_owned()));
    assert_eq!(
        accepted(inputs, json!({"amount": "2"})),
        Err("/inputs/amount INVALID_INPUT: the input \"amount\" must be a number, found the text \"2\"".to_owned())
    );
    assert_eq!(
        accepted(inputs, json!({"amount": 0, "emial": "x", "tags": ["a", 5]})),
        Err("/inputs/amount INVALID_INPUT: the input \"amount\" must be at least 1, found the number 0\n\
             /inputs/tags/1 INVALID_INPUT: the input \"tags[1]\" must be text, found the number 5\n\
             /inputs/emial INVALID_INPUT: there is no input \"emial\"; did you mean \"email\"? (write email)"
            .to_owned())
    );
    assert_eq!(accepted(inputs, json!([1])), Err("/inputs INVALID_INPUT: inputs are an object of name and value; this is list".to_owned()));
}

#[test]
fn a_plan_without_inputs_takes_anything() {
    assert_eq!(accepted("{}", json!({"any": [1, {"thing": null}]})), Ok(json!({"any": [1, {"thing": null}]})));
    assert_eq!(accepted("{}", Value::Null), Ok(json!({})));
}

#[test]
fn the_declaration_is_one_schema() {
    let inputs = good(&declared("{a: {type: number, required: true}, b: {type: string, default: x, required: false}}")).plan.inputs;
    assert_eq!(
        inputs.schema,
        Some(json!({
            "type": "object",
            "properties": {"a": {"type": "number"}, "b": {"type": "string", "default": "x"}},
            "additionalProperties": false,
            "required": ["a"],
        }))
    );
    assert_eq!(inputs.defaults, [("b".to_owned(), json!("x"))]);
    assert_eq!(inputs.names(), ["a", "b"]);
}
