//! Problems of shape: unknown fields, wrong types, fields of a later version, fields that exclude each other.

use super::{all, good};

#[test]
fn unknown_fields() {
    all(&[
        ("name: A\nsteps: []\nstep: []\n", "3:1 /step UNKNOWN_FIELD: a plan has no field \"step\"; did you mean \"steps\"? (write steps)"),
        ("name: A\nsteps: []\ncolour: red\n", "3:1 /colour UNKNOWN_FIELD: a plan has no field \"colour\""),
        (
            "name: A\nsteps: [{action: test.read, acton: x}]\n",
            "2:29 /steps/0/acton UNKNOWN_FIELD: a step has no field \"acton\"; did you mean \"action\"? (write action)",
        ),
        (
            "name: A\nsteps: [{action: test.read, retry: {max_attempt: 2}}]\n",
            "2:37 /steps/0/retry/max_attempt UNKNOWN_FIELD: retry has no field \"max_attempt\"; did you mean \"max_attempts\"? (write max_attempts)",
        ),
        (
            "name: A\ntriggers: [{type: webhook, path: x, metods: [GET]}]\nsteps: []\n",
            "2:37 /triggers/0/metods UNKNOWN_FIELD: a trigger has no field \"metods\"; did you mean \"methods\"? (write methods)",
        ),
        ("<<: {a: 1}\nname: A\nsteps: []\n", "1:1 /<< UNKNOWN_FIELD: merge keys (<<) are not part of YAML 1.2; write the fields out"),
    ]);
}

#[test]
fn names_of_other_tools_say_ours() {
    let said = |field: &str| {
        let text = format!("name: A\nsteps: [{{action: test.read, {field}: x}}]\n");
        let found = super::loaded(&text).unwrap_err();
        let problem = found.iter().find(|problem| problem.pointer == format!("/steps/0/{field}")).unwrap();
        assert_eq!(problem.code, "UNKNOWN_FIELD");
        (problem.message.clone(), problem.fix.clone())
    };
    for (theirs, ours) in [("uses", "action"), ("with", "params"), ("when", "if"), ("depends_on", "needs"), ("foreach", "for_each")] {
        let (message, fix) = said(theirs);
        assert_eq!(message, format!("a step has no field \"{theirs}\"; here it is called \"{ours}\""));
        assert_eq!(fix.as_deref(), Some(ours));
    }
    assert_eq!(said("runs-on"), ("a step has no field \"runs-on\"; steps need no machine to be named: remove it".to_owned(), None));
    let kind = "a step has no field \"type\"; a step has no type: \"action\" makes a call, \"steps\" a group, \"for_each\" and \"repeat\" a loop, \"if\" a condition";
    assert_eq!(said("type"), (kind.to_owned(), None));
}

#[test]
fn concurrency_says_what_it_needs() {
    let said = |text: &str| {
        let problems = super::loaded(&format!("name: A\nsteps: []\ninputs: {{who: {{type: string}}}}\nconcurrency: {text}\n")).unwrap_err();
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        (problems[0].code.to_string(), problems[0].pointer.clone())
    };
    let is = |code: &str, pointer: &str| (code.to_owned(), pointer.to_owned());
    assert_eq!(said("{}"), is("MISSING_FIELD", "/concurrency"));
    assert_eq!(said("3"), is("WRONG_TYPE", "/concurrency"));
    assert_eq!(said("{limit: 0}"), is("INVALID_VALUE", "/concurrency/limit"));
    assert_eq!(said("{limit: 1001}"), is("INVALID_VALUE", "/concurrency/limit"));
    assert_eq!(said("{limit: 1, policy: drop}"), is("INVALID_VALUE", "/concurrency/policy"));
    assert_eq!(said("{limit: 1, group: a}"), is("UNKNOWN_FIELD", "/concurrency/group"));
    assert_eq!(said("{limit: 1, key: \"${steps.a.output}\"}").1, "/concurrency/key");
    assert_eq!(said("{limit: 1, key: \"${run.id}\"}"), is("UNKNOWN_NAME", "/concurrency/key"));
    let plan = super::loaded(
        "name: A\nsteps: []\ninputs: {who: {type: string}}\nconcurrency: {limit: 2, key: \"${inputs.who}\", policy: deliver}\n",
    );
    let limits = plan.unwrap().plan.concurrency.unwrap();
    assert_eq!((limits.limit, limits.policy.as_str(), limits.key.is_some()), (2, "deliver", true));
}

