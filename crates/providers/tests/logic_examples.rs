//! Every action's own example is run: params and output fit their schemas, and the output is the expected one.

use mainspring_model::action::{Outcome, ParamKind};
use mainspring_providers::apart::Apart;
use mainspring_providers::{logic, transform};
use serde_json::{Map, Value, json};

use crate::logic_fake::*;

/// What the expressions of the examples mean; the fake evaluates no text.
fn meaning(name: &str) -> Fake {
    match name {
        "logic.switch" => Fake::default()
            .with("cases.large", |locals| json!(locals["item"].as_i64() > Some(1000)))
            .with("cases.small", |locals| json!(locals["item"].as_i64() > Some(0))),
        "logic.filter" => Fake::default().with("where", |locals| json!(locals["item"]["total"].as_i64() > Some(100))),
        "logic.map" => Fake::default().with(
            "value",
            |locals| json!({"number": locals["index"], "text": format!("Hello {}", locals["item"]["name"].as_str().unwrap_or_default())}),
        ),
        _ => Fake::default(),
    }
}

fn expected(name: &str) -> Value {
    match name {
        "logic.if" => json!(true),
        "logic.switch" => json!(1500),
        "logic.set" => json!({"total": 42, "customer": {"name": "Ada"}}),
        "logic.transform" => json!("Paid: 42"),
        "logic.filter" => json!([{"name": "Ada", "total": 120}]),
        "logic.map" => json!([{"number": 0, "text": "Hello Ada"}, {"number": 1, "text": "Hello Bo"}]),
        "logic.sort" => json!([{"name": "Cy", "age": 41}, {"name": "Ada", "age": 36}, {"name": "Bo", "age": 36}]),
        "logic.group" => json!([
            {"key": "Oslo", "items": [{"city": "Oslo", "n": 1}, {"city": "Oslo", "n": 3}]},
            {"key": "Rome", "items": [{"city": "Rome", "n": 2}]},
        ]),
        "logic.aggregate" => json!([{"region": "EU", "orders": 2, "total": 42.5}, {"region": "US", "orders": 1, "total": 7}]),
        "logic.unique" => json!([{"email": "a@b.c", "n": 1}, {"email": "d@e.f", "n": 3}]),
        "logic.limit" => json!([3, 4]),
        "logic.merge" => json!([{"id": 1, "name": "Ada", "user": 1, "city": "Oslo"}, {"id": 2, "name": "Bo"}]),
        "logic.jq" => json!([{"n": 1, "tag": "a"}, {"n": 1, "tag": "b"}]),
        "logic.sleep" => json!({"sleep_until": NOW + 300_000}),
        "logic.call" => json!({"call": "Send invoice", "inputs": {"customer": "c_42"}, "wait": true}),
        "logic.respond" => json!({"status": 201, "headers": {"x-order": "42"}, "body": {"ok": true}}),
        "logic.stop" => json!({"stop": "nothing to do"}),
        "logic.fail" => json!({"fault": "USER_NO_STOCK: The item is sold out"}),
        "transform.json_parse" => json!({"paid": true, "items": [1, 2]}),
        "transform.json_stringify" => json!("{\"paid\":true,\"items\":[1,2]}"),
        "transform.jsonl_parse" => json!([{"id": 1}, {"id": 2}]),
        "transform.jsonl_format" => json!("{\"id\":1}\n\"two\"\nnull\n"),
        "transform.date_parts" => json!({
            "iso": "2026-03-01T09:30:00+01:00", "unix_ms": 1_772_353_800_000_i64, "year": 2026, "month": 3, "day": 1, "hour": 9, "minute": 30,
            "second": 0, "weekday": 7, "day_of_year": 60, "week": 9, "week_year": 2026, "days_in_month": 31, "leap_year": false,
            "timezone": "Europe/Oslo", "offset": "+01:00",
        }),
        "transform.date_add" => json!("2026-02-28T07:00:00+01:00"),
        "transform.date_diff" => json!(5),
        "transform.date_start_of" => json!("2026-04-01T00:00:00+02:00"),
        "transform.regex_test" => json!(true),
        "transform.regex_replace" => json!("01.03.2026 and 01.04.2026"),
        "transform.similarity" => json!([0.9, 0.0833]),
        "transform.url_build" => json!("https://shop.example/api/orders/A%2F7?q=caf%C3%A9+%26+more&tag=a&tag=b"),
        "transform.hex_encode" => json!("4772c3bcc39f65"),
        "transform.hex_decode" => json!("Grüße"),
        "transform.uuid" => json!("019ca945-0a00-7000-8f21-9b9a9eb97161"),
        "transform.xml_parse" => json!({"order": {"@id": "7", "item": ["pen", {"@n": "2", "#text": "cup"}], "note": null}}),
        "transform.xml_format" => json!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><order id=\"7\"><item>pen</item><item n=\"2\">cup &amp; saucer</item><note/></order>"
        ),
        "transform.html_select" => json!([{"name": "Pen", "link": "/1", "price": "2 €"}, {"name": "Cup", "link": "/2", "price": null}]),
        "transform.html_to_text" => json!("News\n\nTwo new trains:\n\n- Oslo\n- Bergen"),
        "transform.html_to_markdown" => json!("# News\n\nTwo **new** trains, see [the plan](https://rail.example/).\n\n- Oslo"),
        "transform.markdown_to_html" => json!(
            "<h1>News</h1>\n<p>Two <strong>new</strong> trains &amp; a <a href=\"https://rail.example/\">plan</a>.</p>\n&lt;script&gt;x()&lt;/script&gt;"
        ),
        "transform.template" => json!("Dear Ada,\n- Pen: 2.5 €\n"),
        "transform.zip_pack" => {
            json!({"base64": "UEsDBBQAAAAIAAAAIQBJrrbiEgAAABAAAAARAAAAcmVwb3J0L29yZGVycy5jc3bLTNEpyS9JzOHlMtcxMeLlAgBQSwMEFAAAAAgAAAAhAH+JVAgFAAAAAwAAAAgAAABsb2dvLmJpbmNgZAIAUEsBAhQDFAAAAAgAAAAhAEmutuISAAAAEAAAABEAAAAAAAAAAAAAAKSBAAAAAHJlcG9ydC9vcmRlcnMuY3N2UEsBAhQDFAAAAAgAAAAhAH+JVAgFAAAAAwAAAAgAAAAAAAAAAAAAAKSBQQAAAGxvZ28uYmluUEsFBgAAAAACAAIAdQAAAGwAAAAAAA==", "media_type": "application/zip", "size": 247})
        }
        "transform.xlsx_parse" | "transform.pdf_text" => {
            json!({"fault": "INVALID_INPUT: the base64 cannot be read: Invalid symbol 36, offset 0."})
        }
        "transform.xlsx_build" => json!({"sheet": "Orders", "sheets": ["Orders"], "rows": [{"id": 7, "total": 42.5}]}),
        "transform.zip_unpack" => json!([{"name": "a.csv", "size": 11}]),
        "transform.csv_parse" => json!([{"name": "Ada", "city": "Oslo, Norway", "age": 36}, {"name": "Bo", "city": null, "age": 41}]),
        "transform.csv_format" => json!("name,city,age\r\nAda,\"Oslo, Norway\",\r\n\"Bo \"\"B\"\"\",,41\r\n"),
        "transform.pick" => json!([{"number": 7, "name": "Ada"}]),
        "transform.omit" => json!([{"id": 7, "user": {"name": "Ada"}}]),
        "transform.rename" => json!([{"first_name": "Ada", "age": 36}]),
        "transform.flatten" => json!({"id": 7, "customer.name": "Ada", "customer.tags.0": "new", "customer.tags.1": "eu"}),
        "transform.unflatten" => json!({"id": 7, "customer": {"name": "Ada", "tags": ["new", "eu"]}}),
        "transform.date_format" => json!("Monday, 02 March 2026, 00:30"),
        "transform.number_format" => json!("1,234,567.01"),
        "transform.split_text" => json!(["red", "green", "blue"]),
        "transform.join_text" => json!("Ada · Bo · 7"),
        "transform.lines" => json!(["first", "second"]),
        "transform.regex_extract" => json!(["1041", "1042"]),
        "transform.url_parse" => json!({
            "scheme": "https", "username": "", "host": "shop.example", "port": 8443, "path": "/orders/7",
            "query": {"tag": ["a", "b"], "q": "café"}, "fragment": "top", "origin": "https://shop.example:8443",
        }),
        "transform.html_escape" => json!("Tom &amp; &lt;Jerry&gt;"),
        "transform.base64_encode" => json!("R3LDvMOfZQ=="),
        "transform.base64_decode" => json!("Grüße"),
        "transform.hash" => json!("b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72"),
        "logic.wait_for_event" => json!({"wait": {"kind": "event", "topic": "event:invoice.paid", "until": NOW + 14 * 86_400_000}}),
        "logic.wait_for_callback" => {
            json!({"wait": {"kind": "callback", "topic": "callback:${steps.open.output.id}", "until": NOW + 86_400_000}})
        }
        "logic.wait_for_triggers" => json!({"wait": {"kind": "triggers", "topic": "", "until": NOW + 2 * 86_400_000,
            "detail": {"all": ["order", "payment"]}}}),
        "logic.approval" => json!({"wait": {"kind": "approval", "topic": "approval:key", "until": NOW + 2 * 86_400_000,
            "detail": {"message": "Refund 120 € to Ada?", "to": [], "form": {}}}}),
        "logic.emit" => json!({"emit": "invoice.paid", "data": {"number": "R-7"}}),
        "logic.open_callback" => json!("open_callback"),
        other => panic!("say what the example of {other} gives"),
    }
}

