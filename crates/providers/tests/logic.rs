//! Provider `logic`: the actions that branch, wait, answer and stop.

use std::collections::BTreeMap;

use mainspring_model::action::{Effect, Outcome, Output, Port};
use mainspring_model::{Class, Code, Fault};
use serde_json::{Value, json};

use crate::logic_fake::*;

#[test]
fn if_ends_in_the_port_of_the_condition() {
    for (condition, holds) in [
        (json!(true), true),
        (json!(false), false),
        (json!(null), false),
        (json!(0), false),
        (json!(0.0), false),
        (json!(-1), true),
        (json!([]), true),
        (json!({}), true),
    ] {
        let output = output_of("logic.if", json!({"condition": condition}), Fake::default());
        let port = if holds { "true" } else { "false" };
        assert_eq!(output, Output::new(Value::Bool(holds)).port(port), "{condition}");
    }
    let ports = action("logic.if").ports(&json!({}));
    assert_eq!(ports, [Port::main("success"), Port::main("true"), Port::side("false")]);
}

#[test]
fn if_refuses_text() {
    assert_eq!(
        error("logic.if", json!({"condition": "inputs.amount > 1000"})),
        "INVALID_PARAMS: \"condition\" is text (\"inputs.amount > 1000\"); it must be a condition, such as item.total > 100 or inputs.name != ''"
    );
    assert_eq!(error("logic.if", json!({})), "INVALID_PARAMS: if: missing field `condition`");
}

fn cases() -> Fake {
    Fake::default()
        .with("cases.large", |locals| json!(locals["item"].as_i64() > Some(1000)))
        .with("cases.positive", |locals| json!(locals["item"].as_i64() > Some(0)))
}

#[test]
fn switch_takes_the_first_case_that_holds() {
    for (number, label) in [(5000, "large"), (5, "positive")] {
        let output = output_of("logic.switch", json!({"value": number}), cases());
        assert_eq!(output, Output::new(json!(number)).port(label));
    }
    let output = output_of("logic.switch", json!({"value": -5, "default": "rest"}), cases());
    assert_eq!(output, Output::new(json!(-5)).port("rest"));
}

#[test]
fn switch_names_what_did_not_match() {
    assert_eq!(
        error_of("logic.switch", json!({"value": -5}), cases()),
        "INVALID_INPUT: no case holds for -5 and there is no \"default\"; the cases are large, positive"
    );
    let failing = Fake::default().failing("cases.a", Fault::new(Code::UNRESOLVED_REFERENCE, "item has no \"x\""));
    assert_eq!(error_of("logic.switch", json!({"value": {}}), failing), "UNRESOLVED_REFERENCE: case \"a\": item has no \"x\"");
    assert_eq!(
        error("logic.switch", json!({"value": 1})),
        "INVALID_PARAMS: \"cases\" is missing; it must be an object of label and condition"
    );
    assert_eq!(
        error_of("logic.switch", json!({"value": 1, "default": "Rest"}), cases()),
        "INVALID_PARAMS: \"Rest\" is not a label: it starts with a small letter and has only small letters, digits and _"
    );
    assert_eq!(
        error_of("logic.switch", json!({"value": 1}), cases().with("cases.error", |_| json!(true))),
        "INVALID_PARAMS: a case cannot be labelled \"error\": every step has that port"
    );
}

#[test]
fn switch_has_a_port_per_label() {
    let params = json!({"value": "${x}", "cases": {"b": "item", "a": "item", "skipped": "item", "Bad": "item"}, "default": "a"});
    assert_eq!(action("logic.switch").ports(&params), [Port::main("success"), Port::main("b"), Port::main("a")]);
    assert_eq!(action("logic.switch").ports(&json!({"default": "${inputs.x}"})), [Port::main("success")]);
    assert_eq!(output_of("logic.switch", json!({"value": 1, "default": "a"}), Fake::default().empty("cases")).port.as_deref(), Some("a"));
}

