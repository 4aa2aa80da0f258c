//! Every write leaves its entry in the audit log, and says who, from where, and what.

use mainspring_model::id::OrgId;
use mainspring_model::role::Role;
use mainspring_model::store::{Actor, AuditFilter, AuditOutcome, Paging};

use super::operation::operations;
use super::tenant::Tenant;
use super::{As, World};

/// Methods that could write, and why these leave no entry.
const NO_WRITE: &[(&str, &str)] = &[
    ("validate_plan", "stores nothing"),
    ("look_at_invitation", "shows what a link is to"),
    ("test_integration", "calls the service, and answers 400 when it is not there"),
    ("reset_host", "404 when the host is not held back; `http/egress.rs` has one that is"),
    ("test_credential", "calls the service, which is not there"),
    ("resume_run", "409 unless the run needs a decision; `http/replays.rs` has one that does"),
    ("send_form", "the run tells of itself"),
    ("publish_plan", "409 unless there is a draft; `http/versions.rs` has one"),
    ("discard_draft", "409 unless there is a draft; `http/versions.rs` has one"),
    ("detach_plan", "409 unless the plan is a file's; `gates/reload.rs` has one"),
    ("call_webhook_get", "the run tells of itself"),
    ("call_webhook_put", "the run tells of itself"),
    ("call_webhook_post", "the run tells of itself"),
    ("call_webhook_patch", "the run tells of itself"),
    ("call_webhook_delete", "the run tells of itself"),
    ("send_approval_page", "its link was sent by mail; `telling/approvals.rs` has one"),
    ("answer_callback", "the run tells of itself, and nobody is known who calls"),
];

/// Whom an operation is for, where it is not the organization's owner.
fn caller_of(operation: &str) -> As {
    match operation {
        "accept_invitation" | "decline_invitation" => As::Stranger,
        "leave_organization" => As::Member(Role::Admin),
        _ => As::Member(Role::Owner),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_leaves_an_entry() {
    let world = World::keyed().await;
    let document = world.get("/api/openapi.json").await.body;
    let (mut wrong, mut walked) = (Vec::new(), 0);
    for operation in operations(&document).iter().filter(|operation| operation.writes()) {
        // Of who is not signed in yet, or of a session, which a key has not: `http/accounts.rs`.
        if operation.path.starts_with("/api/auth/") || NO_WRITE.iter().any(|(id, _)| *id == operation.id) {
            continue;
        }
        let (tenant, stranger) = (Tenant::make(&world).await, Tenant::make(&world).await);
        if operation.id == "restore_organization" {
            world.app.store.set_erasure(tenant.owner().org, Some(world.app.clock.now() + 60_000)).await.expect("stored");
        }
        let caller = if operation.operator { As::Member(Role::Admin) } else { caller_of(&operation.id) };
        if operation.operator {
            tenant.raise(&world).await;
        }
        if operation.id == "delete_feature_flag" {
            let all = operations(&document);
            let put = all.iter().find(|other| other.id == "put_feature_flag").expect("flags are made");
            assert_eq!(world.status(put.request(&tenant, tenant.key_of(caller))).await, 200);
        }
        let key = if caller == As::Stranger { stranger.key_of(caller) } else { tenant.key_of(caller) };
        let mut request = operation.request(&tenant, key);
        request.headers_mut().insert("user-agent", "the matrix".parse().expect("a header"));
        let answer = world.send(request).await;
        walked += 1;
        if !answer.status.is_success() {
            wrong.push(format!("{} was refused ({} {}): teach the matrix a body that works", operation.id, answer.status, answer.text));
            continue;
        }
        world.app.audit.flush().await;
        let made = answer.body["organization"]["id"].as_str().and_then(|id| id.parse::<OrgId>().ok());
        let mut found = Vec::new();
        for org in [Some(tenant.owner().org), made].into_iter().flatten() {
            let filter = AuditFilter { action: Some(operation.id.clone()), ..AuditFilter::default() };
            let paging = Paging { limit: 10, cursor: None };
            found.extend(world.app.store.list_audit(org, &filter, &paging).await.expect("a list").items);
        }
        found.retain(|entry| entry.agent.as_deref() == Some("the matrix"));
        found.dedup_by_key(|entry| entry.id);
        match &found[..] {
            [entry] => {
                let whole = entry.user.is_some()
                    && matches!(entry.actor, Actor::Key(_))
                    && entry.outcome == AuditOutcome::Done
                    && entry.request_id.as_deref() == answer.headers.get("x-request-id").and_then(|id| id.to_str().ok())
                    && entry.target_id.is_some();
                if !whole {
                    wrong.push(format!("{} left half an entry: {entry:?}", operation.id));
                }
            }
            others => wrong.push(format!("{} left {} entries", operation.id, others.len())),
        }
    }
    assert_eq!(wrong, [""; 0], "of {walked} operations");
    assert!(walked >= 25, "only {walked} operations write");
}