/// An outcome as one value, so that one table holds what every example gives.
fn shown(outcome: Result<Outcome, mainspring_model::Fault>) -> Value {
    match outcome {
        Ok(Outcome::Done(output)) => output.value,
        Ok(Outcome::Held(until)) => json!({"held": until}),
        Ok(Outcome::SleepUntil(wake)) => json!({"sleep_until": wake}),
        Ok(Outcome::Wait(wait)) => json!({"wait": wait}),
        Ok(Outcome::Emit { event_type, data }) => json!({"emit": event_type, "data": data}),
        Ok(Outcome::OpenCallback) => json!("open_callback"),
        Ok(Outcome::Call { plan, inputs, wait }) => json!({"call": plan, "inputs": inputs, "wait": wait}),
        Ok(Outcome::Respond { status, headers, body }) => json!({"status": status, "headers": headers, "body": body}),
        Ok(Outcome::State(ask)) => json!({"state": ask.key}),
        Ok(Outcome::Stop(output)) => json!({"stop": output}),
        Err(fault) => json!({"fault": fault.to_string()}),
    }
}

#[test]
fn every_example_runs() {
    for provider in [logic::provider(&Apart::here()), transform::provider(&Apart::here())] {
        for action in &provider.actions {
            let spec = action.spec();
            let name = format!("{}.{}", provider.id, spec.name);
            let params = jsonschema::validator_for(&spec.params).unwrap();
            let wrong: Vec<_> = params.iter_errors(&spec.example).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{name}: the example does not fit its schema: {wrong:?}");

            let fields = spec.example.as_object().unwrap().clone();
            let per_item = |kind| matches!(kind, ParamKind::PerItem | ParamKind::PerItemTemplate | ParamKind::PerEvent);
            let given: Map<_, _> = fields.into_iter().filter(|(param, _)| !per_item(spec.param_kind(param))).collect();
            let got = outcome_of(&name, Value::Object(given), meaning(&name));
            let checked = matches!(got, Ok(Outcome::Done(_) | Outcome::Respond { .. }));
            let got = shown(got);
            let read = (name == "transform.xlsx_build").then(|| value("transform.xlsx_parse", json!({"workbook": got})));
            assert_eq!(read.as_ref().unwrap_or(&got).to_string(), expected(&name).to_string(), "{name}");
            if let Some(output) = spec.output.as_ref().filter(|_| checked) {
                let wrong: Vec<_> = jsonschema::validator_for(output).unwrap().iter_errors(&got).map(|error| error.to_string()).collect();
                assert!(wrong.is_empty(), "{name}: the output does not fit its schema: {wrong:?}");
            }
        }
    }
}

#[test]
fn every_action_is_described() {
    for provider in [logic::provider(&Apart::here()), transform::provider(&Apart::here())] {
        assert!(!provider.title.is_empty() && !provider.description.is_empty());
        for action in &provider.actions {
            let spec = action.spec();
            assert!(!spec.title.is_empty() && spec.description.ends_with('.'), "{}", spec.name);
            assert_eq!(action.ports(&spec.example)[0].name, "success", "{}", spec.name);
            let properties = spec.params.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
            for (param, schema) in &properties {
                let described = schema == &json!(true) || schema.get("description").is_some() || schema.get("enum").is_some();
                assert!(described, "{}.{param}: {schema}", spec.name);
                assert!(schema.get("$ref").is_none(), "{}.{param} is not inline: {schema}", spec.name);
            }
            for param in spec.param_kinds.keys() {
                assert!(properties.contains_key(param), "{}.{param}", spec.name);
            }
        }
    }
}
