//! Params against the action's schema and kinds.

use mainspring_model::expr::{Fuel, NoScope};
use mainspring_model::plan::{PerItemParam, StepKind};
use serde_json::json;

use super::{all, good};

#[test]
fn written_values_fit_the_schema() {
    all(&[
        (
            "name: A\nsteps:\n  - {action: http.request, params: {method: GTE, headers: {a: 1, b: \"${inputs.x}\"}, tags: [a, 2, c], timeout: -1, retries: \"${inputs.n}\"}}\n",
            "3:36 /steps/0/params INVALID_PARAMS: http.request: the param \"url\" is missing\n\
             3:45 /steps/0/params/method INVALID_PARAMS: http.request: the param \"method\" must be GET, POST or PUT, found the text \"GTE\" (write GET)\n\
             3:63 /steps/0/params/headers/a INVALID_PARAMS: http.request: the param \"headers.a\" must be text, found the number 1\n\
             3:91 /steps/0/params/tags INVALID_PARAMS: http.request: the param \"tags\" must have at most 2 items\n\
             3:95 /steps/0/params/tags/1 INVALID_PARAMS: http.request: the param \"tags[1]\" must be text, found the number 2\n\
             3:111 /steps/0/params/timeout INVALID_PARAMS: http.request: the param \"timeout\" must be at least 0, found the number -1",
        ),
        (
            "name: A\nsteps:\n  - {action: http.request, params: {url: x, timeout: soon, metod: GET}}\n",
            "3:54 /steps/0/params/timeout INVALID_PARAMS: http.request: the param \"timeout\" must be a number or null, found the text \"soon\"\n\
             3:60 /steps/0/params/metod INVALID_PARAMS: http.request: there is no param \"metod\"; did you mean \"method\"? (write method)",
        ),
        (
            "name: A\nsteps: [{action: logic.switch, params: {value: 1, cases: {Big-One: true}}}]\n",
            "2:58 /steps/0/params/cases INVALID_PARAMS: logic.switch: the param \"cases\" has the name \"Big-One\", which must match ^[a-z][a-z0-9_]*$",
        ),
        ("name: A\nsteps: [{action: http.request}]\n", "2:9 /steps/0/params INVALID_PARAMS: http.request: the param \"url\" is missing"),
    ]);
}

#[test]
fn code_that_no_run_could_read_is_told_at_its_line() {
    good(
        "name: A\nsteps:\n  - action: code.javascript\n    params:\n      code: |\n        // ${never} scanned\n        return await `${input.a}`\n",
    );
    all(&[
        (
            "name: A\nsteps:\n  - action: code.javascript\n    params:\n      code: |\n        const a = 1;\n        return a +;\n",
            "7:19 /steps/0/params/code INVALID_PARAMS: code.javascript: line 2 of \"code\", column 11: this cannot stand here",
        ),
        (
            "name: A\nsteps: [{action: code.javascript, params: {code: 'return 1 })(); (function () {'}}]\n",
            "2:65 /steps/0/params/code INVALID_PARAMS: code.javascript: line 1 of \"code\", column 15: the function ends before its body does",
        ),
        (
            "name: A\nsteps: [{action: code.javascript, params: {code: 5}}]\n",
            "2:50 /steps/0/params/code INVALID_PARAMS: code.javascript: the param \"code\" must be text, found the number 5",
        ),
    ]);
}

#[test]
fn what_hangs_on_an_expression_is_left_to_the_run() {
    good(
        "name: A\nsteps: [{action: http.request, params: {url: \"${inputs.u}\", method: \"${inputs.m}\", timeout: \"${inputs.t}\", tags: [\"${inputs.a}\"], headers: {a: \"x${inputs.b}\"}}}]\n",
    );
    // The text that `$${` writes is known.
    all(&[(
        "name: A\nsteps: [{action: http.request, params: {url: u, method: \"$${GET}\"}}]\n",
        "2:57 /steps/0/params/method INVALID_PARAMS: http.request: the param \"method\" must be GET, POST or PUT, found the text \"$${GET}\"",
    )]);
}

#[test]
fn kinds_decide_what_is_scanned() {
    let checked = good(
        "name: A\nsteps:\n  - {action: test.sql, params: {sql: \"select '${x}' $${y} from ${\", args: [\"${1 + 1}\"]}}\n  - {action: logic.switch, params: {value: 1, cases: {big: item > 10, small: \"${item > 1}\", rest: true}}}\n  - {action: logic.map, params: {items: [], value: {a: \"${item.x}\", b: \"${index}\"}}}\n  - {action: logic.filter, params: {items: [], where: item.a && inputs.b}}\n",
    );
    let action = |step: usize| match &checked.plan.steps[step].kind {
        StepKind::Action(action) => action,
        StepKind::Body(_) => panic!("an action"),
    };
    let params = action(0).params.eval(&NoScope, &mut Fuel::default()).unwrap();
    assert_eq!(params, json!({"sql": "select '${x}' $${y} from ${", "args": [2]}));
    let [PerItemParam::Labelled { name, cases }] = action(1).per_item.as_slice() else { panic!("cases") };
    assert_eq!((name.as_str(), cases.iter().map(|(label, _)| label.as_str()).collect::<Vec<_>>()), ("cases", vec!["big", "small", "rest"]));
    assert_eq!(action(1).params.eval(&NoScope, &mut Fuel::default()).unwrap(), json!({"value": 1}));
    assert!(matches!(action(2).per_item.as_slice(), [PerItemParam::Template { name, .. }] if name == "value"));
    assert!(matches!(action(3).per_item.as_slice(), [PerItemParam::Expr { name, .. }] if name == "where"));
    all(&[(
        "name: A\nsteps:\n  - {action: logic.switch, params: {value: \"${item}\", cases: {small: itm > 1, big: item and 1}}}\n",
        "3:47 /steps/0/params/value UNKNOWN_NAME: \"item\" is in scope only inside for_each; in scope are inputs, vars, org, steps, trigger and run\n\
         3:70 /steps/0/params/cases/small UNKNOWN_NAME: nothing is called \"itm\" here; did you mean \"item\"? (write item)\n\
         3:89 /steps/0/params/cases/big EXPRESSION_SYNTAX: `and` is written `&&` (write &&)",
    )]);
}
