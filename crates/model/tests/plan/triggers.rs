//! Triggers: what is read, what is refused.

use std::time::Duration;

use mainspring_model::burst::Gather;
use mainspring_model::cron::Misfire;
use mainspring_model::plan::signature::{HmacAlgorithm, HmacEncoding, HmacForm, Service, Signature};
use mainspring_model::plan::trigger::{Email, Folder, PlanEnd, PollFirst, PollPer, Respond, TriggerKind, Webhook, WebhookAuth};

use super::{all, good};

fn with(trigger: &str) -> String {
    format!("name: A\ninputs: {{amount: {{type: number}}}}\ntriggers:\n  - {{{trigger}}}\nsteps: []\n")
}

#[test]
fn bad_triggers() {
    all(&[
        (&with("type: cron, cron: '61 * * * *'"), "4:24 /triggers/0/cron CRON_FIELD: minute: 61 is outside 0–59"),
        (
            &with("type: cron, cron: '0 9 * * *', timezone: Mars/Base"),
            "4:47 /triggers/0/timezone CRON_TIMEZONE: timezone: \"Mars/Base\" is not a known time zone; write an IANA name such as Europe/Berlin or UTC",
        ),
        (&with("type: cron"), "4:5 /triggers/0 MISSING_FIELD: this trigger needs \"cron\", the times, such as \"0 9 * * *\""),
        (
            &with("type: cron, cron: '@daily', expression: '@daily'"),
            "4:34 /triggers/0/expression CONFLICTING_FIELDS: \"expression\" is the earlier name of \"cron\"; write one of them",
        ),
        (
            &with("type: cron, cron: '@daily', misfire: never"),
            "4:43 /triggers/0/misfire INVALID_VALUE: \"misfire\" is fire_once, skip or fire_all, not \"never\"",
        ),
        (&with("type: interval, every: -5s"), "4:29 /triggers/0/every INVALID_DURATION: \"-5s\" is negative; a duration is zero or more"),
        (&with("type: interval, every: 10ms"), "4:29 /triggers/0/every INVALID_DURATION: 10ms is too short; at least 1s is needed"),
        (&with("type: interval"), "4:5 /triggers/0 MISSING_FIELD: this trigger needs \"every\", how long from one run to the next"),
        (&with("type: webhook"), "4:5 /triggers/0 MISSING_FIELD: this trigger needs \"path\", the part of the address after /api/webhook/"),
        (
            &with("type: webhook, path: /a/../b"),
            "4:27 /triggers/0/path INVALID_VALUE: the webhook's path has an empty part, \".\" or \"..\"",
        ),
        (&with("type: webhook, path: a b"), "4:27 /triggers/0/path INVALID_VALUE: the webhook's path has the character \" \""),
        (&with("type: webhook, path: /"), "4:27 /triggers/0/path INVALID_VALUE: the webhook's path is empty"),
        (
            &with("type: webhook, path: a, methods: [FETCH]"),
            "4:40 /triggers/0/methods/0 INVALID_VALUE: a webhook's method is GET, POST, PUT, PATCH or DELETE, not \"FETCH\"",
        ),
        (
            &with("type: webhook, path: a, auth: basic"),
            "4:5 /triggers/0 MISSING_FIELD: \"auth\" needs a \"credential\" to compare the caller's with",
        ),
        (
            &with("type: webhook, path: a, signature: github"),
            "4:5 /triggers/0 MISSING_FIELD: \"signature\" needs a \"credential\" with the secret that deliveries are signed by",
        ),
        (
            &with("type: webhook, path: a, credential: c, signature: githb"),
            "4:56 /triggers/0/signature INVALID_VALUE: \"signature\" is github, gitlab, stripe, slack, shopify, twilio, linear, discord, zendesk, typeform, standard_webhooks or hmac, not \"githb\" (write github)",
        ),
        (
            &with("type: webhook, path: a, credential: c, signature: null"),
            "4:45 /triggers/0/signature WRONG_TYPE: \"signature\" is empty; write its value or remove it",
        ),
        (
            &with("type: webhook, path: a, credential: c, signature: {header: 'a b', algo: sha256, encoding: text}"),
            "4:65 /triggers/0/signature/header INVALID_VALUE: \"a b\" is no name of a header\n4:72 /triggers/0/signature/algo UNKNOWN_FIELD: signature has no field \"algo\"; here it is called \"algorithm\" (write algorithm)\n4:96 /triggers/0/signature/encoding INVALID_VALUE: \"encoding\" is hex or base64, not \"text\"",
        ),
        (&with("type: interval, every: 5s, dedupe: a"), "4:33 /triggers/0/dedupe UNKNOWN_FIELD: a trigger has no field \"dedupe\""),
        (
            &with("type: webhook, path: a, dedupe: '${inputs.amount}'"),
            "4:41 /triggers/0/dedupe UNKNOWN_NAME: \"inputs\" is not in scope here; in scope are trigger and org",
        ),
        (
            &with("type: webhok, path: a"),
            "4:12 /triggers/0/type INVALID_VALUE: a trigger's \"type\" is cron, interval, webhook, form, folder, email, poll, event, plan_failed, plan_finished or manual, not \"webhok\" (write webhook)",
        ),
        (
            &with("path: a"),
            "4:5 /triggers/0 MISSING_FIELD: a trigger needs a \"type\": cron, interval, webhook, form, folder, email, poll, event, plan_failed, plan_finished or manual",
        ),
        (
            &with("type: webhook, path: a, inputs: {amout: 1}"),
            "4:39 /triggers/0/inputs/amout INVALID_INPUT: the plan has no input \"amout\"; did you mean \"amount\"? (write amount)",
        ),
        (
            &with("type: webhook, path: a, if: inputs.amount > 1"),
            "4:34 /triggers/0/if UNKNOWN_NAME: \"inputs\" is not in scope here; in scope are trigger and org",
        ),
        (
            &with("id: a, type: manual}\n  - {id: a, type: manual"),
            "5:10 /triggers/1/id DUPLICATE_ID: the id \"a\" is taken by another trigger",
        ),
        (
            &with("type: webhook, path: a, methods: [GET, POST]}\n  - {type: webhook, path: /a/, respond: last_step"),
            "5:27 /triggers/1/path CONFLICTING_FIELDS: the trigger \"trigger_1\" has this path and method, and one of the two answers with its run; it needs them for itself",
        ),
    ]);
}

