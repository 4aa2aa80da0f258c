//! An organization with a member of each role and one of everything that can belong to it.

use http::{Method, Request, StatusCode};
use mainspring_model::clock::Millis;
use mainspring_model::id::{MessageId, OrgId, Owner, UserId};
use mainspring_model::role::Role;
use mainspring_model::store::{NotificationRecord, OrganizationRecord};
use serde_json::{Value, json};
use tower::ServiceExt;

use axum::body::Body;

use super::super::world::{World, ask, doubling};
use super::As;

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
    pub integration: String,
    pub invitation: String,
    pub token: String,
    /// A notification rule.
    pub rule: String,
    /// A notification of the owner's.
    pub notification: String,
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
            integration: String::new(),
            invitation: String::new(),
            token: String::new(),
            rule: String::new(),
            notification: String::new(),
        };
        tenant.fill(world).await;
        tenant
    }

    async fn fill(&mut self, world: &World) {
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned();
        let plan = self.does(world, Method::POST, "/api/plans", doubling(&format!("Plan of {}", self.slug))).await;
        self.plan = text(&plan["plan"]["id"]);
        self.does(world, Method::POST, &format!("/api/plans/{}/schedule", self.plan), json!({"cron_expression": "@daily"})).await;
        // One that waits, so that it can be cancelled.
        let steps = json!([{"id": "wait", "action": "logic.sleep", "params": {"for": "1h"}}]);
        let waiting = self.does(world, Method::POST, "/api/plans", json!({"name": "Waiting", "steps": steps})).await;
        let wanted = json!({"plan_id": waiting["plan"]["id"], "wait": false});
        let executed = self.does(world, Method::POST, "/api/execute", wanted).await;
        self.run = text(&executed["execution"]["id"]);
        let definition = json!({"name": "shop", "base_url": "http://127.0.0.1:1", "auth_type": "api_key"});
        let integration = self.does(world, Method::POST, "/api/custom-integrations", definition).await;
        self.integration = text(&integration["integration"]["id"]);
        self.does(world, Method::POST, "/api/provider-credentials/openai", json!({"credentials": {"api_key": "sk-tenant"}})).await;
        let home = format!("/api/organizations/{}", self.org);
        self.does(world, Method::PUT, &format!("{home}/variables/REGION"), json!({"value": "eu"})).await;
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
        (self.invitation, self.token) = (text(&invited["invitation"]["id"]), text(&invited["token"]));
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
