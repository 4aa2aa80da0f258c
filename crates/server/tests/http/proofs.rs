//! By what people and programs prove who they are: cookies, API keys, second factors, and forged tokens that prove nothing.

use axum::body::Body;
use http::Method;
use mainspring_model::clock::{Clock, FakeClock};
use mainspring_server::identity::Terms;
use mainspring_server::identity::accounts::NewAccount;
use mainspring_server::settings::Settings;
use mainspring_vault::{Secret, TotpSecret};
use serde_json::{Value, json};

use super::people::{self, MINUTE, PASSWORD, START, log_in, me, post, register, tokens, with};
use super::world::{Answer, World, ask, json_request};

fn cookie_of(answer: &Answer) -> String {
    let line = answer.headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(line.contains("; HttpOnly") && line.contains("; SameSite=Lax") && line.contains("; Path=/"), "{line}");
    line.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_browser_has_a_cookie_that_only_our_pages_make_speak() {
    let (world, clock) = people::world().await;
    let body = json!({"email": "owner@example.org", "password": PASSWORD});
    let mut request = json_request(Method::POST, "/api/auth/login", &body);
    request.headers_mut().insert("origin", "http://localhost:5000".parse().unwrap());
    let cookie = cookie_of(&world.send(request).await);
    let call = async |method: Method, path: &str, origin: Option<&str>, site: Option<&str>| {
        let mut request = json_request(method, path, &json!({"name": "x", "steps": [{"action": "logic.set"}]}));
        request.headers_mut().insert("cookie", format!("theme=dark; {cookie}").parse().unwrap());
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        if let Some(site) = site {
            request.headers_mut().insert("sec-fetch-site", site.parse().unwrap());
        }
        let answer = world.send(request).await;
        (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or_default().to_owned())
    };
    let refused = (403, "FOREIGN_ORIGIN".to_owned());
    assert_eq!(call(Method::GET, "/api/auth/me", None, None).await.0, 200);
    assert_eq!(call(Method::POST, "/api/plans", Some("http://localhost:5000"), None).await.0, 201);
    assert_eq!(call(Method::POST, "/api/plans", None, Some("same-origin")).await.0, 201);
    assert_eq!(call(Method::POST, "/api/plans", None, None).await, refused);
    for site in ["cross-site", "same-site", "none"] {
        assert_eq!(call(Method::POST, "/api/plans", None, Some(site)).await, refused, "{site}");
    }
    for origin in ["https://evil.example", "null", "http://localhost:5001", "http://localhost", "http://localhost:5000.evil.example"] {
        assert_eq!(call(Method::POST, "/api/plans", Some(origin), Some("same-origin")).await, refused, "{origin}");
    }
    assert_eq!(call(Method::DELETE, "/api/auth/sessions", None, None).await, refused);
    assert_eq!(call(Method::GET, "/api/ws", None, None).await, refused, "a WebSocket too");
    // A week without a use.
    clock.advance_to(clock.now() + 7 * 24 * 60 * MINUTE);
    assert_eq!(call(Method::GET, "/api/auth/me", None, None).await.0, 401);
    for wrong in ["mainspring_session=", "mainspring_session=mss_x", "mainspring_session2=x"] {
        let request = ask(Method::GET, "/api/auth/me").header("cookie", wrong).body(Body::empty()).unwrap();
        assert_eq!(world.send(request).await.status, 401, "{wrong}");
    }
}

#[tokio::test]
async fn behind_https_the_cookie_is_for_https_alone() {
    let identity = Terms { public_url: Some("https://m.example.org".parse().unwrap()), ..Terms::default() };
    let world = World::at(Settings { identity, ..World::settings() }, FakeClock::at(START)).await;
    let hash = world.app.identity.hasher.hash(&Secret::new(PASSWORD)).await.unwrap();
    let new = NewAccount {
        email: "owner@example.org".to_owned(),
        name: String::new(),
        password_hash: Some(hash),
        operator: true,
        verified: true,
    };
    world.app.make_first_owner(new).await.unwrap();
    let mut request = json_request(Method::POST, "/api/auth/login", &json!({"email": "owner@example.org", "password": PASSWORD}));
    request.headers_mut().insert("sec-fetch-site", "same-origin".parse().unwrap());
    let line = world.send(request).await.headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(line.starts_with("__Host-mainspring_session=mss_") && line.ends_with("; Secure"), "{line}");
}

#[tokio::test]
async fn a_key_has_scopes_and_never_more_than_its_user() {
    let (world, clock) = people::world().await;
    let (access, _) = tokens(&world, "owner@example.org").await;
    let make = async |body: Value| post(&world, "/api/auth/api-keys", &access, body).await;
    for (body, pointer) in [
        (json!({"name": ""}), "/name"),
        (json!({"name": "x", "scopes": ["everything"]}), "/scopes/0"),
        (json!({"name": "x", "scopes": []}), "/scopes"),
        (json!({"name": "x", "expires_at": "2001-01-01T00:00:00Z"}), "/expires_at"),
        (json!({"name": "x", "expires_at": "tomorrow"}), "/expires_at"),
    ] {
        let answer = make(body).await;
        assert_eq!((answer.status.as_u16(), answer.body["errors"][0]["pointer"].as_str()), (422, Some(pointer)), "{}", answer.text);
    }
    let made = make(json!({"name": "reader", "scopes": ["read"], "expires_at": "2027-01-16T00:00:00Z"})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let key = made.body["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("msk_"));
    let reads = async |key: &str| world.send(with(Method::GET, "/api/plans", key, None)).await.status.as_u16();
    let writes = async |key: &str| post(&world, "/api/plans", key, json!({"name": "x", "steps": [{"action": "logic.set"}]})).await;
    assert_eq!(reads(&key).await, 200);
    let refused = writes(&key).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (403, &json!("PERMISSION_DENIED")));
    assert!(refused.body["detail"].as_str().unwrap().contains("scopes"), "{}", refused.text);
    let all = make(json!({"name": "all"})).await.body["key"].as_str().unwrap().to_owned();
    assert_eq!(writes(&all).await.status, 201);
    assert_eq!(me(&world, &key).await.body["operator"], false, "a bounded key administers nothing");
    assert_eq!(me(&world, &all).await.body["operator"], true);
    // Listed without itself; deleted at once.
    let list = world.send(with(Method::GET, "/api/auth/api-keys", &access, None)).await;
    assert!(!list.text.contains(&key) && list.body["api_keys"].as_array().unwrap().len() == 2, "{}", list.text);
    let id = made.body["id"].as_str().unwrap();
    assert_eq!(world.send(with(Method::DELETE, &format!("/api/auth/api-keys/{id}"), &access, None)).await.status, 204);
    assert_eq!(reads(&key).await, 401);
    // It ends by itself.
    let until = START + 10 * MINUTE;
    let text = jiff::Timestamp::from_millisecond(until).unwrap().to_string();
    let short = make(json!({"name": "short", "expires_at": text})).await.body["key"].as_str().unwrap().to_owned();
    assert_eq!(reads(&short).await, 200);
    clock.advance_to(until);
    assert_eq!(reads(&short).await, 401);
}

#[tokio::test]
async fn a_second_factor_is_asked_for() {
    let (world, clock) = people::world().await;
    let (access, _) = tokens(&world, "owner@example.org").await;
    let (other, _) = tokens(&world, "owner@example.org").await;
    assert_eq!(post(&world, "/api/auth/totp", &access, json!({"password": "wrong password"})).await.status, 401);
    let enrolled = post(&world, "/api/auth/totp", &access, json!({"password": PASSWORD})).await;
    assert_eq!(enrolled.status, 201, "{}", enrolled.text);
    assert!(enrolled.body["otpauth_uri"].as_str().unwrap().starts_with("otpauth://totp/Mainspring:owner@example.org?secret="));
    let secret = TotpSecret::from_bytes(zeroize::Zeroizing::new(base32(enrolled.body["secret"].as_str().unwrap())));
    let code = |at: i64| secret.code(at.div_euclid(1_000));
    assert_eq!(log_in(&world, "owner@example.org", PASSWORD).await.body["token_type"], "bearer", "not before it is confirmed");
    assert_eq!(post(&world, "/api/auth/totp/confirm", &access, json!({"code": "000000"})).await.body["code"], "CODE_REJECTED");
    let confirmed = post(&world, "/api/auth/totp/confirm", &access, json!({"code": code(clock.now())})).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    let recovery: Vec<String> = serde_json::from_value(confirmed.body["recovery_codes"].clone()).unwrap();
    assert_eq!(recovery.len(), 10);
    assert_eq!((me(&world, &access).await.status.as_u16(), me(&world, &other).await.status.as_u16()), (200, 401));
    // The password alone opens nothing.
    let needed = log_in(&world, "owner@example.org", PASSWORD).await;
    assert_eq!((needed.status.as_u16(), &needed.body["totp_required"]), (200, &json!(true)), "{}", needed.text);
    assert!(needed.body["access_token"].is_null());
    let challenge = needed.body["challenge"].as_str().unwrap().to_owned();
    let pass = async |challenge: &str, code: &str| world.post("/api/auth/login/totp", json!({"challenge": challenge, "code": code})).await;
    assert_eq!(pass(&challenge, &code(clock.now())).await.body["code"], "CODE_REJECTED", "it confirmed and is used up");
    clock.advance_to(clock.now() + 30_000);
    let good = code(clock.now());
    let passed = pass(&challenge, &good).await;
    assert_eq!((passed.status.as_u16(), &passed.body["token_type"]), (200, &json!("bearer")), "{}", passed.text);
    assert_eq!(pass(&challenge, &good).await.body["code"], "TOKEN_REJECTED", "a challenge is good once");
    let next = async || log_in(&world, "owner@example.org", PASSWORD).await.body["challenge"].as_str().unwrap().to_owned();
    assert_eq!(pass(&next().await, &good).await.body["code"], "CODE_REJECTED", "and a code too");
    // At once with the password; a recovery code, once.
    let both = async |code: &str| {
        world.post("/api/auth/login", json!({"email": "owner@example.org", "password": PASSWORD, "totp_code": code})).await
    };
    clock.advance_to(clock.now() + 30_000);
    assert_eq!(both(&code(clock.now())).await.status, 200);
    assert_eq!(both(&recovery[0].to_uppercase()).await.status, 200);
    assert_eq!(both(&recovery[0]).await.status, 401);
    // Guessing is slow.
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(both("123456").await.status.as_u16());
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    clock.advance_to(clock.now() + 60 * MINUTE);
    assert_eq!(pass(&challenge, "123456").await.status, 400);
    // A challenge dies.
    let late = next().await;
    clock.advance_to(clock.now() + 5 * MINUTE);
    assert_eq!(pass(&late, &code(clock.now())).await.body["code"], "TOKEN_REJECTED");
    // Removed with both.
    let login = both(&code(clock.now())).await;
    let access = login.body["access_token"].as_str().unwrap().to_owned();
    clock.advance_to(clock.now() + 30_000);
    assert_eq!(post(&world, "/api/auth/totp/remove", &access, json!({"password": PASSWORD, "code": "000000"})).await.status, 401);
    let removed = post(&world, "/api/auth/totp/remove", &access, json!({"password": PASSWORD, "code": code(clock.now())})).await;
    assert_eq!(removed.status, 204, "{}", removed.text);
    assert_eq!(log_in(&world, "owner@example.org", PASSWORD).await.body["token_type"], "bearer");
}

fn base32(text: &str) -> Vec<u8> {
    let mut bits = 0u32;
    let (mut held, mut bytes) = (0, Vec::new());
    for c in text.bytes() {
        let five = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == c).unwrap() as u32;
        bits = bits << 5 | five;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    bytes
}

#[tokio::test]
async fn a_disabled_account_is_nobodys() {
    let (world, clock) = people::world().await;
    register(&world, "ada@example.org").await;
    let (access, refresh) = tokens(&world, "ada@example.org").await;
    let key = post(&world, "/api/auth/api-keys", &access, json!({"name": "ci"})).await.body["key"].as_str().unwrap().to_owned();
    assert_eq!(me(&world, &key).await.status, 200);
    let user = world.app.store.user_by_email("ada@example.org").await.unwrap().unwrap();
    let disabled = mainspring_model::store::UserRecord { disabled_at: Some(clock.now()), ..user };
    world.app.store.put_user(&disabled).await.unwrap();
    clock.advance_to(clock.now() + 5_000);
    assert_eq!((me(&world, &access).await.status.as_u16(), me(&world, &key).await.status.as_u16()), (401, 401));
    assert_eq!(world.post("/api/auth/refresh", json!({"refresh_token": refresh})).await.status, 401);
    let refused = log_in(&world, "ada@example.org", PASSWORD).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (403, &json!("ACCOUNT_DISABLED")));
    assert_eq!(
        log_in(&world, "ada@example.org", "wrong password").await.body["code"],
        "WRONG_CREDENTIALS",
        "and says so to its owner only"
    );
}

#[tokio::test]
async fn forged_tokens_open_nothing() {
    let (world, _) = people::world().await;
    let (access, _) = tokens(&world, "owner@example.org").await;
    let parts: Vec<&str> = access.split('.').collect();
    let none = "eyJhbGciOiJub25lIn0";
    for forged in [
        format!("{none}.{}.", parts[1]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{access}x"),
        "a.b.c".to_owned(),
    ] {
        let answer = me(&world, &forged).await;
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (401, &json!("UNAUTHORIZED")), "{forged}");
    }
    // Another installation's keys sign for nobody here.
    let (elsewhere, _) = people::world().await;
    let (foreign, _) = tokens(&elsewhere, "owner@example.org").await;
    assert_eq!(me(&world, &foreign).await.status, 401);
    assert_eq!(me(&world, &access).await.status, 200);
}