#[test]
fn firings_are_brought_together() {
    all(&[
        (
            &with("type: cron, cron: '@daily', debounce: {for: 1s}"),
            "4:34 /triggers/0/debounce CONFLICTING_FIELDS: \"debounce\" cannot stand here: this trigger fires at its own times, which can be further apart; remove it",
        ),
        (
            &with("type: webhook, path: a, respond: step, batch: {size: 2, within: 1s}"),
            "4:45 /triggers/0/batch CONFLICTING_FIELDS: \"batch\" cannot stand here: \"respond\" answers each caller from a run of its own; write respond: immediately",
        ),
        (
            &with("type: webhook, path: a, debounce: {for: 1s}, batch: {size: 2, within: 1s}"),
            "4:51 /triggers/0/batch CONFLICTING_FIELDS: \"debounce\" runs the last firing and \"batch\" all of them; write one of the two",
        ),
        (
            &with("type: webhook, path: a, debounce: {}"),
            "4:40 /triggers/0/debounce MISSING_FIELD: \"debounce\" needs \"for\", how long no firing must have come, such as 30s",
        ),
        (
            &with("type: webhook, path: a, debounce: {for: 50ms}"),
            "4:46 /triggers/0/debounce/for INVALID_DURATION: 50ms is too short; at least 100ms is needed",
        ),
        (
            &with("type: webhook, path: a, debounce: {for: 8d}"),
            "4:46 /triggers/0/debounce/for INVALID_DURATION: 8d is too long; at most 7d is allowed",
        ),
        (
            &with("type: webhook, path: a, debounce: {for: 10s, max: 5s}"),
            "4:56 /triggers/0/debounce/max INVALID_VALUE: \"max\" is shorter than \"for\": the run would never wait for quiet",
        ),
        (
            &with("type: webhook, path: a, debounce: {for: 1s, period: 10s}"),
            "4:50 /triggers/0/debounce/period UNKNOWN_FIELD: debounce has no field \"period\"; here it is called \"for\" (write for)",
        ),
        (
            &with("type: webhook, path: a, batch: {size: 1001, within: 1s}"),
            "4:44 /triggers/0/batch/size INVALID_VALUE: \"size\" is a whole number from 1 to 1000, not 1001",
        ),
        (
            &with("type: webhook, path: a, batch: {size: 5, within: 1s, key: '${inputs.amount}'}"),
            "4:67 /triggers/0/batch/key UNKNOWN_NAME: \"inputs\" is not in scope here; in scope are trigger and org",
        ),
    ]);
    let text = "name: A\ninputs: {list: {type: array, required: true}}\ntriggers: [{type: webhook, path: a, batch: {size: 5, within: 1s}}]\nsteps: []\n";
    let problems = super::loaded(text).unwrap_err();
    assert_eq!((problems[0].code.as_str(), problems[0].pointer.as_str()), ("MISSING_FIELD", "/triggers/0"));
    assert_eq!(problems[0].expected.as_deref(), Some("inputs: {list: \"${trigger.batch}\"}"));
    for kind in ["type: manual", "type: interval, every: 5m", "type: poll, action: test.read, every: 5m, dedupe_key: item.id, per: batch"] {
        let problems = super::loaded(&with(&format!("{kind}, batch: {{size: 2, within: 1s}}"))).unwrap_err();
        assert_eq!((problems[0].code.as_str(), problems[0].pointer.as_str()), ("CONFLICTING_FIELDS", "/triggers/0/batch"), "{kind}");
    }
    let gathers: Vec<_> = [
        "type: webhook, path: a, debounce: {for: 30s, max: 10m, key: '{{trigger.body.order}}'}",
        "type: event, event_type: a.b, batch: {size: 100, within: 1m}",
        "type: form, path: a, debounce: {for: 100ms}",
        "type: plan_failed, batch: {size: 1, within: 7d}",
        "type: poll, action: test.read, every: 5m, dedupe_key: item.id, debounce: {for: 1s}",
        "type: folder, path: /a, debounce: {for: 1s}",
    ]
    .iter()
    .map(|trigger| {
        let checked = good(&with(trigger));
        let again = good(&checked.document.to_string());
        assert_eq!(checked.document, again.document);
        let burst = checked.plan.triggers[0].burst.clone().unwrap();
        (burst.gather, burst.key.is_some())
    })
    .collect();
    assert_eq!(
        gathers[..4],
        [
            (Gather::Debounce { quiet: 30_000, most: Some(600_000) }, true),
            (Gather::Batch { size: 100, within: 60_000 }, false),
            (Gather::Debounce { quiet: 100, most: None }, false),
            (Gather::Batch { size: 1, within: 604_800_000 }, false),
        ]
    );
    let document = good(&with("type: webhook, path: a, debounce: {for: 30s, key: '{{trigger.body.order}}'}")).document;
    assert_eq!(document["triggers"][0]["debounce"], serde_json::json!({"for": "30s", "key": "${trigger.body.order}"}));
}

