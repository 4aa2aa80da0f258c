//! The authorisation matrix: every operation of the OpenAPI document, called as everybody, with one's own ids and with others'.
//!
//! Nothing is listed twice: operations, bodies and rights come from the document. What it cannot say (a plan that runs, which of
//! the ids in a path is whose) stands in `lessons.rs`; an operation that needs a line there and has none is red.

mod audited;
mod lessons;
mod operation;
mod tenant;
mod tricks;

use http::StatusCode;
use insta::assert_json_snapshot;
use mainspring_model::role::{Permission, Role};
use serde_json::{Value, json};

use super::world::World;
use operation::{Operation, operations};
use tenant::Tenant;

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum As {
    Nobody,
    /// A key that has expired.
    Expired,
    Member(Role),
    /// The owner of another organization.
    Stranger,
}

const EVERYBODY: [As; 7] = [
    As::Nobody,
    As::Expired,
    As::Member(Role::Viewer),
    As::Member(Role::Member),
    As::Member(Role::Admin),
    As::Member(Role::Owner),
    As::Stranger,
];

/// Whose ids are in the path and the body, as the caller sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ids {
    Own,
    Foreign,
}

/// What an answer must be.
fn expected(operation: &Operation, caller: As, ids: Ids) -> &'static str {
    if operation.public {
        return "let in";
    }
    match caller {
        As::Nobody | As::Expired => "401",
        As::Member(role) if operation.least.max(lessons::of_others(&operation.id)).is_some_and(|least| role < least) => match ids {
            Ids::Own => "403",
            Ids::Foreign => "403 or 404",
        },
        As::Member(_) if operation.operator => "403",
        As::Stranger if operation.operator => "403",
        // A key is not told whether there is such a thing: it has no session.
        _ if ids == Ids::Foreign && operation.names_something() && operation.path.starts_with("/api/auth/") => "403 or 404",
        _ if ids == Ids::Foreign && operation.names_something() => "404",
        _ => "let in",
    }
}

fn fits(operation: &Operation, expected: &str, status: StatusCode) -> bool {
    match expected {
        "401" => status == 401,
        "403" => status == 403,
        "404" => status == 404,
        "403 or 404" => status == 403 || status == 404,
        // Nobody is signed in yet, or only a key calls, which has no session: the door says so itself.
        // Nobody may register unless the flag says so, which is a 503.
        _ if operation.id == "register_account" => status == 503,
        _ if operation.path.starts_with("/api/auth/") => !status.is_server_error() && ![405, 415].contains(&status.as_u16()),
        // Found and understood, whatever else is said of it: an id that leads nowhere would prove nothing.
        _ => !(status.is_server_error() || [401, 403, 405, 415].contains(&status.as_u16()) || status == 404 && !operation.may_lack()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_answers_everybody_as_the_table_says() {
    let world = World::keyed().await;
    let document = world.get("/api/openapi.json").await.body;
    let (mut calls, mut wrong) = (0, Vec::new());
    let shared = Tenant::make(&world).await;
    let stranger = Tenant::make(&world).await;
    for operation in operations(&document) {
        for caller in EVERYBODY {
            for ids in [Ids::Own, Ids::Foreign] {
                // What writes may destroy what it was given, so that each such call has an organization of its own.
                let own = if operation.writes() { &Tenant::make(&world).await } else { &shared };
                let home = if caller == As::Stranger { &stranger } else { own };
                let named = if (caller == As::Stranger) == (ids == Ids::Own) { &stranger } else { own };
                if operation.writes() && caller == As::Stranger && ids == Ids::Own {
                    // The same as an owner's call with their own ids.
                    continue;
                }
                let request = operation.request(named, home.key_of(caller));
                let status = world.status(request).await;
                calls += 1;
                let wanted = expected(&operation, caller, ids);
                if !fits(&operation, wanted, status) {
                    wrong.push(format!("{} as {caller:?} with {ids:?} ids: {status}, and not {wanted}", operation.id));
                }
            }
        }
    }
    assert_eq!(wrong, [""; 0], "of {calls} calls");
    assert!(calls >= 600, "only {calls} calls: the document is short");
    println!("{calls} calls, 0 unexpected");
}

#[tokio::test]
async fn who_may_call_what_is_this() {
    let document = World::dev().await.get("/api/openapi.json").await.body;
    let rules: Vec<Value> = operations(&document)
        .iter()
        .map(|operation| {
            let who = match operation.least {
                _ if operation.public => "everybody".to_owned(),
                _ if operation.operator => "operator".to_owned(),
                Some(role) => role.to_string(),
                None => "whoever signs in".to_owned(),
            };
            json!(format!("{}: {who}", operation.id))
        })
        .collect();
    // Independent of the table: who weakens a rule changes this too.
    assert_json_snapshot!("rules", rules);
    assert!(Permission::ALL.iter().all(|permission| Role::Owner.may(*permission)));
}

#[tokio::test]
async fn the_header_and_the_body_name_no_other_organization_or_user() {
    let world = World::keyed().await;
    let (own, other) = (Tenant::make(&world).await, Tenant::make(&world).await);
    let document = world.get("/api/openapi.json").await.body;
    let mut wrong = Vec::new();
    for operation in operations(&document).iter().filter(|operation| !operation.public && !operation.writes()) {
        if operation.path.starts_with("/api/auth/") {
            // Of a person, whatever the organization.
            continue;
        }
        let key = own.key_of(As::Member(Role::Owner));
        for foreign in [other.owner().org.to_string(), other.slug.clone(), "nobody".to_owned(), String::new(), "current, x".to_owned()] {
            let mut request = operation.request(&own, key.clone());
            request.headers_mut().insert("x-organization", foreign.parse().expect("a header"));
            let status = world.status(request).await;
            if status != 403 {
                wrong.push(format!("{} with X-Organization: {foreign}: {status}", operation.id));
            }
        }
        for own_name in [own.owner().org.to_string(), own.slug.clone()] {
            let mut request = operation.request(&own, key.clone());
            request.headers_mut().insert("x-organization", own_name.parse().expect("a header"));
            let status = world.status(request).await;
            if [401, 403].contains(&status.as_u16()) || status.is_server_error() {
                wrong.push(format!("{} with its own X-Organization: {status}", operation.id));
            }
        }
        let status =
            world.status(operation.request_at(&own, key, |path| with_query(path, &format!("user_id={}", other.owner().user)))).await;
        if status != 403 {
            wrong.push(format!("{} with another's user_id: {status}", operation.id));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

fn with_query(path: &str, query: &str) -> String {
    format!("{path}{}{query}", if path.contains('?') { '&' } else { '?' })
}
