//! The four earlier dialects, each in its own words.

use serde_json::{Value, json};

use super::{all, good};

#[track_caller]
fn translated(text: &str) -> (Value, Vec<String>) {
    let checked = good(text);
    // What was made loads as it is, without further notes.
    let again = good(&checked.document.to_string());
    assert_eq!(again.document, checked.document);
    assert_eq!(again.notes, Vec::<String>::new());
    (checked.document, checked.notes)
}

#[test]
fn flat_steps_with_a_single_trigger() {
    let (document, notes) = translated(
        r#"{"name":"Morning digest","original_prompt":"summarise and post","trigger":{"type":"cron","cron_expression":"0 9 * * *"},
            "steps":[{"plan_name":"Morning digest","provider":"openai","action":"chat_completion","params":{"prompt":"Three facts about rivers"}},
                     {"provider":"webhook","action":"post_request","params":{"action":"post_request","url":"https://hooks.example/x","payload":{"text":"${steps.0.output}"}}}]}"#,
    );
    assert_eq!(
        document,
        json!({
            "name": "Morning digest", "original_prompt": "summarise and post", "triggers": [{"type": "cron", "cron": "0 9 * * *"}],
            "steps": [
                {"action": "openai.chat_completion", "params": {"prompt": "Three facts about rivers"}},
                {"action": "webhook.post_request", "params": {"url": "https://hooks.example/x", "payload": {"text": "${steps.0.output}"}}},
            ],
        })
    );
    assert_eq!(
        notes,
        [
            "\"trigger\" is now the only one of \"triggers\"",
            "/trigger: \"cron_expression\" is now \"cron\"",
            "\"plan_name\" was dropped from the steps: the plan has it",
            "/steps/1/params: \"action\" was dropped, as it repeats the step's action",
        ]
    );
}

#[test]
fn the_older_builder() {
    let (document, notes) = translated(
        r#"{"name":"Old","user_id":"u1","steps":[
            {"order":2,"provider":"openai","action_id":"chat_completion","action_name":"Chat","params":{"prompt":"Say {{step_1.output.title}}"},
             "description":"talks","type":"action","condition":null,"else_jump":null,"loop_config":null,"retries":2},
            {"order":1,"provider":"test","action_id":"read","params":{},"type":"action"},
            {"order":3,"type":"condition","condition":"{{step_2.output}} == yes","else_jump":5},
            {"order":4,"provider":"test","action_id":"write","params":{"text":"{{step_2.output}}"}},
            {"order":5,"provider":"test","action_id":"write","params":{"text":"done {{step_4.success}}"}}]}"#,
    );
    assert_eq!(
        document,
        json!({
            "name": "Old",
            "steps": [
                {"action": "test.read"},
                {"name": "Chat", "notes": "talks", "action": "openai.chat_completion", "params": {"prompt": "Say ${steps.step_1.output.title}"},
                 "retry": {"max_attempts": 3, "delay": "1s", "factor": 1.0}},
                {"action": "logic.if", "params": {"condition": "${`${steps.step_2.output}` == \"yes\"}"}},
                {"action": "test.write", "params": {"text": "${steps.step_2.output}"}},
                {"action": "test.write", "params": {"text": "done ${(steps.step_4.status == 'success')}"}, "needs": ["step_4", "step_3:false"], "join": "any"},
            ],
        })
    );
    for note in [
        "\"user_id\" was dropped: a plan belongs to the caller who saves it",
        "the steps now stand in the order that \"order\" gives",
        "/steps/0: \"retries\" is now \"retry\": one attempt more than retries, a second apart",
        "/steps/2: the type \"condition\" is now the action \"logic.if\"",
        "/steps/2/else_jump: the jump is now an edge from the port \"false\"",
        "\"{{step_N.…}}\" is now \"${steps.<id>.…}\"",
    ] {
        assert!(notes.iter().any(|known| known == note), "{note}\n{notes:#?}");
    }
}

#[test]
fn earlier_loops_and_conditions() {
    let (document, _) = translated(
        r#"{"name":"Loop","steps":[
            {"order":1,"provider":"test","action":"read"},
            {"order":2,"provider":"test","action":"write","type":"loop","loop_config":{"items_source":"step_1.output","max_iterations":10},"params":{"x":"{{item.name}}"}},
            {"order":3,"provider":"test","action":"write","type":"loop","loop_config":{"items_source":{"items":["a","b"]}},"params":{"x":"{{item}} {{nothing}}"}},
            {"order":4,"type":"condition","condition":"{{step_1.output.title}} != 'x y'"},
            {"order":5,"type":"condition","condition":"{{step_2.output}}","else_jump":6}]}"#,
    );
    assert_eq!(document["steps"][1]["for_each"], "(steps.step_1.output.items ?? steps.step_1.output).slice(0, 10)");
    assert_eq!(document["steps"][1]["params"]["x"], "${item.name}");
    assert_eq!(document["steps"][2]["for_each"], json!(["a", "b"]));
    assert_eq!(document["steps"][2]["params"]["x"], "${item} {{nothing}}");
    assert_eq!(document["steps"][3]["params"]["condition"], "${`${steps.step_1.output.title}` != \"x y\"}");
    assert_eq!(document["steps"][4]["params"]["condition"], "${!!steps.step_2.output}");
}

