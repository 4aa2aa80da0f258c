//! Accounts, sessions and passwords as their owners meet them.

use http::Method;
use mainspring_model::clock::{Clock, FakeClock};
use mainspring_server::identity::links::Purpose;
use serde_json::{Value, json};

use super::people::{self, MINUTE, PASSWORD, START, log_in, me, post, register, tokens, with};
use super::world::{Answer, World};

#[tokio::test]
async fn one_registers_logs_in_and_is_somebody() {
    let (world, _) = people::world().await;
    register(&world, "Ada@Example.org").await;
    let again = world.post("/api/auth/register", json!({"email": "ada@example.ORG", "password": PASSWORD})).await;
    assert_eq!((again.status.as_u16(), &again.body["code"]), (409, &json!("CONFLICT")));
    let answer = log_in(&world, "ada@example.org", PASSWORD).await;
    assert_eq!(
        (&answer.body["token_type"], &answer.body["expires_in"], &answer.body["user"]["name"]),
        (&json!("bearer"), &json!(1_800), &json!("Ada"))
    );
    assert!(!answer.headers.contains_key("set-cookie"), "a program gets no cookie");
    let (access, _) = tokens(&world, "ada@example.org").await;
    let me = me(&world, &access).await;
    assert_eq!(me.status, 200, "{}", me.text);
    assert_eq!(
        (&me.body["email"], &me.body["organization"]["role"], &me.body["operator"]),
        (&json!("Ada@Example.org"), &json!("owner"), &json!(false))
    );
    assert_eq!(me.body["organization"]["slug"], "ada");
    // The whole interface knows them.
    let plan = post(&world, "/api/plans", &access, json!({"name": "x", "steps": [{"action": "logic.set"}]})).await;
    assert_eq!(plan.status, 201, "{}", plan.text);
    let listed = world.send(with(Method::GET, "/api/plans", &access, None)).await;
    assert_eq!(listed.body["plans"].as_array().unwrap().len(), 1);
    let (owner, _) = tokens(&world, "owner@example.org").await;
    let listed = world.send(with(Method::GET, "/api/plans", &owner, None)).await;
    assert_eq!(listed.body["plans"].as_array().unwrap().len(), 0, "another organization");
}

