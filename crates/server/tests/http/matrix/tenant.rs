//! An organization with a member of each role and one of everything that can belong to it.

use http::{Method, Request, StatusCode};
use mainspring_model::clock::Millis;
use mainspring_model::id::{ApiKeyId, MessageId, OrgId, Owner, SessionId, UserId};
use mainspring_model::role::Role;
use mainspring_model::store::{ApiKeyRecord, NotificationRecord, OrganizationRecord, RefreshToken, SessionRecord};
use serde_json::{Value, json};
use tower::ServiceExt;

use axum::body::Body;

use super::super::world::{World, ask};
use super::As;
use super::lessons::hooked;

pub struct Tenant {
    org: OrgId,
    /// One for each role, in their order.
    keys: Vec<(Owner, String)>,
    expired: String,
    pub slug: String,
    /// A member with nothing to do, whom others may change and remove.
    pub extra: UserId,
    pub plan: String,
    pub run: String,
    /// A run that has ended, and not well.
    pub failed: String,
    pub integration: String,
    pub invitation: String,
    pub token: String,
    /// A notification rule.
    pub rule: String,
    /// A notification of the owner's.
    pub notification: String,
    /// The organization's.
    pub credential: String,
    /// The owner's, as are the next two.
    pub api_key: String,
    pub session: String,
    /// A question of a run.
    pub approval: String,
    pub file: String,
    /// An address that it opened.
    pub callback: String,
}

impl Tenant {
    pub async fn make(world: &World) -> Tenant {
        let org = OrgId(world.app.engine.new_id());
        let now = world.app.clock.now();
        let slug = format!("tenant-{}", &org.0.simple().to_string()[16..]);
        let record = OrganizationRecord { id: org, name: "Tenant".to_owned(), slug: slug.clone(), created_at: now, updated_at: now };
        world.app.store.put_organization(&record).await.expect("stored");
        let mut keys = Vec::new();
        for role in Role::ALL {
            let owner = Owner { org, user: UserId(world.app.engine.new_id()) };
            world.joins(owner, role).await;
            keys.push((owner, world.key_of(owner, None).await));
        }
        let extra = Owner { org, user: UserId(world.app.engine.new_id()) };
        world.joins(extra, Role::Viewer).await;
        let expired = world.key_of(keys[3].0, Some(now - 1 as Millis)).await;
        let mut tenant = Tenant {
            org,
            keys,
            expired,
            slug,
            extra: extra.user,
            plan: String::new(),
            run: String::new(),
            failed: String::new(),
            integration: String::new(),
            invitation: String::new(),
            token: String::new(),
            rule: String::new(),
            notification: String::new(),
            credential: String::new(),
            api_key: String::new(),
            session: String::new(),
            approval: String::new(),
            file: String::new(),
            callback: String::new(),
        };
        tenant.fill(world).await;
        tenant
    }

