//! Times that mean nothing: a minute that no clock shows, a zone that is nowhere, a length below zero.

use serde_json::json;

use super::running::Running;
use super::texts::same;

const ZONE: &str = "timezone: \"Europe/Berln\" is not a known time zone; did you mean Europe/Berlin?";
const NOWHERE: &str = "timezone: \"Mars/Base\" is not a known time zone; write an IANA name such as Europe/Berlin or UTC";
const NEGATIVE: &str = "\"-5s\" is negative; a duration is zero or more";

#[tokio::test]
async fn schedules_are_refused_at_every_door() {
    let mut server = Running::start().await;
    let id = server.save(&json!({"name": "Digest", "steps": [{"action": "logic.set"}]})).await;
    let path = format!("/api/plans/{id}/schedule");
    let mut said = Vec::new();
    for (cron, zone, expected) in [
        ("61 * * * *", "UTC", "422 /cron_expression CRON_FIELD: minute: 61 is outside 0–59".to_owned()),
        ("* * * * *", "Europe/Berln", format!("422 /timezone CRON_TIMEZONE: {ZONE} | write Europe/Berlin")),
        ("* * * * *", "Mars/Base", format!("422 /timezone CRON_TIMEZONE: {NOWHERE}")),
    ] {
        let reply = server.post(&path, &json!({"cron_expression": cron, "timezone": zone})).await;
        said.push((format!("schedule {cron} {zone}"), format!("{} {}", reply.status, reply.findings().join("\n")), expected));
    }
    for (trigger, expected) in [
        (r#"{"type": "cron", "cron": "61 * * * *"}"#, "1:89 /triggers/0/cron CRON_FIELD: minute: 61 is outside 0–59".to_owned()),
        (
            r#"{"type": "cron", "cron": "* * * * *", "timezone": "Europe/Berln"}"#,
            format!("1:114 /triggers/0/timezone CRON_TIMEZONE: {ZONE} | write Europe/Berlin"),
        ),
    ] {
        let document = format!(r#"{{"name": "Bad", "steps": [{{"action":"logic.set"}}], "triggers":[{trigger}]}}"#);
        let reply = server.ask("POST", "/api/plans", document).await;
        said.push((trigger.to_owned(), reply.findings().join("\n"), expected));
    }
    for (args, expected) in [
        (&["schedule", "next", "61 * * * *"][..], "error[CRON_FIELD]: \"61 * * * *\": minute: 61 is outside 0–59\n".to_owned()),
        (&["schedule", "next", "* * * * *", "--tz", "Mars/Base"], format!("error[CRON_TIMEZONE]: \"* * * * *\": {NOWHERE}\n")),
    ] {
        let done = server.place.run(args);
        said.push((args.join(" "), format!("{} {}", done.code, done.err), format!("3 {expected}")));
    }
    same(&said);
    assert_eq!(server.get("/api/scheduler/jobs").await.body, json!({"jobs": [], "total": 0}), "nothing was scheduled");
    server.whole().await;
}

#[tokio::test]
async fn negative_durations_are_refused_wherever_they_come_from() {
    let mut server = Running::start().await;
    let document = r#"{"name": "Bad", "steps": [{"id": "a", "action": "logic.set", "timeout": "-5s"}]}"#;
    let reply = server.ask("POST", "/api/plans", document).await;
    let expected = format!("1:73 /steps/0/timeout INVALID_DURATION: {NEGATIVE} | expected 500ms, 30s, 5m, 2h, 7d or a number of seconds");
    assert_eq!((reply.status, reply.findings().join("\n")), (422, expected));
    // One that a step made shows only in the run.
    let steps = vec![
        json!({"id": "made", "action": "logic.set", "params": {"length": "-5s"}}),
        json!({"id": "nap", "action": "logic.sleep", "params": {"for": "${steps.made.output.length}"}}),
    ];
    assert_eq!(server.failure(steps).await, format!("nap INVALID_PARAMS: \"for\": {NEGATIVE}"));
    let done = server.place.run(&["run", "plan.yaml", "--timeout=-5s"]);
    let expected = format!("error: invalid value '-5s' for '--timeout <DURATION>': {NEGATIVE}\n\nFor more information, try '--help'.\n");
    assert_eq!((done.code, done.err), (2, expected));
    server.whole().await;
}