#[test]
fn fields_of_a_later_version() {
    let later = |text: &str, pointer: &str| {
        let problems = super::loaded(text).unwrap_err();
        let found = (problems.len(), problems[0].code.as_str(), problems[0].pointer.as_str());
        assert_eq!(found, (1, "NOT_YET_SUPPORTED", pointer), "{text}");
        problems[0].message.clone()
    };
    let message = later("name: A\nsteps: []\nsignature: {}\n", "/signature");
    assert!(message.starts_with("\"signature\" is not yet known: ") && message.ends_with(" arrives later"), "{message}");
}

#[test]
fn an_undo_is_an_action_of_a_step_of_the_top_list_or_a_body() {
    let problem = |text: &str| super::loaded(text).unwrap_err()[0].to_string();
    let table = [
        ("[{action: test.read, undo: {params: {}}}]", "MISSING_FIELD: \"undo\" needs the \"action\""),
        ("[{steps: [{action: test.read}], undo: {action: test.read}}]", "\"undo\" belongs to an action"),
        ("[{action: test.read, undo: {action: test.read, credential: x}}]", "an undo uses its step's credential"),
        ("[{action: test.read, undo: {action: test.read, retry: {}}}]", "UNKNOWN_FIELD"),
        ("[{action: test.read, undo: {action: test.nothing}}]", "UNKNOWN_ACTION"),
        ("[{id: a, action: test.read, undo: {action: test.read}}, {id: a_undo, action: test.read}]", "\"a_undo\" is taken"),
        (
            "[{id: a, action: test.read, undo: {action: test.read}}, {action: test.read, if: steps.a_undo.output}]",
            "takes back what \"a\" did",
        ),
    ];
    for (steps, expected) in table {
        let found = problem(&format!("name: A\nsteps: {steps}\n"));
        assert!(found.contains(expected), "{steps}\n{found}\n{expected}");
    }
    let last = problem("name: A\nsteps: [{action: test.read}]\nfinally: [{action: test.read, undo: {action: test.read}}]\n");
    assert!(last.contains("/finally/0/undo") && last.contains("have no \"undo\""), "{last}");
}

#[test]
fn tests_speak_of_the_plans_own_steps() {
    let problem = |tests: &str| {
        super::loaded(&format!("name: A\nsteps: [{{id: send, steps: [{{id: inner, action: test.read}}]}}]\ntests: {tests}\n")).unwrap_err()
            [0]
        .to_string()
    };
    let table = [
        ("[{}]", "/tests/0 MISSING_FIELD: a test needs \"expect\""),
        (
            "[{expect: {output: 1}, pinned: {sned: 1}}]",
            "/tests/0/pinned/sned UNKNOWN_STEP: the plan has no step \"sned\"; did you mean \"send\"?",
        ),
        ("[{expect: {steps: {inner: {status: success}}}}]", "a test looks at the steps of the top list"),
        ("[{expect: {steps: {send: {status: done}}}}]", "/tests/0/expect/steps/send/status"),
        ("[{expect: {status: ok}}]", "/tests/0/expect/status"),
        ("[{expect: {total: 5}}]", "stands under \"output\""),
        ("[{expect: 5}]", "/tests/0/expect WRONG_TYPE"),
        ("[{mock: {}, expect: {}}]", "\"pinned\""),
    ];
    for (tests, expected) in table {
        let found = problem(tests);
        assert!(found.contains(expected), "{tests}\n{found}\n{expected}");
    }
}