#[test]
fn set_and_transform_return_what_they_got() {
    let fields = json!({"b": 1, "a": {"c": [null, "x"]}, "items": 3, "for": 1});
    assert_eq!(value("logic.set", fields.clone()).to_string(), fields.to_string());
    assert_eq!(value("logic.transform", json!({"template": [1, "two"]})), json!([1, "two"]));
    assert_eq!(error("logic.transform", json!({})), "INVALID_PARAMS: transform: missing field `template`");
    let large = "x".repeat(17 << 20);
    let message = "LIMIT_EXCEEDED: the output is larger than 16 MiB; keep fewer items or fewer fields";
    assert_eq!(error("logic.set", json!({"large": large})), message);
    assert_eq!(error("logic.transform", json!({"template": large})), message);
}

#[test]
fn sleep_becomes_a_moment() {
    for (params, wake) in [
        (json!({"for": "5m"}), NOW + 300_000),
        (json!({"for": "1500ms"}), NOW + 1_500),
        (json!({"for": 2.5}), NOW + 2_500),
        (json!({"until": "2026-03-01T12:00:01Z"}), NOW + 1_000),
        (json!({"until": "2026-03-01T13:00:00.0005+00:00"}), NOW + 3_600_001),
        (json!({"until": "2026-03-01T14:00:00+01:00"}), NOW + 3_600_000),
    ] {
        assert_eq!(outcome("logic.sleep", params.clone()), Ok(Outcome::SleepUntil(wake)), "{params}");
    }
    for params in [json!({"for": 0}), json!({"until": "2026-03-01T12:00:00Z"}), json!({"until": "1969-01-01T00:00:00Z"})] {
        assert_eq!(outcome("logic.sleep", params.clone()), Ok(Outcome::Done(Output::new(Value::Null))), "{params}");
    }
    assert!(!action("logic.sleep").spec().computes);
}

#[test]
fn sleep_refuses_what_is_no_time() {
    for (params, message) in [
        (json!({}), "sleep needs \"for\" (such as 5m) or \"until\" (a moment)"),
        (json!({"for": "1s", "until": "2026-03-01T12:00:00Z"}), "sleep takes \"for\" or \"until\", not both"),
        (json!({"for": "-5m"}), "\"for\": \"-5m\" is negative; a duration is zero or more"),
        (json!({"for": -5}), "\"for\": \"-5\" is negative; a duration is zero or more"),
        (json!({"for": "200000d"}), "\"for\": \"200000d\" is longer than 36500d (100 years)"),
        (
            json!({"until": "2026-03-01T12:00:00"}),
            "\"until\" is \"2026-03-01T12:00:00\", not a moment with its offset such as 2026-03-01T09:00:00Z or …T09:00:00+01:00",
        ),
        (json!({"until": 5}), "\"until\" must be text such as 2026-03-01T09:00:00Z; it is a number"),
        (json!({"four": 5}), "sleep: unknown field `four`, expected `for` or `until`"),
    ] {
        assert_eq!(error("logic.sleep", params), format!("INVALID_PARAMS: {message}"));
    }
}

#[test]
fn call_waits_unless_told_not_to() {
    let call = |inputs, wait| Ok(Outcome::Call { plan: "Invoice".to_owned(), inputs, wait });
    assert_eq!(outcome("logic.call", json!({"plan": "Invoice"})), call(json!({}), true));
    assert_eq!(outcome("logic.call", json!({"plan": "Invoice", "inputs": {"a": 1}, "wait": false})), call(json!({"a": 1}), false));
    assert_eq!(error("logic.call", json!({"plan": " "})), "INVALID_PARAMS: \"plan\" is empty; it must be a plan's id or name");
    assert_eq!(error("logic.call", json!({"plan": "x", "inputs": [1]})), "INVALID_PARAMS: call: invalid type: sequence, expected a map");
    assert!(!action("logic.call").spec().computes);
}

