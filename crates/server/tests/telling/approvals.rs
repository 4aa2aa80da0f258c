//! Approvals that are asked by mail: the mail, the page behind its link, and what strangers may not do with it.

use axum::body::Body;
use http::Method;
use mainspring_model::clock::{Clock, FakeClock};
use mainspring_model::id::OrgId;
use mainspring_model::store::{AuditFilter, Paging};
use mainspring_server::mail::Tls;
use mainspring_server::outbox;
use mainspring_server::settings::Settings;
use serde_json::{Value, json};

use super::mail::terms;
use super::smtp::{Smtp, read};
use super::until;
use crate::http::world::{Answer, World, ask};

async fn world(smtp: &Smtp) -> (World, FakeClock) {
    let clock = FakeClock::at(1_750_000_000_000);
    (World::at(Settings { dev: true, mail: terms(smtp, Tls::Plain), ..World::settings() }, clock.clone()).await.driving().await, clock)
}

/// Starts a plan that asks; its run, when it waits or has ended.
async fn asks(world: &World, params: Value) -> String {
    let steps = json!([
        {"id": "ask", "action": "logic.approval", "params": params},
        {"id": "pay", "needs": ["ask:approved"], "action": "logic.set", "params": {"paid": "${steps.ask.output.form}"}},
        {"id": "tell", "needs": ["ask:rejected", "ask:timeout"], "action": "logic.set", "params": {"paid": false}},
    ]);
    let id = world.plan(json!({"name": "Refund <now>", "steps": steps})).await;
    let started = world.post("/api/execute", json!({"plan_id": id})).await;
    assert!(started.status == 202 || started.status == 200, "{}", started.text);
    started.body["execution"]["id"].as_str().unwrap().to_owned()
}

async fn ended(world: &World, run: &str) -> Value {
    world.get(&format!("/api/runs/{run}/events")).await;
    world.get(&format!("/api/runs/{run}")).await.body["run"].take()
}

/// The path of the link in the mail to this address.
fn link(smtp: &Smtp, address: &str) -> String {
    let letter = smtp.letters().into_iter().find(|letter| letter.to == address).unwrap_or_else(|| panic!("no mail to {address}"));
    let text = read(&letter.text);
    let (_, rest) = text.split_once("http://127.0.0.1:5000").unwrap_or_else(|| panic!("no link in {text}"));
    rest.split_whitespace().next().unwrap().to_owned()
}

