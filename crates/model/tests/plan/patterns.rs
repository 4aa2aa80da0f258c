//! Pattern documents of the earlier orchestrator, as plans.

use serde_json::{Value, json};

use super::{good, loaded};

fn all(text: &str) -> Vec<mainspring_model::Problem> {
    loaded(text).unwrap_err()
}

fn pattern(steps: Value) -> String {
    json!({"id": "quick_look", "name": "Quick look", "inputs": {"portfolio_id": {"type": "uuid", "required": true}, "deep": {"type": "boolean", "default": false}},
        "steps": steps, "outputs": ["valued", "sectors", "nowhere"]})
    .to_string()
}

#[track_caller]
fn steps(written: Value) -> Value {
    let checked = good(&pattern(written));
    assert_eq!(good(&checked.document.to_string()).document, checked.document, "it loads as what it became");
    checked.document["steps"].clone()
}

#[test]
fn a_pattern_is_a_plan_of_its_id() {
    let checked = good(&pattern(json!([
        {"capability": "portfolio.get_valued_positions", "as": "valued", "args": {"portfolio_id": "{{inputs.portfolio_id}}", "pack_id": "{{ctx.pricing_pack_id}}"}},
        {"capability": "test.read", "as": "sectors", "condition": "{{inputs.deep}} == true", "args": {"text": "{{valued.positions}}"}, "fallback": {}}])));
    let document = &checked.document;
    assert_eq!((&document["name"], &document["vars"]["pattern"]["id"]), (&json!("quick_look"), &json!("quick_look")));
    assert_eq!(
        document["steps"][0],
        json!({"id": "valued", "name": "portfolio.get_valued_positions", "action": "logic.call", "params": {
            "plan": "portfolio.get_valued_positions",
            "inputs": {"portfolio_id": "${[inputs].map(v => \"portfolio_id\" in v ? v[\"portfolio_id\"] : null)[0]}",
                "pack_id": "${[inputs.ctx].map(v => \"pricing_pack_id\" in v ? v[\"pricing_pack_id\"] : null)[0]}"}}})
    );
    let second = &document["steps"][1];
    assert_eq!((&second["action"], &second["name"]), (&json!("test.read"), &json!("test.read")), "there is an action of this name");
    assert_eq!(second["if"], "((inputs?.[\"deep\"] ?? null) == true)");
    assert_eq!(document["output"], json!({"valued": "${steps.valued.output}", "sectors": "${steps.sectors.output}", "nowhere": null}));
    assert_eq!(document["inputs"]["portfolio_id"], json!({"type": "string", "format": "uuid", "required": true}));
    assert!(checked.notes.iter().any(|note| note.contains("\"fallback\" was dropped")), "{:?}", checked.notes);

    // What the answer rests on must be there.
    let plan = &checked.plan;
    let inputs = |ctx: Value| plan.inputs.accept(&json!({"portfolio_id": "0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10", "ctx": ctx})).is_ok();
    assert!(inputs(json!({"pricing_pack_id": "PP_1"})));
    assert!(!inputs(json!({})) && !inputs(json!({"pricing_pack_id": null})), "no pack, no run");
}

#[test]
fn conditions_have_their_words_precedence_and_mind_quotes() {
    let condition = |text: &str| {
        steps(json!([{"capability": "test.read", "as": "valued"}, {"capability": "test.read", "as": "b", "condition": text}]))[1]["if"]
            .clone()
    };
    let deep = "(inputs?.[\"deep\"] ?? null)";
    assert_eq!(condition("{{inputs.deep}}"), format!("!!({deep})"));
    assert_eq!(
        condition("{{valued.x}} == 'a and b' or not {{inputs.deep}} and {{valued.n}} > 2"),
        format!(
            "((steps.valued.output?.[\"x\"] ?? null) == \"a and b\") || !(!!({deep})) && ((steps.valued.output?.[\"n\"] ?? null) != null && 2 != null && \
             (steps.valued.output?.[\"n\"] ?? null) > 2)"
        )
    );
    assert_eq!(condition("{{valued.list.length}} >= 1 and {{valued}} is not None").as_str().unwrap().matches("&&").count(), 3);
    assert_eq!(
        condition("{{valued.kind}} in ['etf', \"fund\"]"),
        "([\"etf\", \"fund\"] ?? []).includes((steps.valued.output?.[\"kind\"] ?? null))"
    );
    for wrong in ["{{inputs.deep}} ==", "({{inputs.deep}}", "{{inputs.deep", "__import__('os')", "{{valued.x}} == 1 ; 2"] {
        let text =
            pattern(json!([{"capability": "test.read", "as": "valued"}, {"capability": "test.read", "as": "b", "condition": wrong}]));
        let problems = all(&text);
        assert!(problems.iter().any(|problem| problem.code == "UNTRANSLATABLE"), "{wrong}: {problems:?}");
    }
}

#[test]
fn a_step_sees_what_stands_before_it_and_not_itself() {
    let named = steps(
        json!([{"capability": "test.read"}, {"capability": "test.read", "args": {"text": "{{last.x}}"}}, {"capability": "test.read", "args": {"text": "{{last}}"}}]),
    );
    assert_eq!(named[1]["params"]["text"], "${[steps.last.output].map(v => \"x\" in v ? v[\"x\"] : null)[0]}");
    assert_eq!(named[2]["params"]["text"], "${steps.last_2.output}", "the nearest of a name");
    for (step, at) in [
        (json!({"capability": "test.read", "as": "own", "args": {"text": "{{own.x}}"}}), "/steps/0/args/text"),
        (json!({"capability": "test.read", "as": "own", "args": {"text": "{{later.x}}"}}), "/steps/0/args/text"),
        (json!({"capability": "test.read", "as": "own", "args": {"text": "{{inputs.portfolio}}"}}), "/steps/0/args/text"),
    ] {
        let problems = all(&pattern(json!([step, {"capability": "test.read", "as": "later"}])));
        assert!(problems.iter().any(|problem| problem.code == "UNKNOWN_STEP" && problem.pointer == at), "{problems:?}");
    }
    assert!(all(r#"{"name": "x", "steps": [{"capability": "test.read"}]}"#).iter().any(|problem| problem.code == "MISSING_FIELD"));
}

#[test]
fn text_around_a_template_stays_text() {
    let made = steps(json!([{"capability": "test.read", "as": "valued", "args": {"text": "costs ${5} for {{inputs.deep}}"}}]));
    assert_eq!(made[0]["params"]["text"], "costs $${5} for ${[inputs].map(v => \"deep\" in v ? v[\"deep\"] : null)[0]}");
}