    async fn fill(&mut self, world: &World) {
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned();
        let plan = self.does(world, Method::POST, "/api/plans", hooked(&format!("Plan of {}", self.slug))).await;
        self.plan = text(&plan["plan"]["id"]);
        self.does(world, Method::POST, &format!("/api/plans/{}/schedule", self.plan), json!({"cron_expression": "@daily"})).await;
        let steps = json!([{"capability": "logic.set", "as": "a", "args": {"n": 1}}]);
        let pattern = json!({"id": format!("pattern_{}", self.slug), "name": "Pattern", "steps": steps, "outputs": ["a"]});
        self.does(world, Method::POST, "/api/plans", pattern).await;
        // One that waits, so that it can be cancelled.
        let steps = json!([{"id": "wait", "action": "logic.sleep", "params": {"for": "1h"}}]);
        let waiting = self.does(world, Method::POST, "/api/plans", json!({"name": "Waiting", "steps": steps})).await;
        let wanted = json!({"plan_id": waiting["plan"]["id"], "wait": false});
        let executed = self.does(world, Method::POST, "/api/execute", wanted).await;
        self.run = text(&executed["execution"]["id"]);
        let steps = json!([{"id": "no", "action": "logic.fail", "params": {"code": "USER_NO", "message": "no"}}]);
        let failing = self.does(world, Method::POST, "/api/plans", json!({"name": "Failing", "steps": steps})).await;
        let failed = self.does(world, Method::POST, "/api/execute", json!({"plan_id": failing["plan"]["id"]})).await;
        self.failed = text(&failed["execution"]["id"]);
        let steps = json!([
            {"id": "open", "action": "logic.open_callback"},
            {"id": "ask", "action": "logic.approval", "params": {"message": "Go on?"}},
        ]);
        let asking = self.does(world, Method::POST, "/api/plans", json!({"name": "Asking", "steps": steps})).await;
        let asked = self.does(world, Method::POST, "/api/execute", json!({"plan_id": asking["plan"]["id"], "wait": false})).await;
        self.approval = loop {
            let listed = self.does(world, Method::GET, "/api/approvals", json!(null)).await;
            if let Some(id) = listed["approvals"][0]["id"].as_str() {
                break id.to_owned();
            }
            tokio::task::yield_now().await;
        };
        let asking = format!("/api/runs/{}", text(&asked["execution"]["id"]));
        let asking = self.does(world, Method::GET, &asking, json!(null)).await;
        self.callback = text(&asking["run"]["steps"][0]["output"]["id"]);
        let definition = json!({"name": "shop", "base_url": "http://127.0.0.1:1", "auth_type": "api_key"});
        let integration = self.does(world, Method::POST, "/api/custom-integrations", definition).await;
        self.integration = text(&integration["integration"]["id"]);
        self.does(world, Method::POST, "/api/provider-credentials/openai", json!({"credentials": {"api_key": "sk-tenant"}})).await;
        let home = format!("/api/organizations/{}", self.org);
        self.does(world, Method::PUT, &format!("{home}/variables/REGION"), json!({"value": "eu"})).await;
        self.does(world, Method::PUT, "/api/state/matrix_key", json!({"value": self.slug})).await;
        let seen = json!({"set": "matrix_set", "items": [self.slug], "scope": "organization"});
        let seen = json!({"name": "Seeing", "steps": [{"id": "a", "action": "state.unseen", "params": seen}]});
        let seen = self.does(world, Method::POST, "/api/plans", seen).await;
        self.does(world, Method::POST, "/api/execute", json!({"plan_id": seen["plan"]["id"]})).await;
        let invited = self.does(world, Method::POST, &format!("{home}/invitations"), json!({"role": "viewer"})).await;
        let rule = json!({"name": "hook", "events": ["run.failed"], "channel": "webhook", "to": "http://127.0.0.1:1/"});
        let made = self.does(world, Method::POST, "/api/notification-rules", rule).await;
        self.rule = text(&made["notification_rule"]["id"]);
        let id = MessageId(world.app.engine.new_id());
        let (event, title) = ("run.failed".to_owned(), "A run failed".to_owned());
        let told = NotificationRecord {
            id,
            owner: self.owner(),
            event,
            title,
            text: String::new(),
            data: json!({}),
            created_at: world.app.clock.now(),
            read_at: None,
        };
        world.app.store.put_notification(&told).await.expect("stored");
        self.notification = id.to_string();
        let wanted = json!({"provider": "openai", "name": "ours", "scope": "organization", "credentials": {"api_key": "sk-ours"}});
        let made = self.does(world, Method::POST, "/api/credentials", wanted).await;
        self.credential = text(&made["credential"]["id"]);
        let kept = self.does(world, Method::POST, "/api/files?name=theirs.json", json!({"of": self.slug})).await;
        self.file = text(&kept["file"]["file"]);
        self.does(world, Method::POST, "/api/organization/egress", json!({"host": self.host()})).await;
        self.log_in(world).await;
        (self.invitation, self.token) = (text(&invited["invitation"]["id"]), text(&invited["token"]));
    }

    /// A host that this organization alone has in its list.
    pub fn host(&self) -> String {
        format!("{}.example.com", self.slug)
    }

    async fn log_in(&mut self, world: &World) {
        let (now, owner) = (world.app.clock.now(), self.owner());
        let hash = |byte: u8| [self.org.0.as_bytes().as_slice(), &[byte; 16]].concat();
        let record = ApiKeyRecord {
            id: ApiKeyId(world.app.engine.new_id()),
            owner,
            name: "spare".to_owned(),
            hash: hash(1),
            created_at: now,
            expires_at: None,
            last_used_at: None,
            scopes: None,
        };
        world.app.store.put_api_key(&record).await.expect("stored");
        let session = SessionRecord {
            id: SessionId(world.app.engine.new_id()),
            user: owner.user,
            method: "password".to_owned(),
            device: String::new(),
            address: String::new(),
            cookie: None,
            created_at: now,
            last_used_at: now,
            expires_at: now + 3_600_000,
        };
        world.app.store.put_session(&session, &RefreshToken { hash: hash(2), expires_at: session.expires_at }).await.expect("stored");
        (self.api_key, self.session) = (record.id.to_string(), session.id.to_string());
    }

    async fn does(&self, world: &World, method: Method, path: &str, body: Value) -> Value {
        let key = &self.keys[3].1;
        let request = ask(method, path).header("authorization", format!("Bearer {key}")).header("content-type", "application/json");
        let answer = world.send(request.body(Body::from(body.to_string())).expect("a request")).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        answer.body
    }

    /// The organization and its owner.
    pub fn owner(&self) -> Owner {
        self.keys[3].0
    }

    /// Lets an admin administer the whole installation; before the first call of theirs.
    pub async fn raise(&self, world: &World) {
        let mut user = world.app.store.user(self.keys[2].0.user).await.expect("read").expect("a user");
        user.operator = true;
        world.app.store.put_user(&user).await.expect("stored");
    }

    pub fn key_of(&self, caller: As) -> Option<String> {
        match caller {
            As::Nobody => None,
            As::Expired => Some(self.expired.clone()),
            As::Member(role) => Some(self.keys[role as usize].1.clone()),
            As::Stranger => Some(self.keys[3].1.clone()),
        }
    }
}

impl World {
    /// Without the body, which of a stream never ends.
    pub async fn status(&self, request: Request<Body>) -> StatusCode {
        self.router.clone().oneshot(request).await.expect("never fails").status()
    }
}
