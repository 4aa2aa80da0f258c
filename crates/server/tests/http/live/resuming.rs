//! Going on after a cut: a run without a gap or a double, a list from the ring or with a word that it is not.

use serde_json::json;

use super::client::{Serving, kinds, seqs};

const ITEMS: usize = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_read_on_from_any_place_without_a_gap_or_a_double() {
    let serving = Serving::dev().await;
    // More rows than the ring keeps and than one page of the journal has.
    let plan = json!({"name": "Many", "steps": [
        {"id": "each", "for_each": (0..ITEMS).collect::<Vec<_>>(), "steps": [{"id": "n", "action": "logic.set", "params": {"n": "${item}"}}]},
        {"id": "wait", "action": "logic.sleep", "params": {"for": "1200ms"}},
        {"id": "last", "action": "logic.set"}]});
    let plan = serving.world.plan(plan).await;
    let run = serving.start(&plan, false).await;
    let topic = format!("run:{run}");
    let mut whole = serving.socket().await;
    whole.subscribe(&topic, None).await;
    let all = seqs(&whole.until("end").await);
    assert!(all.len() > ITEMS && all.windows(2).all(|pair| pair[0] < pair[1]), "{all:?}");
    // Cut again and again, at what was seen last.
    let mut seen: Vec<u64> = Vec::new();
    loop {
        let mut socket = serving.socket().await;
        let after = seen.last().map_or_else(|| "0".to_owned(), u64::to_string);
        socket.subscribe(&topic, Some(&after)).await;
        let mut frames = Vec::new();
        while frames.len() < 37 && frames.last().is_none_or(|frame: &serde_json::Value| frame["type"] != "end") {
            frames.push(socket.next().await);
        }
        seen.extend(seqs(&frames));
        if frames.last().is_some_and(|frame| frame["type"] == "end") {
            break;
        }
    }
    assert_eq!(seen, all);
    // A place that was never given is said to be none.
    let mut socket = serving.socket().await;
    socket.subscribe(&topic, Some("4000000")).await;
    let frames = socket.until("end").await;
    assert_eq!((&frames[0]["type"], seqs(&frames)), (&json!("reset"), vec![]), "{frames:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_read_on_from_the_ring_or_begun_anew() {
    let serving = Serving::dev().await;
    let plan = serving.world.plan(json!({"name": "One", "steps": [{"action": "logic.set"}]})).await;
    let mut socket = serving.socket().await;
    socket.subscribe("runs", None).await;
    serving.start(&plan, true).await;
    let place = socket.until("run.finished").await.pop().unwrap()["id"].as_str().unwrap().to_owned();
    drop(socket);
    let missed = serving.start(&plan, true).await;
    let mut socket = serving.socket().await;
    socket.subscribe("runs", Some(&place)).await;
    let frames = socket.until("run.finished").await;
    assert_eq!(kinds(&frames), ["run.started", "run.finished"]);
    assert!(frames.iter().all(|frame| frame["event"]["run"]["id"] == json!(missed)));
    // Another node's place, and one that was never given.
    let (tag, _) = place.split_once('.').unwrap();
    for place in ["0000000000000001.7", &format!("{tag}.100000")] {
        let mut socket = serving.socket().await;
        assert_eq!(socket.subscribe("runs", Some(place)).await["type"], "subscribed");
        assert_eq!(socket.next().await["type"], "reset", "{place}");
    }
}
