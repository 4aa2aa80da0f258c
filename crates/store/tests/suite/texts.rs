//! What goes in comes out: hostile texts, whole numbers and large values, byte for byte.

use mainspring_model::event::AttemptStatus;
use mainspring_model::id::Owner;
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Committed, LogFilter, Standing};
use serde_json::{Value, json};

use super::make::{World, attempt, code, ending, page, plan_id};

fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        "\u{0}",
        "a\u{0}b\u{0}",
        "'; drop table runs; --",
        "\"quotes\" \\ and \\u0000 \\\" slashes/",
        "{\"kind\":\"finished\",\"blob\":{\"sha256\":\"x\"}}",
        "?1 $1 :a @b %s {{x}} ${y}",
        "line\r\nfeed\ttab\u{1}\u{1f}\u{7f}\u{85}\u{2028}\u{2029}",
        "\u{feff}\u{202e}right to left\u{200d}",
        "e\u{301} é 👩‍👩‍👧 𝕏 \u{10ffff}\u{ffff}\u{fffd}",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("x\u{0}\"'\\é".repeat(120_000));
    texts
}

pub async fn hostile_text_comes_back(world: &World) {
    for (n, text) in (10..).zip(hostile()) {
        let mut header = world.header_of(Owner::LOCAL, plan_id(n));
        header.plan_name = text.clone();
        header.environment = text.clone();
        header.inputs = json!({ text.as_str(): text });
        header.trigger = json!({"type": "webhook", "body": text});
        header.org = json!([text]);
        header.parent = Some((header.id, text.clone()));
        assert_eq!(world.commit(world.creation(&header, Standing::Running)).await, Committed::Done);
        assert_eq!(world.store.header(header.id).await.unwrap().as_ref(), Some(&header));
        let event = attempt(1, world.now(), &text, &text, AttemptStatus::Success, json!({"t": [text]}));
        let write = world.write(header.id, std::slice::from_ref(&event), Standing::Running);
        assert_eq!(world.commit(write).await, Committed::Done);
        assert_eq!(world.store.history(header.id).await.unwrap(), [event]);
        let logged =
            world.store.list_logs(Owner::LOCAL.org, &LogFilter { run: Some(header.id), ..LogFilter::default() }, &page(5)).await.unwrap();
        assert_eq!((&logged.items[0].step_id, &logged.items[0].provider, &logged.items[0].plan_name), (&text, &text, &text));
        let mut last = ending(RunStatus::Success);
        last.output = json!(text);
        assert_eq!(world.commit(world.write(header.id, &[], Standing::Ended(last.clone()))).await, Committed::Done);
        assert_eq!(world.store.ending(header.id).await.unwrap(), Some(last));

        let mut plan = world.plan(&text);
        plan.document = json!({"name": text});
        let stored = world.store.create_plan(plan_id(n), plan).await.unwrap();
        assert_eq!(world.store.get_plan(Owner::LOCAL.org, plan_id(n)).await.unwrap(), Some(stored));
        assert_eq!(world.store.plan_by_name(Owner::LOCAL.org, &text).await.unwrap().unwrap().id, plan_id(n));
    }
}

pub async fn whole_numbers_are_exact(world: &World) {
    let numbers: Vec<Value> = vec![
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(9_007_199_254_740_993_i64),
        json!(-1),
        json!(0.1),
        json!(1e300),
        json!(5e-324),
        json!(-0.0),
        json!(100.0),
    ];
    let header = {
        let mut header = world.header();
        header.inputs = json!({"n": numbers});
        header.created_at = i64::MAX - 1;
        header.seed = [0xff; 16];
        header.plan_version = u32::MAX;
        header
    };
    assert_eq!(world.commit(world.creation(&header, Standing::Running)).await, Committed::Done);
    assert_eq!(world.store.header(header.id).await.unwrap().as_ref(), Some(&header));
    let events: Vec<_> = (1..)
        .zip(&numbers)
        .map(|(seq, number)| attempt(seq, i64::from(seq), "n", "http", AttemptStatus::Success, number.clone()))
        .collect();
    assert_eq!(world.commit(world.write(header.id, &events, Standing::Running)).await, Committed::Done);
    let found = world.store.history(header.id).await.unwrap();
    assert_eq!(found, events);
    // Equality of values would let `100` pass for `100.0`.
    let texts = |events: &[mainspring_model::event::Event]| events.iter().map(|e| serde_json::to_string(e).unwrap()).collect::<Vec<_>>();
    assert_eq!(texts(&found), texts(&events));
}

pub async fn blobs(world: &World) {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let address = world.store.put_blob(Owner::LOCAL.org, bytes.clone()).await.unwrap();
    assert_eq!(address.len(), 64);
    assert_eq!(world.store.put_blob(Owner::LOCAL.org, bytes.clone()).await.unwrap(), address);
    assert_eq!(world.store.get_blob(Owner::LOCAL.org, &address).await.unwrap(), bytes);
    assert_eq!(code(world.store.get_blob(Owner::LOCAL.org, "../../../etc/passwd").await), "INVALID_REQUEST");
    assert_eq!(code(world.store.get_blob(Owner::LOCAL.org, &"0".repeat(64)).await), "NOT_FOUND");
    assert_eq!(code(world.store.put_blob(Owner::LOCAL.org, vec![0; 16 * 1024 * 1024 + 1]).await), "PAYLOAD_TOO_LARGE");
    assert!(world.store.put_blob(Owner::LOCAL.org, vec![0; 16 * 1024 * 1024]).await.is_ok());
}

pub async fn deep_values_come_back(world: &World) {
    let deep = |levels: usize| (0..levels).fold(json!("core"), |inner, n| if n % 2 == 0 { json!([inner]) } else { json!({ "in": inner }) });
    let mut header = world.header();
    header.inputs = deep(200);
    assert_eq!(world.commit(world.creation(&header, Standing::Running)).await, Committed::Done);
    let event = attempt(1, world.now(), "a", "http", AttemptStatus::Success, deep(200));
    assert_eq!(world.commit(world.write(header.id, std::slice::from_ref(&event), Standing::Running)).await, Committed::Done);
    assert_eq!(world.store.header(header.id).await.unwrap(), Some(header.clone()));
    assert_eq!(world.store.history(header.id).await.unwrap(), [event]);
    let logged = world.store.list_logs(Owner::LOCAL.org, &LogFilter::default(), &page(5)).await.unwrap();
    assert_eq!(logged.items[0].provider, "http");
}