async fn send(world: &World, path: &str, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = ask(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
    world.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailed_link_leads_to_a_page_that_decides_once() {
    let smtp = Smtp::start(&[]).await;
    let (world, _) = world(&smtp).await;
    let form = json!({"amount": {"type": "integer", "required": true, "maximum": 100}, "note": {"type": "string", "default": "none"}});
    let params =
        json!({"message": "Refund <b>Ada</b>?\nShe waits.", "to": ["bob@example.com", "eve@example.com", "BOB@example.com"], "form": form});
    let run = asks(&world, params).await;
    let delivering = tokio::spawn(outbox::serve(world.app.clone()));
    until("two mails", || async { smtp.letters().len() == 2 }).await;
    let path = link(&smtp, "bob@example.com");
    let other = link(&smtp, "eve@example.com");
    let letter = smtp.letters().into_iter().find(|letter| letter.to == "bob@example.com").unwrap();
    assert!(letter.text.contains("Subject: Approval: Refund <b>Ada</b>?\n"), "{}", letter.text);
    until("both are noted as sent", || async {
        let listed = world.get("/api/approvals").await;
        listed.body["approvals"][0]["mails"].as_array().unwrap().iter().all(|mail| mail["state"] == "sent")
    })
    .await;

    // Mail scanners follow links, and again.
    for _ in 0..3 {
        let shown = world.get(&path).await;
        assert_eq!((shown.status.as_u16(), shown.headers["content-type"].to_str().unwrap()), (200, "text/html; charset=utf-8"));
        let policy = shown.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(shown.text.contains("Refund &lt;b&gt;Ada&lt;/b&gt;?\nShe waits.") && !shown.text.contains("<script"), "{}", shown.text);
        assert!(shown.text.contains("You answer as bob@example.com.") && shown.text.contains("name=\"amount\""), "{}", shown.text);
    }
    assert_eq!(world.get("/api/approvals").await.body["total"], 1, "looking decides nothing");

    let empty = send(&world, &path, &[(".decision", "approve"), ("amount", "")]).await;
    assert!(empty.status == 422 && empty.text.contains("This was not sent yet"), "{}", empty.text);
    let much = send(&world, &path, &[(".decision", "approve"), ("amount", "101"), (".comment", "typed before")]).await;
    assert!(much.status == 422 && much.text.contains("typed before"), "{}", much.text);
    let neither = send(&world, &path, &[("amount", "5")]).await;
    assert_eq!(neither.status, 422, "{}", neither.text);
    let yes = send(&world, &path, &[(".decision", "approve"), ("amount", "5"), ("note", "ok"), (".comment", "go\r\non")]).await;
    assert!(yes.status == 200 && yes.text.contains("You have approved this."), "{}", yes.text);
    let twice = send(&world, &path, &[(".decision", "reject")]).await;
    assert!(twice.status == 409 && twice.text.contains("bob@example.com has approved this on 2025-"), "{}", twice.text);
    let late = world.get(&other).await;
    assert!(late.status == 200 && late.text.contains("bob@example.com has approved this"), "{}", late.text);
    assert!(!late.text.contains("<form"), "{}", late.text);

    let run = ended(&world, &run).await;
    assert_eq!((&run["status"], &run["output"]), (&json!("success"), &json!({"paid": {"amount": 5, "note": "ok"}})));
    let asked = &run["steps"][0];
    assert_eq!((&asked["message"], &asked["output"]["by"]), (&json!("approved by bob@example.com"), &json!("bob@example.com")));
    assert_eq!((&asked["output"]["by_id"], &asked["output"]["comment"]), (&Value::Null, &json!("go\non")));
    assert!(asked["output"]["decided_at"].is_string(), "{asked}");
    world.app.audit.flush().await;
    let paging = Paging { limit: 50, cursor: None };
    let entries = world.app.store.list_audit(OrgId::LOCAL, &AuditFilter::default(), &paging).await.unwrap().items;
    let entry = entries.iter().find(|entry| entry.action == "answer_approval").unwrap_or_else(|| panic!("{entries:?}"));
    assert!(entry.user.is_none() && entry.after.as_ref().is_some_and(|after| after["via"] == "link"), "{entry:?}");
    delivering.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_nobody_was_sent_is_none() {
    let smtp = Smtp::start(&[]).await;
    let (world, _) = world(&smtp).await;
    asks(&world, json!({"message": "Go?", "to": ["bob@example.com"]})).await;
    let delivering = tokio::spawn(outbox::serve(world.app.clone()));
    until("the mail", || async { smtp.letters().len() == 1 }).await;
    let path = link(&smtp, "bob@example.com");
    let parts: Vec<&str> = path.trim_start_matches("/api/approval-links/").split('.').collect();
    let [run, id, address, proof] = parts[..] else { panic!("{path}") };
    let as_eve = "ZXZlQGV4YW1wbGUuY29t";
    let zeros = "0".repeat(32);
    let cut = &proof[..proof.len() - 1];
    for odd in [
        "nothing".to_owned(),
        format!("{run}.{id}.{address}."),
        format!("{run}.{id}.{address}.{cut}"),
        format!("{run}.{id}.{as_eve}.{proof}"),
        format!("{run}.other.{address}.{proof}"),
        format!("{zeros}.{id}.{address}.{proof}"),
        format!("{run}.{id}.{address}.{proof}.more"),
    ] {
        let path = format!("/api/approval-links/{odd}");
        assert_eq!(world.get(&path).await.status, 404, "{odd}");
        assert_eq!(send(&world, &path, &[(".decision", "approve")]).await.status, 404, "{odd}");
    }
    assert_eq!(send(&world, &path, &[(".decision", "reject"), (".comment", "no")]).await.status, 200);
    delivering.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_whose_time_is_over_says_so() {
    let smtp = Smtp::start(&[]).await;
    let (world, clock) = world(&smtp).await;
    let run = asks(&world, json!({"message": "Go?", "to": ["bob@example.com"], "timeout": "1h"})).await;
    let delivering = tokio::spawn(outbox::serve(world.app.clone()));
    until("the mail", || async { smtp.letters().len() == 1 }).await;
    let path = link(&smtp, "bob@example.com");
    clock.advance_to(clock.now() + 3_600_001);
    let said = world.get(&path).await;
    assert!(said.status == 200 && (said.text.contains("is over") || said.text.contains("closed")), "{}", said.text);
    assert_eq!(send(&world, &path, &[(".decision", "approve")]).await.status, 409);
    until("its end", || async {
        clock.advance_to(clock.now() + 1_000);
        world.get(&format!("/api/runs/{run}")).await.body["run"]["status"] == "success"
    })
    .await;
    assert_eq!(ended(&world, &run).await["steps"][0]["port"], "timeout");
    let said = world.get(&path).await;
    assert!(said.status == 200 && said.text.contains("closed"), "{}", said.text);
    delivering.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_is_refused_is_seen_and_a_wrong_address_fails_the_step() {
    let smtp = Smtp::start(&["550 nobody here"]).await;
    let (world, _) = world(&smtp).await;
    let run = asks(&world, json!({"message": "Go?", "to": ["gone@example.com"]})).await;
    let delivering = tokio::spawn(outbox::serve(world.app.clone()));
    let mail = async || world.get("/api/approvals").await.body["approvals"][0]["mails"][0].take();
    until("the refusal", || async { mail().await["state"] == "failed" }).await;
    let refused = mail().await;
    assert_eq!((&refused["to"], &refused["attempts"]), (&json!("gone@example.com"), &json!(1)));
    assert!(refused["reason"].as_str().unwrap().contains("nobody here"), "{refused}");
    let id = world.get("/api/approvals").await.body["approvals"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(world.post(&format!("/api/approvals/{id}"), json!({"approved": false})).await.status, 200);
    let run = ended(&world, &run).await;
    assert_eq!(run["steps"][0]["metadata"]["mails"][0]["state"], "failed", "{}", run["steps"][0]);
    for wrong in ["ada@", "Nobody Known", "a@b.example\r\nBcc: c@d.example"] {
        let run = ended(&world, &asks(&world, json!({"message": "Go?", "to": [wrong]})).await).await;
        assert_eq!((&run["status"], &run["error"]["code"]), (&json!("error"), &json!("INVALID_PARAMS")), "{wrong:?}: {run}");
    }
    delivering.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_is_asked_by_name() {
    let smtp = Smtp::start(&[]).await;
    let (world, _) = world(&smtp).await;
    let bob = mainspring_model::id::Owner { org: OrgId::LOCAL, user: mainspring_model::id::UserId(world.app.engine.new_id()) };
    world.joins(bob, mainspring_model::role::Role::Viewer).await;
    asks(&world, json!({"message": "Go?", "to": ["somebody"]})).await;
    let delivering = tokio::spawn(outbox::serve(world.app.clone()));
    until("the mail", || async { smtp.letters().len() == 1 }).await;
    assert_eq!(smtp.letters()[0].to, format!("{}@example.com", bob.user));
    delivering.abort();
}