#[tokio::test]
async fn registering_can_be_closed_and_weak_passwords_are_refused() {
    let clock = FakeClock::at(START);
    let world = World::at(World::settings(), clock).await;
    let wanted = json!({"email": "ada@example.org", "password": PASSWORD});
    // Nobody owns it yet.
    for (path, body) in [("/api/auth/register", wanted.clone()), ("/api/auth/login", wanted.clone())] {
        let answer = world.post(path, body).await;
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (503, &json!("OWNER_NEEDED")), "{path}");
    }
    assert_eq!(world.get("/api/plans").await.body["code"], "OWNER_NEEDED");
    assert_eq!(world.get("/health/liveness").await.status, 200);
    for (page, target) in [
        ("/first-owner", "/api/auth/first-owner"),
        ("/reset-password", "/api/auth/reset-password"),
        ("/invitations", "/api/invitations/accept"),
    ] {
        let answer = world.get(page).await;
        assert!(answer.status == 200 && answer.text.contains(&format!("send(\"{target}\"")) && !answer.text.contains("{fields}"), "{page}");
        assert!(answer.headers["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
    }
    let token = world.app.one_time(None, Purpose::FirstOwner, std::time::Duration::from_secs(60), Value::Null).await.unwrap();
    let first = |token: &str, password: &str| json!({"token": token, "email": "owner@example.org", "password": password});
    let made = world.post("/api/auth/first-owner", first("mso_wrong", PASSWORD)).await;
    assert_eq!((made.status.as_u16(), &made.body["code"]), (400, &json!("TOKEN_REJECTED")));
    let made = world.post("/api/auth/first-owner", first(token.expose(), "password123")).await;
    assert_eq!((made.status.as_u16(), &made.body["code"]), (422, &json!("WEAK_PASSWORD")));
    let made = world.post("/api/auth/first-owner", first(token.expose(), PASSWORD)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let twice = world.post("/api/auth/first-owner", first(token.expose(), PASSWORD)).await;
    assert_eq!(twice.status, 400, "once");
    let (access, _) = tokens(&world, "owner@example.org").await;
    let me = me(&world, &access).await;
    assert_eq!((&me.body["operator"], &me.body["organization"]["slug"]), (&json!(true), &json!("main")));
    let closed = world.post("/api/auth/register", wanted).await;
    assert_eq!((closed.status.as_u16(), &closed.body["code"]), (503, &json!("REGISTRATION_CLOSED")));
    who_is_invited_is_let_in(&world, &access).await;

    let (world, _) = people::world().await;
    for weak in ["short", "password123", "1234567890", "ada@example.org1", "qwertyuiop"] {
        let answer = world.post("/api/auth/register", json!({"email": "ada@example.org", "password": weak})).await;
        assert_eq!((answer.status.as_u16(), &answer.body["errors"][0]["pointer"]), (422, &json!("/password")), "{weak}");
        assert!(!answer.text.contains(weak) || weak == "short", "{}", answer.text);
    }
    let answer = world.post("/api/auth/register", json!({"email": "not an address", "password": PASSWORD})).await;
    assert_eq!((answer.status.as_u16(), &answer.body["errors"][0]["pointer"]), (422, &json!("/email")));
}

/// Where registering is closed.
async fn who_is_invited_is_let_in(world: &World, owner: &str) {
    let invite = async |body: Value| {
        let made = post(world, "/api/organizations/main/invitations", owner, body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.body["token"].as_str().unwrap().to_owned()
    };
    let register = async |email: &str, token: &str| {
        let answer = world.post("/api/auth/register", json!({"email": email, "password": PASSWORD, "invitation": token})).await;
        (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or_default().to_owned())
    };
    let refused = |status: u16, code: &str| (status, code.to_owned());
    let to_ada = invite(json!({"role": "member", "email": "Ada@example.org"})).await;
    let to_anybody = invite(json!({"role": "member"})).await;
    assert_eq!(register("eve@example.org", &to_anybody).await, refused(503, "REGISTRATION_CLOSED"));
    assert_eq!(register("eve@example.org", &to_ada).await.0, 403);
    assert_eq!(register("ada@example.org", "msi_made_up").await, refused(404, "NOT_FOUND"));
    assert_eq!(register("ada@example.org", &to_ada).await.0, 201);
    let (access, _) = tokens(world, "ada@example.org").await;
    let accepted = post(world, "/api/invitations/accept", &access, json!({"token": to_ada})).await;
    assert_eq!((accepted.status.as_u16(), &accepted.body["slug"]), (200, &json!("main")), "{}", accepted.text);
    assert_eq!(register("ada@example.org", &to_ada).await, refused(409, "INVITATION_ENDED"));
}

#[tokio::test]
async fn a_failed_login_says_nothing_and_makes_the_next_wait() {
    let (world, clock) = people::world().await;
    let wrong = log_in(&world, "owner@example.org", "not the password").await;
    let nobody = log_in(&world, "nobody@example.org", "not the password").await;
    assert_eq!((wrong.status.as_u16(), &wrong.body["code"]), (401, &json!("WRONG_CREDENTIALS")));
    let same = |answer: &Answer| (answer.status, answer.body["detail"].clone(), answer.body["code"].clone());
    assert_eq!(same(&wrong), same(&nobody));
    for _ in 0..4 {
        assert_eq!(log_in(&world, "owner@example.org", "not the password").await.status, 401);
    }
    let early = log_in(&world, "OWNER@example.org", PASSWORD).await;
    assert_eq!((early.status.as_u16(), &early.body["code"]), (429, &json!("TOO_MANY_ATTEMPTS")), "even with the right one");
    assert!(early.headers.contains_key("retry-after"));
    assert_eq!(log_in(&world, "nobody@example.org", "x").await.status, 401, "another account is not concerned");
    clock.advance_to(clock.now() + 1_000);
    assert_eq!(log_in(&world, "owner@example.org", PASSWORD).await.status, 200);
    assert_eq!(log_in(&world, "owner@example.org", "not the password").await.status, 401, "and all is forgotten");
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_a_copy_ends_the_session() {
    let (world, clock) = people::world().await;
    let (access, refresh) = tokens(&world, "owner@example.org").await;
    let refreshed = async |token: &str| world.post("/api/auth/refresh", json!({"refresh_token": token})).await;
    let first = refreshed(&refresh).await;
    assert_eq!(first.status, 200, "{}", first.text);
    let second = first.body["refresh_token"].as_str().unwrap().to_owned();
    assert_ne!(second, refresh);
    // The answer was lost: the same one again, and nobody is thrown out.
    let again = refreshed(&refresh).await;
    assert_eq!((again.status.as_u16(), again.body["refresh_token"].as_str()), (200, Some(second.as_str())));
    let third = refreshed(&second).await;
    assert_eq!(third.status, 200);
    assert_eq!(me(&world, &access).await.status, 200);
    // Somebody else comes with the first one.
    let stolen = refreshed(&refresh).await;
    assert_eq!((stolen.status.as_u16(), &stolen.body["code"]), (401, &json!("REFRESH_REJECTED")));
    assert_eq!(refreshed(third.body["refresh_token"].as_str().unwrap()).await.status, 401, "the family is gone");
    assert_eq!(me(&world, &access).await.status, 401, "and its access tokens at once");
    for wrong in ["", "msr_x", access.as_str(), "msk_x"] {
        assert_eq!(refreshed(wrong).await.status, 401, "{wrong}");
    }
    // A week without a use.
    let (_, refresh) = tokens(&world, "owner@example.org").await;
    clock.advance_to(clock.now() + 7 * 24 * 60 * MINUTE);
    assert_eq!(refreshed(&refresh).await.status, 401);
}

#[tokio::test]
async fn an_access_token_expires_and_ends_with_its_session() {
    let (world, clock) = people::world().await;
    let (access, _) = tokens(&world, "owner@example.org").await;
    assert_eq!(me(&world, &access).await.status, 200);
    clock.advance_to(clock.now() + 30 * MINUTE);
    let expired = me(&world, &access).await;
    assert_eq!((expired.status.as_u16(), &expired.body["code"]), (401, &json!("UNAUTHORIZED")));
    let (access, refresh) = tokens(&world, "owner@example.org").await;
    let out = world.send(with(Method::POST, "/api/auth/logout", &access, None)).await;
    assert_eq!(out.status, 204, "{}", out.text);
    assert_eq!(me(&world, &access).await.status, 401, "at once");
    assert_eq!(world.post("/api/auth/refresh", json!({"refresh_token": refresh})).await.status, 401);
    // Another node learns of it within five seconds: it asks the store again.
    let (access, _) = tokens(&world, "owner@example.org").await;
    assert_eq!(me(&world, &access).await.status, 200);
    let user = world.app.store.user_by_email("owner@example.org").await.unwrap().unwrap();
    world.app.store.end_sessions(user.id, None).await.unwrap();
    clock.advance_to(clock.now() + 5_000);
    assert_eq!(me(&world, &access).await.status, 401);
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let (world, _) = people::world().await;
    let (one, _) = tokens(&world, "owner@example.org").await;
    let (two, _) = tokens(&world, "owner@example.org").await;
    let list = world.send(with(Method::GET, "/api/auth/sessions", &one, None)).await;
    let sessions = list.body["sessions"].as_array().unwrap().clone();
    assert_eq!(sessions.len(), 2, "{}", list.text);
    assert_eq!(
        (&sessions[0]["current"], &sessions[1]["current"], &sessions[0]["method"]),
        (&json!(false), &json!(true), &json!("password"))
    );
    let other = sessions[0]["id"].as_str().unwrap();
    let ended = world.send(with(Method::DELETE, &format!("/api/auth/sessions/{other}"), &one, None)).await;
    assert_eq!(ended.status, 204);
    assert_eq!((me(&world, &one).await.status.as_u16(), me(&world, &two).await.status.as_u16()), (200, 401));
    let again = world.send(with(Method::DELETE, &format!("/api/auth/sessions/{other}"), &one, None)).await;
    assert_eq!(again.status, 404);
    // Nobody ends another's.
    register(&world, "bob@example.org").await;
    let (bob, _) = tokens(&world, "bob@example.org").await;
    let mine = sessions[1]["id"].as_str().unwrap();
    assert_eq!(world.send(with(Method::DELETE, &format!("/api/auth/sessions/{mine}"), &bob, None)).await.status, 404);
    tokens(&world, "owner@example.org").await;
    let ended = world.send(with(Method::DELETE, "/api/auth/sessions", &one, None)).await;
    assert_eq!(ended.body["ended"], 1, "{}", ended.text);
    // An API key is nobody at a terminal.
    let made = post(&world, "/api/auth/api-keys", &one, json!({"name": "ci"})).await;
    let key = made.body["key"].as_str().unwrap().to_owned();
    for (method, path) in [
        (Method::GET, "/api/auth/sessions"),
        (Method::DELETE, "/api/auth/sessions"),
        (Method::POST, "/api/auth/logout"),
        (Method::GET, "/api/auth/api-keys"),
        (Method::GET, "/api/auth/totp"),
    ] {
        let answer = world.send(with(method, path, &key, None)).await;
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (403, &json!("SESSION_NEEDED")), "{path}");
    }
}

#[tokio::test]
async fn passwords_are_changed_and_reset() {
    let (world, clock) = people::world().await;
    let (one, _) = tokens(&world, "owner@example.org").await;
    let (two, _) = tokens(&world, "owner@example.org").await;
    let change = async |current: &str, new: &str| {
        post(&world, "/api/auth/change-password", &one, json!({"current_password": current, "new_password": new})).await
    };
    assert_eq!(change("not the password", "another harbour 1").await.body["code"], "WRONG_CREDENTIALS");
    assert_eq!(change(PASSWORD, "password123").await.body["code"], "WEAK_PASSWORD");
    assert_eq!(change(PASSWORD, "another harbour 1").await.status, 204);
    assert_eq!((me(&world, &one).await.status.as_u16(), me(&world, &two).await.status.as_u16()), (200, 401), "the others end");
    assert_eq!(log_in(&world, "owner@example.org", PASSWORD).await.status, 401);
    assert_eq!(log_in(&world, "owner@example.org", "another harbour 1").await.status, 200);
    let user = world.app.store.user_by_email("owner@example.org").await.unwrap().unwrap();
    let hour = std::time::Duration::from_secs(3_600);
    let link = async || world.app.one_time(Some(user.id), Purpose::ResetPassword, hour, json!({"email": user.email})).await.unwrap();
    let reset = async |token: &str, new: &str| world.post("/api/auth/reset-password", json!({"token": token, "new_password": new})).await;
    let late = link().await;
    clock.advance_to(clock.now() + 60 * MINUTE);
    assert_eq!(reset(late.expose(), "a third harbour 2").await.body["code"], "TOKEN_REJECTED");
    let older = link().await;
    let newer = link().await;
    assert_eq!(reset(older.expose(), "a third harbour 2").await.status, 400, "a newer link takes its place");
    let (three, _) = {
        let answer = log_in(&world, "owner@example.org", "another harbour 1").await;
        (answer.body["access_token"].as_str().unwrap().to_owned(), ())
    };
    assert_eq!(reset(newer.expose(), "short").await.status, 422, "and the link is still good");
    assert_eq!(reset(newer.expose(), "a third harbour 2").await.status, 204);
    assert_eq!(reset(newer.expose(), "a third harbour 3").await.status, 400, "once");
    assert_eq!(me(&world, &three).await.status, 401, "all sessions end");
    assert_eq!(log_in(&world, "owner@example.org", "a third harbour 2").await.status, 200);
    // A verification link is no reset link.
    let verify = world.app.one_time(Some(user.id), Purpose::VerifyEmail, hour, json!({"email": user.email})).await.unwrap();
    assert_eq!(reset(verify.expose(), "a fourth harbour").await.status, 400);
    // Forgotten: the same answer for everybody.
    let forgot = async |email: &str| world.post("/api/auth/forgot-password", json!({"email": email})).await;
    let (known, unknown) = (forgot("owner@example.org").await, forgot("nobody@example.org").await);
    assert_eq!((known.status.as_u16(), known.text), (202, unknown.text));
}

#[tokio::test]
async fn an_address_is_proved_by_its_link() {
    let (world, _) = people::world().await;
    register(&world, "ada@example.org").await;
    let (access, _) = tokens(&world, "ada@example.org").await;
    assert_eq!(me(&world, &access).await.body["email_verified"], false);
    let user = world.app.store.user_by_email("ada@example.org").await.unwrap().unwrap();
    let hour = std::time::Duration::from_secs(3_600);
    let token = world.app.one_time(Some(user.id), Purpose::VerifyEmail, hour, json!({"email": user.email})).await.unwrap();
    let path = format!("/api/auth/verify-email/{}", token.expose());
    let proved = world.get(&path).await;
    assert_eq!(proved.status, 200, "{}", proved.text);
    assert_eq!(me(&world, &access).await.body["email_verified"], true);
    assert_eq!(world.get(&path).await.body["code"], "TOKEN_REJECTED");
    assert_eq!(world.send(with(Method::POST, "/api/auth/resend-verification", &access, None)).await.status, 202);
    // Three mails an hour, or a stranger fills the mailbox.
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(world.send(with(Method::POST, "/api/auth/resend-verification", &access, None)).await.status.as_u16());
    }
    assert_eq!(statuses, [202, 202, 429, 429]);
}