#[test]
fn the_assistants_dialect() {
    let (document, notes) = translated(
        r#"{"name":"Agent","steps":[
            {"id":"step_1","name":"Read","provider":"test","action":"read","parameters":{"q":"x"}},
            {"id":"step_2","provider":"test","action":"write","parameters":{"data":"step_1","list":["step_1"],"s":"about step_1"},"depends_on":"step_1"},
            {"id":"Third Step","provider":"test","action":"write","parameters":{"data":"step_1"},"depends_on":["step_2"]},
            {"id":"step_4","provider":"test","action":"write","parameters":{"data":"step_2"},"depends_on":["Third Step"]},
            {"id":"step_5","provider":"test","action":"write","parameters":{"data":"step_3"},"depends_on":[]}]}"#,
    );
    assert_eq!(
        document["steps"],
        json!([
            {"id": "step_1", "name": "Read", "action": "test.read", "params": {"q": "x"}},
            {"id": "step_2", "action": "test.write", "params": {"data": "${steps.step_1.output}", "list": ["${steps.step_1.output}"], "s": "about step_1"}, "needs": ["step_1"]},
            {"id": "third_step", "action": "test.write", "params": {"data": "${steps.step_1.output}"}, "needs": ["step_2"]},
            {"id": "step_4", "action": "test.write", "params": {"data": "${steps.step_2.output}"}, "needs": ["third_step"]},
            {"id": "step_5", "action": "test.write", "params": {"data": "${steps.third_step.output}"}, "needs": ["third_step"]},
        ])
    );
    assert!(notes.iter().any(|note| note == "/steps/4: \"third_step\" was added to \"needs\", as the step reads it"), "{notes:#?}");
}

#[test]
fn plan_json_and_its_neighbours() {
    let (document, _) = translated(
        r#"{"name":"P","plain_english_steps":["Read it","Write it"],"required_providers":["test"],"enabled":true,
            "plan_json":"[{\"provider\":\"test\",\"action\":\"read\"},{\"provider\":\"test\",\"action\":\"write\",\"params\":{\"x\":\"{{step_1.output}}\"}}]"}"#,
    );
    assert_eq!(
        document,
        json!({"name": "P", "description": "Read it\nWrite it", "steps": [{"action": "test.read"}, {"action": "test.write", "params": {"x": "${steps.step_1.output}"}}]})
    );
    all(&[
        (
            r#"{"name":"P","plan_json":{"steps":[{"provider":"test","action":"red"}]}}"#,
            "1:63 /plan_json/steps/0/action UNKNOWN_ACTION: the provider \"test\" has no action \"red\"; did you mean \"read\"? (write test.read)",
        ),
        (
            r#"{"name":"P","plan_json":"[}"}"#,
            "1:25 /plan_json SYNTAX: the JSON text in \"plan_json\" cannot be read: expected a value, found \"}\"",
        ),
    ]);
}

#[test]
fn counting_from_zero_or_from_one() {
    let steps = |second: &str, third: &str| {
        format!(
            r#"{{"name":"N","steps":[{{"action":"test.read"}},{{"action":"test.write","params":{{"x":"{second}"}}}},{{"action":"test.write","params":{{"x":"{third}"}}}}]}}"#
        )
    };
    let (document, _) = translated(&steps("{{step_1.output}}", "{{step_2.output}} ${steps.step_1.output}"));
    assert_eq!(document["steps"][2]["params"]["x"], "${steps.step_2.output} ${steps.step_1.output}");
    let (document, notes) = translated(&steps("{{step_0.output.title}}", "{{ step_1.output }} ${steps.step_0.output}"));
    assert_eq!(document["steps"][1]["params"]["x"], "${steps.step_1.output.title}");
    assert_eq!(document["steps"][2]["params"]["x"], "${steps.step_2.output} ${steps.step_1.output}");
    assert_eq!(notes[0], "the document counts its steps from 0 (it uses step_0); every reference now names its step's id");
    all(&[
        (
            &steps("{{step_0.output}}", "{{step_3.output}}"),
            "1:21 /steps MIXED_NUMBERING: the document counts its steps from 0 (it uses step_0) and from 1 (it uses step_3, the last of 3); count them in one way",
        ),
        (
            &steps("{{step_1.output}}", "{{step_9.output}}"),
            "1:144 /steps/2/params/x UNKNOWN_STEP: there is no step \"step_9\"; did you mean \"step_1\"? (write step_1)",
        ),
        (&steps("step_1", "step_0"), "passed"),
    ]);
}

#[test]
fn what_cannot_be_translated_is_said() {
    all(&[(
        r#"{"name":"B","steps":[{"order":1,"provider":"test","action":"read"},{"order":2,"type":"condition","condition":"{{step_1.output}}","else_jump":1},{"order":3,"action":"test.read","type":"magic","retries":-1}]}"#,
        "1:142 /steps/1/else_jump UNTRANSLATABLE: \"else_jump\" leads back; write the steps that repeat as the body of a \"repeat\"\n\
         1:184 /steps/2/type UNTRANSLATABLE: the earlier step type \"magic\" is not known; it was action, condition or loop\n\
         1:202 /steps/2/retries UNTRANSLATABLE: \"retries\" is a whole number from 0 to 99, not -1",
    )]);
}

#[test]
fn present_documents_are_not_older_ones() {
    let checked = good("name: A\nsteps: [{action: test.write, params: {x: step_1, action: other}}]\n");
    assert_eq!(checked.document["steps"][0]["params"], json!({"x": "step_1", "action": "other"}));
    assert_eq!(checked.notes, Vec::<String>::new());
}
