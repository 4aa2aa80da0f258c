//! What it costs to say who one is: the same operation in dev mode, by an access token, and by an API key.

use anyhow::Context;
use mainspring_model::id::{ApiKeyId, Owner};
use mainspring_model::store::ApiKeyRecord;
use mainspring_vault::{Secret, Token};
use serde_json::json;

use super::Options;
use super::child::Server;
use super::load::{self, Load};
use super::table::{Row, percentile};
use crate::identity::accounts::NewAccount;
use crate::settings::Settings;
use crate::wire;

const EMAIL: &str = "bench@example.org";
const PASSWORD: &str = "a password of the bench";
/// Rounds in turn, so that a machine that grows slower does so for all three.
const ROUNDS: usize = 5;

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Row>> {
    let requests = if options.quick { 1_000 } else { 10_000 };
    let (open, closed) = (options.folder.join("auth-dev"), options.folder.join("auth"));
    for folder in [&open, &closed] {
        drop(std::fs::remove_dir_all(folder));
    }
    let key = people(&closed).await?;
    let dev = Server::start(&open).await?;
    let asking = Server::start_asking(&Settings { data: closed, ..Settings::default() }).await?;
    let login = json!({ "email": EMAIL, "password": PASSWORD }).to_string();
    let session = asking.call(&load::post("/api/auth/login", &login), 200).await?;
    let token = session["access_token"].as_str().context("a login gives an access token")?;
    let load = |server: &Server, token: Option<&str>| Load {
        address: server.address,
        connections: 1,
        requests,
        request: load::get_as("/api/plans", token),
        expect: 200,
    };
    let ways = [load(&dev, None), load(&asking, Some(token)), load(&asking, Some(&key))];
    let mut seen: [Vec<u64>; 3] = Default::default();
    for round in 0..=ROUNDS {
        for (way, latencies) in ways.iter().zip(&mut seen) {
            let done = load::run(way.clone()).await?;
            // The first round warms up.
            if round > 0 {
                latencies.extend(done.latencies);
            }
        }
    }
    let [plain, by_token, by_key] = seen.map(|mut latencies| {
        latencies.sort_unstable();
        percentile(&latencies, 0.5) as i64
    });
    let row = |what: &str, p50: i64| {
        let more = p50 - plain;
        Row::new(what, format!("{more} µs at p50 ({p50} µs)"), format!("{plain} µs in dev mode"), "≤ 50 µs", more <= 50)
    };
    Ok(vec![row("who asks, by an access token", by_token), row("who asks, by an API key", by_key)])
}

/// Somebody who can log in, and an API key.
async fn people(folder: &std::path::Path) -> anyhow::Result<String> {
    let app = wire::open_for_command(&Settings { data: folder.to_owned(), ..Settings::default() }).await?;
    let hash = app.identity.hasher.hash(&Secret::new(PASSWORD)).await?;
    let new = NewAccount { email: EMAIL.to_owned(), name: String::new(), password_hash: Some(hash), operator: true, verified: true };
    app.make_first_owner(new).await?;
    let token = Token::generate(Token::API_KEY, app.vault.entropy())?;
    let record = ApiKeyRecord {
        id: ApiKeyId(app.engine.new_id()),
        owner: Owner::LOCAL,
        name: "bench".to_owned(),
        hash: token.hash().0.to_vec(),
        created_at: app.clock.now(),
        expires_at: None,
        last_used_at: None,
        scopes: None,
    };
    app.store.put_api_key(&record).await?;
    app.store.close().await;
    Ok(token.expose().to_owned())
}