#[test]
fn wrong_types() {
    all(&[
        ("5", "1:1 WRONG_TYPE: a plan is an object, but this is the number 5"),
        ("name: A\nsteps: 5\n", "2:8 /steps WRONG_TYPE: \"steps\" is a list, but this is the number 5"),
        ("name: 5\nsteps: []\n", "1:7 /name WRONG_TYPE: \"name\" is text, but this is the number 5 (write \"5\")"),
        ("name: ''\nsteps: []\n", "1:7 /name INVALID_VALUE: \"name\" is text of 1 to 200 characters; this has 0"),
        ("steps: []\n", "1:1 MISSING_FIELD: a plan needs a \"name\""),
        ("name: A\n", "1:1 MISSING_FIELD: a plan needs \"steps\", the list of what it does"),
        ("name: A\nsteps: [text]\n", "2:9 /steps/0 WRONG_TYPE: a step is an object, but this is the text \"text\""),
        (
            "name: A\nsteps: [{action: test.read, params: [1]}]\n",
            "2:37 /steps/0/params WRONG_TYPE: \"params\" is an object, but this is a list",
        ),
        (
            "name: A\nsteps: [{action: test.read, needs: a}]\n",
            "2:36 /steps/0/needs WRONG_TYPE: \"needs\" is a list, but this is the text \"a\" (write [a])",
        ),
        (
            "name: A\nsteps: [{action: test.read, once: yes}]\n",
            "2:35 /steps/0/once WRONG_TYPE: \"once\" is true or false, but this is the text \"yes\"",
        ),
        (
            "name: A\nsteps: [{action: test.read, retry: 3}]\n",
            "2:36 /steps/0/retry WRONG_TYPE: \"retry\" is an object such as {max_attempts: 3}, but this is the number 3 (write {max_attempts: 3})",
        ),
        (
            "name: A\nsteps: [{action: test.read, on_error: ignore}]\n",
            "2:39 /steps/0/on_error INVALID_VALUE: \"on_error\" is fail, continue or a list of steps, not \"ignore\"",
        ),
        ("name: A\nsteps: [{action: test.read, join: some}]\n", "2:35 /steps/0/join INVALID_VALUE: \"join\" is all or any, not \"some\""),
        (
            "name: A\nsteps: [{action: test.read, for_each: inputs.x, max_parallel: 2000}]\n",
            "2:63 /steps/0/max_parallel INVALID_VALUE: \"max_parallel\" is a whole number from 1 to 1000, not 2000",
        ),
        (
            "name: A\nsteps: [{action: test.read, id: My-Step}]\n",
            "2:33 /steps/0/id INVALID_VALUE: \"id\" is a small letter, then up to 63 small letters, digits or _; \"My-Step\" is not (write my_step)",
        ),
        ("name: A\nsteps: [{action: test.read, if: }]\n", "2:29 /steps/0/if WRONG_TYPE: \"if\" is empty; write its value or remove it"),
        (
            "name: A\nsteps: [{action: test.read, if: 5}]\n",
            "2:33 /steps/0/if EXPRESSION_SYNTAX: an expression is text, true or false; this is a number",
        ),
        (
            "name: A\nsteps: [{action: test.read, credential: \"${inputs.x}\"}]\n",
            "2:41 /steps/0/credential INVALID_VALUE: \"credential\" is the plain name of a stored credential, never an expression",
        ),
    ]);
}

#[test]
fn durations() {
    all(&[
        (
            "name: A\nsteps: [{action: test.read, timeout: -5s}]\n",
            "2:38 /steps/0/timeout INVALID_DURATION: \"-5s\" is negative; a duration is zero or more",
        ),
        (
            "name: A\nsteps: [{action: test.read, timeout: 0}]\n",
            "2:38 /steps/0/timeout INVALID_DURATION: 0s is too short; at least 1ms is needed",
        ),
        (
            "name: A\ntimeout: 5 minutes\ndeadline: soon\nsteps: []\n",
            "2:10 /timeout INVALID_DURATION: \"5 minutes\" has the unknown unit \"minutes\"; write 5m\n3:11 /deadline INVALID_DURATION: \"soon\" is not a duration; write 500ms, 30s, 5m, 2h, 7d or a number of seconds",
        ),
        (
            "name: A\nsteps: [{action: test.read, retry: {delay: 5m, max_delay: 1m}}]\n",
            "2:59 /steps/0/retry/max_delay INVALID_VALUE: \"max_delay\" (1m) is shorter than \"delay\" (5m)",
        ),
    ]);
}

