//! Credentials: in, listed, used, deleted; and never seen again.

use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::world::{World, plain};

#[tokio::test]
async fn a_value_goes_in_and_never_comes_out() {
    let world = World::dev().await;
    let stored = world
        .post(
            "/api/provider-credentials/openai",
            json!({"credentials": {"api_key": "sk-very-secret"}, "expires_at": "2999-01-01T00:00:00Z"}),
        )
        .await;
    assert_eq!(stored.status, 201, "{}", stored.text);
    assert_json_snapshot!("stored", stored.body);
    let second = world
        .post(
            "/api/provider-credentials/openai",
            json!({"credentials": {"api_key": "sk-other"}, "name": "old", "expires_at": "2020-01-01T00:00:00Z"}),
        )
        .await;
    assert_eq!(second.status, 201);
    let listed = world.get("/api/provider-credentials/openai").await;
    assert_json_snapshot!("listed", plain(&listed.body));
    let all = world.get("/api/credentials").await;
    assert_json_snapshot!("all", plain(&all.body));
    for answer in [stored, listed, all] {
        assert!(!answer.text.contains("sk-"), "{}", answer.text);
    }
    for file in std::fs::read_dir(world.folder()).unwrap().flatten().filter(|file| file.path().is_file()) {
        let bytes = std::fs::read(file.path()).unwrap();
        assert!(!bytes.windows(14).any(|part| part == b"sk-very-secret"), "{}", file.path().display());
    }
    let deleted = world.delete("/api/provider-credentials/openai?name=old").await;
    assert_eq!((deleted.status.as_u16(), &deleted.body["deleted"]), (200, &json!(1)));
    assert_eq!(world.delete("/api/provider-credentials/openai").await.body["deleted"], 1);
    assert_eq!(world.delete("/api/provider-credentials/openai").await.status, 404);
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let world = World::dev().await;
    let cases: [(&str, &str, Value); 8] = [
        ("unknown provider", "opnai", json!({"credentials": {"api_key": "x"}})),
        ("unknown field", "openai", json!({"credentials": {"api_kye": "x"}})),
        ("missing field", "openai", json!({"credentials": {"base_url": "http://localhost:1"}})),
        ("wrong type", "openai", json!({"credentials": {"api_key": ["x"]}})),
        ("no object", "openai", json!({"credentials": "x"})),
        ("no credential", "logic", json!({"credentials": {"api_key": "x"}})),
        ("expires_at", "openai", json!({"credentials": {"api_key": "x"}, "expires_at": "soon"})),
        ("name", "openai", json!({"credentials": {"api_key": "x"}, "name": "${a}"})),
    ];
    let mut table = serde_json::Map::new();
    for (name, provider, body) in cases {
        let answer = world.post(&format!("/api/provider-credentials/{provider}"), body).await;
        table.insert(name.to_owned(), json!({"status": answer.status.as_u16(), "code": answer.body["code"], "detail": answer.body["detail"], "errors": answer.body["errors"]}));
    }
    assert_json_snapshot!(table);
}