#[test]
fn respond_gives_the_answer() {
    let answer = |status, headers: &[(&str, &str)], body| {
        let headers: BTreeMap<_, _> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Ok(Outcome::Respond { status, headers, body })
    };
    assert_eq!(outcome("logic.respond", json!({})), answer(200, &[], json!(null)));
    assert_eq!(
        outcome("logic.respond", json!({"status": 404, "headers": {"X-Count": 3, "X-Gone": null, "X-Ok": true}, "body": "no"})),
        answer(404, &[("x-count", "3"), ("x-ok", "true")], json!("no"))
    );
}

#[test]
fn respond_refuses_what_would_break_the_answer() {
    for (params, message) in [
        (json!({"status": 99}), "\"status\" must be from 200 to 599; it is 99"),
        (json!({"status": 101}), "\"status\" must be from 200 to 599; it is 101"),
        (json!({"status": 600}), "\"status\" must be from 200 to 599; it is 600"),
        (json!({"headers": {"x": "a\r\nset-cookie: b"}}), "the header \"x\" has a line break or another control character in its value"),
        (json!({"headers": {"x\r\ny": "a"}}), "\"x\\r\\ny\" is not a header name: letters, digits and - are allowed"),
        (json!({"headers": {"": "a"}}), "\"\" is not a header name: letters, digits and - are allowed"),
        (json!({"headers": {"X-A": "1", "x-a": "2"}}), "the header \"x-a\" is given twice"),
        (json!({"headers": {"Content-Length": 0}}), "the header \"content-length\" is set by the server and cannot be given"),
        (json!({"headers": {"x": ["a"]}}), "the header \"x\" must be text; it is a list"),
    ] {
        assert_eq!(error("logic.respond", params), format!("INVALID_PARAMS: {message}"));
    }
}

#[test]
fn stop_tells_null_from_nothing() {
    assert_eq!(outcome("logic.stop", json!({})), Ok(Outcome::Stop(None)));
    assert_eq!(outcome("logic.stop", json!({"output": null})), Ok(Outcome::Stop(Some(Value::Null))));
    assert_eq!(outcome("logic.stop", json!({"output": {"n": 1}})), Ok(Outcome::Stop(Some(json!({"n": 1})))));
    assert_eq!(error("logic.stop", json!({"result": 1})), "INVALID_PARAMS: stop: unknown field `result`, expected `output`");
}

#[test]
fn fail_has_the_authors_code() {
    let fault = outcome("logic.fail", json!({"code": "USER_NO_STOCK", "message": "sold out"})).unwrap_err();
    assert_eq!((fault.to_string().as_str(), fault.class, fault.retryable), ("USER_NO_STOCK: sold out", Class::User, false));
    for code in ["USER_", "USER_a", "TIMEOUT", "user_x", "USER_X-Y", ""] {
        assert_eq!(
            error("logic.fail", json!({"code": code, "message": "m"})),
            format!("INVALID_PARAMS: \"{code}\" is not a code of a plan's own; write USER_ and capital letters, such as USER_NO_STOCK")
        );
    }
    assert_eq!(error("logic.fail", json!({"code": "USER_X"})), "INVALID_PARAMS: fail: missing field `message`");
}

#[test]
fn only_waiting_and_calling_do_more_than_compute() {
    for action in mainspring_providers::logic::provider(&mainspring_providers::apart::Apart::here()).actions {
        let spec = action.spec();
        let tells = matches!(spec.name.as_str(), "emit" | "open_callback" | "approval");
        assert_eq!(spec.effect, if tells { Effect::Idempotent } else { Effect::Read }, "{}", spec.name);
        let waits = matches!(spec.name.as_str(), "sleep" | "call" | "wait_for_event" | "wait_for_callback" | "wait_for_triggers" | "jq");
        assert_eq!(spec.computes, !waits && !tells, "{}", spec.name);
        assert!(!spec.needs_credential, "{}", spec.name);
    }
}