#[test]
fn triggers_are_compiled() {
    let plan = good(
        "name: A\ninputs: {amount: {type: number}}\ntriggers:\n  - {type: cron, cron: '0 9 * * *', timezone: Europe/Berlin, misfire: skip}\n  - {type: cron, expression: '@daily'}\n  - {type: interval, every: 5m}\n  - {id: hook, type: webhook, path: /orders/new/, methods: [get, PUT, GET], auth: header, credential: shop, respond: step, if: trigger.body.type == 'x', key: \"${trigger.body.id}\", inputs: {amount: \"${trigger.body.amount}\"}}\n  - {type: manual}\nsteps: []\n",
    )
    .plan;
    let ids: Vec<&str> = plan.triggers.iter().map(|trigger| trigger.id.as_str()).collect();
    assert_eq!(ids, ["trigger_1", "trigger_2", "trigger_3", "hook", "trigger_5"]);
    assert!(
        matches!(&plan.triggers[0].kind, TriggerKind::Cron { expression, timezone: Some(zone), misfire: Misfire::Skip, .. } if expression == "0 9 * * *" && zone == "Europe/Berlin")
    );
    assert!(
        matches!(&plan.triggers[1].kind, TriggerKind::Cron { expression, timezone: None, misfire: Misfire::FireOnce, .. } if expression == "@daily")
    );
    assert!(matches!(&plan.triggers[2].kind, TriggerKind::Interval { every } if *every == Duration::from_secs(300)));
    let expected = Webhook {
        path: "orders/new".to_owned(),
        methods: vec!["GET".to_owned(), "PUT".to_owned()],
        auth: WebhookAuth::Header,
        signature: None,
        respond: Respond::Step,
    };
    assert!(matches!(&plan.triggers[3].kind, TriggerKind::Webhook(webhook) if *webhook == expected));
    let hook = &plan.triggers[3];
    assert!(hook.condition.is_some() && hook.key.is_some() && hook.inputs.as_ref().is_some_and(|inputs| inputs.len() == 1));
    assert_eq!(hook.credential.as_deref(), Some("shop"));
}