#[test]
fn fields_that_exclude_or_need_each_other() {
    all(&[
        (
            "name: A\nsteps: [{action: test.read, steps: []}]\n",
            "2:29 /steps/0/steps CONFLICTING_FIELDS: a step has either \"action\" or \"steps\", not both",
        ),
        ("name: A\nsteps: [{}]\n", "2:9 /steps/0 MISSING_FIELD: a step needs an \"action\", or \"steps\" as its body"),
        (
            "name: A\nsteps: [{action: test.read, batch: 3}]\n",
            "2:29 /steps/0/batch CONFLICTING_FIELDS: \"batch\" belongs to \"for_each\", which this step does not have",
        ),
        (
            "name: A\nsteps: [{steps: [], params: {}}]\n",
            "2:21 /steps/0/params CONFLICTING_FIELDS: \"params\" belongs to an action; this step has a body of steps",
        ),
        (
            "name: A\nsteps: [{action: test.read, for_each: inputs.x, repeat: {until: true}}]\n",
            "2:49 /steps/0/repeat CONFLICTING_FIELDS: a step has either \"for_each\" or \"repeat\", not both; put one into a step inside the other",
        ),
        (
            "name: A\nsteps: [{action: test.read, repeat: {max: 3}}]\n",
            "2:37 /steps/0/repeat MISSING_FIELD: \"repeat\" needs \"until\", the condition that ends it",
        ),
        (
            "name: A\nsteps: [{action: test.read, for_each: inputs.x, as: steps}]\n",
            "2:53 /steps/0/as INVALID_VALUE: \"steps\" already means something in expressions; give the item another name",
        ),
        (
            "name: A\nsteps: [{action: test.read, retry: {codes: [TIMEOUTT, HTTP_503, USER_X, transient, HTTP_5xx]}}]\n",
            "2:45 /steps/0/retry/codes/0 INVALID_VALUE: there is no error code or class \"TIMEOUTT\"; did you mean \"TIMEOUT\"? (write TIMEOUT)\n\
             2:84 /steps/0/retry/codes/4 INVALID_VALUE: there is no error code or class \"HTTP_5xx\"",
        ),
    ]);
}

#[test]
fn what_a_client_leaves_out_may_be_null() {
    let document = good(r#"{"name": "A", "description": null, "inputs": null, "steps": [{"id": null, "action": "test.read", "retry": null, "position": null}]}"#).document;
    assert_eq!(document, serde_json::json!({"name": "A", "steps": [{"action": "test.read"}]}));
}

#[test]
fn a_list_is_a_plan_with_those_steps() {
    let checked = good("- action: test.read\n- {provider: test, action: write}\n");
    assert_eq!(
        checked.document,
        serde_json::json!({"name": "Untitled plan", "steps": [{"action": "test.read"}, {"action": "test.write"}]})
    );
    all(&[(
        "- action: test.read\n- action: test.reed\n",
        "2:11 /1/action UNKNOWN_ACTION: the provider \"test\" has no action \"reed\"; did you mean \"read\"? (write test.read)",
    )]);
}

#[test]
fn a_tag_is_a_plain_name() {
    all(&[
        (
            "name: A\ntag: GPU\nsteps: []\n",
            "2:6 /tag INVALID_VALUE: \"tag\" is a small letter, then up to 63 small letters, digits, _ or -; \"GPU\" is not",
        ),
        (
            "name: A\nsteps: [{action: test.read, tag: '${inputs.a}'}]\n",
            "2:34 /steps/0/tag INVALID_VALUE: \"tag\" is a small letter, then up to 63 small letters, digits, _ or -; \"${inputs.a}\" is not",
        ),
    ]);
}
