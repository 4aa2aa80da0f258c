//! A move that is killed goes on; afterwards the new place has everything and the old one is not served by accident.

use std::time::Duration;

use serde_json::json;

use super::home::{Home, now};

/// Enough rows for many batches.
fn filled(mut home: Home) -> Home {
    home.run(&["credential", "set", "http", "--name", "shop", "--field", "token=move-4711"]).expect(0);
    home.serve();
    let plan = home.save(&json!({"name": "Many", "inputs": {"list": {"type": "array"}}, "steps": [
        {"id": "all", "for_each": "${inputs.list}", "action": "logic.set", "params": {"n": 1}}]}));
    let list: Vec<u32> = (0..900).collect();
    for _ in 0..12 {
        let (status, answer) = home.ask("POST", "/api/execute", &json!({"plan_id": plan, "inputs": {"list": list}}));
        assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}");
    }
    home.kill();
    home
}

#[test]
fn a_killed_move_goes_on_and_the_source_is_left_behind() {
    let (from, mut to) = (filled(Home::in_folder()), Home::in_database());
    let (source, target) = (from.url(), to.url());
    to.key = Some(from.escrowed_key());
    let dry = to.run(&["move", "--from", &source, "--to", &target, "--dry-run", "-o", "json"]).expect(0).json();
    assert!(dry["rows"].as_u64().unwrap() > 10_000, "{dry}");
    let mut kills = 0;
    while kills < 2 {
        let mut child = to.start(&["move", "--from", &source, "--to", &target]);
        let (arrived, began) = (arrived(&to), now());
        while self::arrived(&to) <= arrived && child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < Duration::from_secs(60), "nothing arrives");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        let refused = to.run(&["run", "list"]).expect(6);
        assert!(refused.err.contains("error[STORE_INCOMPLETE]"), "killed {kills} times: {}", refused.err);
    }
    let half = to.run(&["backup", "half.backup"]).expect(6);
    assert!(half.err.contains("error[STORE_INCOMPLETE]") && !to.place.path("half.backup").exists(), "{}", half.err);
    let done = to.run(&["move", "--from", &source, "--to", &target, "-o", "json"]).expect(0);
    let moved = done.json();
    assert!(moved["resumed_at"].as_u64().unwrap() > 0 && moved["tables"] == dry["tables"], "{moved}");
    let refused = from.run(&["run", "list"]).expect(6);
    assert!(refused.err.contains("error[STORE_MOVED]") && refused.err.contains("--reopen"), "{}", refused.err);
    assert!(!refused.err.contains("node@") && !refused.err.contains(":node"), "no password is kept: {}", refused.err);
    assert_eq!(to.run(&["run", "list", "-o", "json"]).expect(0).json()["runs"].as_array().unwrap().len(), 12);
    assert_eq!(to.run(&["credential", "list", "-o", "json"]).expect(0).json()["credentials"].as_array().unwrap().len(), 1);
    // And back into a third place, by the same command the other way round.
    let mut back = Home::in_folder();
    back.key = to.key.clone();
    let args = ["move", "--from", &target, "--to", &back.url(), "-o", "json"];
    assert_eq!(back.run(&args).expect(0).json()["tables"], dry["tables"]);
    back.run(&["run", "list"]).expect(0);
    from.run(&["move", "--reopen", &source]).expect(0);
    from.run(&["run", "list"]).expect(0);
}

fn arrived(home: &Home) -> u64 {
    let database = home.database.as_ref().unwrap();
    if database.psql("select count(*) from pg_attribute where attrelid = to_regclass('store_state') and attname = 'arriving'") == "0" {
        return 0;
    }
    database.psql("select coalesce((arriving::json ->> 'rows')::bigint, 0) from store_state").parse().unwrap()
}