#[test]
fn triggers_that_listen() {
    let plan = good(
        "name: A\ntriggers:\n  - {type: event, event_type: invoice.paid, if: trigger.event.data.sum > 5}\n  - {type: plan_failed}\n  - {type: plan_finished, plan: B}\nsteps: []\n",
    )
    .plan;
    assert!(matches!(&plan.triggers[0].kind, TriggerKind::Event { event_type } if event_type == "invoice.paid"));
    let end = |plan: Option<&str>, failed_only| PlanEnd { plan: plan.map(str::to_owned), failed_only };
    assert!(matches!(&plan.triggers[1].kind, TriggerKind::PlanEnd(wanted) if *wanted == end(None, true)));
    assert!(matches!(&plan.triggers[2].kind, TriggerKind::PlanEnd(wanted) if *wanted == end(Some("B"), false)));
}

#[test]
fn triggers_that_poll() {
    let checked = good(
        "name: A\ninputs: {id: {type: integer}}\ntriggers:\n  - {id: feed, type: poll, action: test.read, params: {}, every: 5m, items: output.list, dedupe_key: '{{item.id}}', per: batch, first: all}\n  - {type: poll, action: test.read, cron: '0 9 * * *', timezone: Europe/Berlin, dedupe_key: item}\nsteps: []\n",
    );
    assert_eq!(checked.document["triggers"][0]["dedupe_key"], "${item.id}");
    let TriggerKind::Poll(poll) = &checked.plan.triggers[0].kind else { panic!("{:?}", checked.plan.triggers[0]) };
    assert_eq!((poll.rule.as_str(), poll.per, poll.first), ("every 5m", PollPer::Batch, PollFirst::All));
    assert!(poll.items.is_some());
    let TriggerKind::Poll(poll) = &checked.plan.triggers[1].kind else { panic!("{:?}", checked.plan.triggers[1]) };
    assert_eq!(
        (poll.rule.as_str(), poll.timezone.as_deref(), poll.per, poll.first),
        ("0 9 * * *", Some("Europe/Berlin"), PollPer::Item, PollFirst::Skip)
    );
}

#[test]
fn triggers_that_watch() {
    let plan = good(
        "name: A\ntriggers:\n  - {type: folder, path: /srv/in}\n  - {type: folder, path: /srv/in/, pattern: '*.csv', events: [modified], every: 1m, settle: 0s, first: all}\nsteps: []\n",
    )
    .plan;
    let folder = Folder {
        path: "/srv/in".to_owned(),
        pattern: "*".to_owned(),
        created: true,
        modified: false,
        every: Duration::from_secs(10),
        settle: Duration::from_secs(2),
        first: PollFirst::Skip,
    };
    assert!(matches!(&plan.triggers[0].kind, TriggerKind::Folder(found) if *found == folder), "{:?}", plan.triggers[0]);
    let TriggerKind::Folder(found) = &plan.triggers[1].kind else { panic!("{:?}", plan.triggers[1]) };
    assert_eq!((found.created, found.modified, found.every, found.settle), (false, true, Duration::from_secs(60), Duration::ZERO));
    assert_eq!((found.pattern.as_str(), found.first), ("*.csv", PollFirst::All));
    for (trigger, code, pointer) in [
        ("type: folder", "MISSING_FIELD", "/triggers/0"),
        ("type: folder, path: in", "INVALID_VALUE", "/triggers/0/path"),
        ("type: folder, path: /srv/../etc", "INVALID_VALUE", "/triggers/0/path"),
        ("type: folder, path: /srv/./in", "INVALID_VALUE", "/triggers/0/path"),
        ("type: folder, path: /in, pattern: a/b", "INVALID_VALUE", "/triggers/0/pattern"),
        ("type: folder, path: /in, pattern: ''", "INVALID_VALUE", "/triggers/0/pattern"),
        ("type: folder, path: /in, events: []", "INVALID_VALUE", "/triggers/0/events"),
        ("type: folder, path: /in, events: [deleted]", "INVALID_VALUE", "/triggers/0/events/0"),
        ("type: folder, path: /in, every: 10ms", "INVALID_DURATION", "/triggers/0/every"),
        ("type: folder, path: /in, settle: 2h", "INVALID_VALUE", "/triggers/0/settle"),
        ("type: folder, path: /in, recursive: true", "UNKNOWN_FIELD", "/triggers/0/recursive"),
    ] {
        let problems = super::loaded(&format!("name: A\ntriggers: [{{{trigger}}}]\nsteps: []\n")).unwrap_err();
        let found: Vec<(&str, &str)> = problems.iter().map(|problem| (problem.code.as_str(), problem.pointer.as_str())).collect();
        assert_eq!(found, [(code, pointer)], "{trigger}: {problems:?}");
    }
}

