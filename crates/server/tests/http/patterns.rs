//! Plans that came from pattern documents, in the shapes of the earlier orchestrator.

use serde_json::{Value, json};

use super::world::World;

fn pattern() -> Value {
    json!({"id": "quick_look", "name": "Quick look", "display": {"panels": []},
        "inputs": {"positions": {"type": "array", "required": true}, "deep": {"type": "boolean", "default": false}},
        "steps": [
            {"capability": "logic.set", "as": "valued", "args": {"positions": "{{inputs.positions}}", "pack": "{{ctx.pricing_pack_id}}", "_provenance": "real"}},
            {"capability": "logic.set", "as": "sectors", "condition": "{{inputs.deep}} == true", "args": {"of": "{{valued.positions}}"}}],
        "outputs": ["valued", "sectors"]})
}

#[tokio::test]
async fn both_addresses_answer_in_their_shapes() {
    let world = World::dev().await;
    let saved = world.post("/api/plans", pattern()).await;
    assert_eq!(saved.status, 201, "{}", saved.text);
    assert!(saved.text.contains("a pattern became a plan"), "{}", saved.text);
    let context = json!({"pricing_pack_id": "PP_1", "ledger_commit_hash": "abc"});
    let body = json!({"pattern": "quick_look", "params": {"positions": [1]}, "context": context});
    let answer = world.post("/api/patterns/execute", body).await;
    assert_eq!((answer.status.as_u16(), &answer.body["status"]), (200, &json!("success")), "{}", answer.text);
    assert_eq!((&answer.body["data"]["valued"]["positions"], &answer.body["data"]["sectors"]), (&json!([1]), &json!(null)));
    assert_eq!(answer.body["data_provenance"], json!({"overall": "real", "types_used": ["real"], "warnings": []}));
    let trace = &answer.body["trace"];
    assert_eq!(
        (&trace["pattern_id"], &trace["pricing_pack_id"], &trace["agents_used"]),
        (&json!("quick_look"), &json!("PP_1"), &json!(["logic"]))
    );
    assert_eq!((&trace["steps"][0]["success"], &trace["steps"][0]["provenance"]), (&json!(true), &json!("real")));
    assert_eq!((&trace["steps"][1]["skipped"], &trace["steps"][1]["reason"]), (&json!(true), &json!("its condition is false")));

    let body =
        json!({"pattern_id": "quick_look", "inputs": {"positions": [1], "deep": true}, "asof_date": "2026-01-05", "context": context});
    let answer = world.post("/v1/execute", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.body["result"]["data"]["sectors"], json!({"of": [1]}));
    let metadata = &answer.body["metadata"];
    assert_eq!(
        (&metadata["pricing_pack_id"], &metadata["pattern_id"], &metadata["asof_date"]),
        (&json!("PP_1"), &json!("quick_look"), &json!("2026-01-05"))
    );
    assert_eq!(answer.body["trace_id"], answer.body["result"]["trace"]["trace_id"]);
}

#[tokio::test]
async fn what_cannot_run_says_why() {
    let world = World::dev().await;
    world.post("/api/plans", pattern()).await;
    world.plan(json!({"name": "no_pattern", "steps": [{"action": "logic.set", "params": {}}]})).await;
    for unknown in ["nothing", "no_pattern"] {
        assert_eq!(world.post("/api/patterns/execute", json!({"pattern": unknown})).await.status, 404, "{unknown}");
    }
    let run = async |body: Value| world.post("/api/patterns/execute", body).await;
    let missing = run(json!({"pattern": "quick_look", "inputs": {}, "context": {"pricing_pack_id": "PP_1"}})).await;
    assert_eq!((missing.status.as_u16(), &missing.body["errors"][0]["pointer"]), (422, &json!("/inputs/positions")), "{}", missing.text);
    let unpinned = run(json!({"pattern": "quick_look", "inputs": {"positions": []}})).await;
    assert_eq!(unpinned.status, 422, "without its pack nothing is reproducible: {}", unpinned.text);
    let large = run(json!({"pattern": "quick_look", "inputs": {"positions": ["x".repeat(10_000)]}})).await;
    assert_eq!((large.status.as_u16(), &large.body["errors"][0]["pointer"]), (422, &json!("/inputs")));
}