#[test]
fn triggers_that_read_mail() {
    let plan = good(
        "name: A\ntriggers:\n  - {type: email, credential: inbox}\n  - {type: email, mailbox: Orders/New, every: 5m, first: all, mark_seen: true}\nsteps: []\n",
    )
    .plan;
    let email = |mailbox: &str, seconds, first, mark_seen| Email {
        mailbox: mailbox.to_owned(),
        every: Duration::from_secs(seconds),
        first,
        mark_seen,
    };
    let found = plan.triggers.iter().map(|trigger| match &trigger.kind {
        TriggerKind::Email(found) => found.clone(),
        other => panic!("{other:?}"),
    });
    let expected = [email("INBOX", 60, PollFirst::Skip, false), email("Orders/New", 300, PollFirst::All, true)];
    assert_eq!(found.collect::<Vec<_>>(), expected);
    assert_eq!(plan.triggers[0].credential.as_deref(), Some("inbox"));
    for (trigger, code, pointer) in [
        ("type: email, mailbox: ''", "INVALID_VALUE", "/triggers/0/mailbox"),
        ("type: email, mailbox: \"A\\r\\nB\"", "INVALID_VALUE", "/triggers/0/mailbox"),
        ("type: email, mailbox: 7", "WRONG_TYPE", "/triggers/0/mailbox"),
        ("type: email, every: 10ms", "INVALID_DURATION", "/triggers/0/every"),
        ("type: email, first: some", "INVALID_VALUE", "/triggers/0/first"),
        ("type: email, mark_seen: yes please", "WRONG_TYPE", "/triggers/0/mark_seen"),
        ("type: email, unseen: true", "UNKNOWN_FIELD", "/triggers/0/unseen"),
    ] {
        let problems = super::loaded(&format!("name: A\ntriggers: [{{{trigger}}}]\nsteps: []\n")).unwrap_err();
        let found: Vec<(&str, &str)> = problems.iter().map(|problem| (problem.code.as_str(), problem.pointer.as_str())).collect();
        assert_eq!(found, [(code, pointer)], "{trigger}: {problems:?}");
    }
}

#[test]
fn bad_polls_and_forms() {
    for (trigger, code, pointer) in [
        ("type: poll, every: 5m, dedupe_key: item.id", "MISSING_FIELD", "/triggers/0"),
        ("type: poll, action: test.read, dedupe_key: item.id", "MISSING_FIELD", "/triggers/0"),
        ("type: poll, action: test.read, every: 5m", "MISSING_FIELD", "/triggers/0"),
        ("type: poll, action: test.read, every: 5m, cron: '@daily', dedupe_key: item", "CONFLICTING_FIELDS", "/triggers/0/cron"),
        ("type: poll, action: test.read, every: 5m, timezone: UTC, dedupe_key: item", "CONFLICTING_FIELDS", "/triggers/0/timezone"),
        ("type: poll, action: test.read, every: 1ms, dedupe_key: item", "INVALID_DURATION", "/triggers/0/every"),
        ("type: poll, action: test.read, cron: '61 * * * *', dedupe_key: item", "CRON_FIELD", "/triggers/0/cron"),
        ("type: poll, action: test.nothing, every: 5m, dedupe_key: item", "UNKNOWN_ACTION", "/triggers/0/action"),
        ("type: poll, action: logic.call, every: 5m, dedupe_key: item", "INVALID_VALUE", "/triggers/0/action"),
        ("type: poll, action: test.read, every: 5m, dedupe_key: steps.a.output", "UNKNOWN_STEP", "/triggers/0/dedupe_key"),
        ("type: poll, action: test.read, every: 5m, dedupe_key: item, items: inputs.x", "UNKNOWN_NAME", "/triggers/0/items"),
        ("type: poll, action: test.read, every: 5m, dedupe_key: item, first: never", "INVALID_VALUE", "/triggers/0/first"),
        ("type: form", "MISSING_FIELD", "/triggers/0"),
        ("type: form, path: 'a b'", "INVALID_VALUE", "/triggers/0/path"),
        ("type: form, path: a, auth: basic", "MISSING_FIELD", "/triggers/0"),
    ] {
        let problems = super::loaded(&with(trigger)).unwrap_err();
        let found: Vec<(&str, &str)> = problems.iter().map(|problem| (problem.code.as_str(), problem.pointer.as_str())).collect();
        assert!(found.contains(&(code, pointer)), "{trigger}: {found:?} has no {code} at {pointer}");
    }
}

#[test]
fn signatures_are_read() {
    let signature = |text: &str| {
        let text = format!(
            "name: A\ntriggers: [{{type: webhook, path: x, credential: c, signature: {text}, dedupe: '{{{{trigger.body.id}}}}'}}]\nsteps: []\n"
        );
        let checked = good(&text);
        assert_eq!(checked.document["triggers"][0]["dedupe"], "${trigger.body.id}");
        let trigger = &checked.plan.triggers[0];
        assert!(trigger.dedupe.is_some());
        match &trigger.kind {
            TriggerKind::Webhook(webhook) => webhook.signature.clone().unwrap(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(signature("stripe"), Signature::Service(Service::Stripe));
    assert_eq!(signature("standard_webhooks"), Signature::Service(Service::StandardWebhooks));
    let usual =
        HmacForm { header: "x-signature".to_owned(), algorithm: HmacAlgorithm::Sha256, encoding: HmacEncoding::Hex, prefix: String::new() };
    assert_eq!(signature("hmac"), Signature::Hmac(usual.clone()));
    assert_eq!(signature("{}"), Signature::Hmac(usual));
    let written = HmacForm {
        header: "x-my-sig".to_owned(),
        algorithm: HmacAlgorithm::Sha512,
        encoding: HmacEncoding::Base64,
        prefix: "v1=".to_owned(),
    };
    assert_eq!(signature("{header: X-My-Sig, algorithm: sha512, encoding: base64, prefix: 'v1='}"), Signature::Hmac(written));
}

#[test]
fn earlier_triggers_are_read() {
    let document = |trigger: &str| good(&format!(r#"{{"name": "A", {trigger}, "steps": []}}"#)).document["triggers"].clone();
    assert_eq!(
        document(r#""trigger": {"type": "cron", "cron_expression": "0 9 * * *"}"#),
        serde_json::json!([{"type": "cron", "cron": "0 9 * * *"}])
    );
    assert_eq!(
        document(r#""trigger": {"type": "schedule", "config": {"cron_expression": "0 9 * * *", "timezone": "UTC"}}"#),
        serde_json::json!([{"type": "cron", "cron": "0 9 * * *", "timezone": "UTC"}])
    );
    assert_eq!(
        document(r#""triggers": [{"type": "webhook", "config": {"webhook_path": "in", "webhook_secret": "s"}}]"#),
        serde_json::json!([{"type": "webhook", "path": "in"}])
    );
    assert_eq!(
        document(r#""trigger": {"type": "event", "config": {"event_source": "shop", "event_type": "paid"}}"#),
        serde_json::json!([{"type": "event", "event_type": "paid"}])
    );
    assert_eq!(document(r#""trigger": null"#), serde_json::Value::Null);
    all(&[(
        "{\"name\": \"A\", \"steps\": [],\n \"trigger\": {\"type\": \"cron\", \"config\": {\"cron_expression\": \"61 * * * *\"}}}",
        "2:60 /trigger/config/cron_expression CRON_FIELD: minute: 61 is outside 0–59",
    )]);
}
