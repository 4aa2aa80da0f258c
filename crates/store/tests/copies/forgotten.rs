//! The end of an account, told by every table of both databases: no row has the address or the name, and the id stands only where
//! others go on.

use std::collections::{BTreeMap, BTreeSet};

use mainspring_model::clock::FakeClock;
use mainspring_model::id::{
    ApiKeyId, AuditId, CredentialId, InvitationId, MessageId, NotificationRuleId, OrgId, Owner, SessionId, UserId, VariableId,
};
use mainspring_model::role::Role;
use mainspring_model::run::RunStatus;
use mainspring_model::store::{
    Actor, ApiKeyRecord, AuditOutcome, AuditRecord, CredentialChange, InvitationRecord, InvitationState, MemberRecord, NewCredential,
    NewPlan, NotificationRecord, NotificationRuleRecord, OneTime, OrganizationRecord, OutsideIdentity, RefreshToken, SecondFactor,
    SessionRecord, UserRecord, VariableRecord, VariableValue,
};
use mainspring_store::postgres::{OpenOptions, PostgresStore};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection, Row, SqliteConnection};

use crate::postgres::database::Database;
use crate::sqlite::{beside, open};
use crate::suite::make::{START, World, code, owner, plan_id};

const ADDRESS: &str = "ada@example.org";
const NAME: &str = "Ada Lovelace";
const ADA: UserId = UserId(uuid::Uuid::from_u128(0xADA));
const BOB: UserId = UserId(uuid::Uuid::from_u128(0xB0B));

/// Where the id stays: what others go on with, and what says who did what.
const STAYS: [&str; 6] = ["audit_log", "egress_rules", "feature_flags", "invitations", "runs", "variables"];

/// An organization of both, and one that only Bob is in, which knows her address.
async fn live(world: &World) -> OrgId {
    let (ours, theirs) = (owner(1).org, owner(2).org);
    let (store, now) = (&world.store, world.now());
    for (id, email, name) in [(ADA, "Ada@Example.org", NAME), (BOB, "bada@example.org", "Bob")] {
        let (email, name) = (email.to_owned(), name.to_owned());
        let user = UserRecord {
            id,
            email,
            name,
            password_hash: None,
            operator: false,
            verified_at: None,
            disabled_at: None,
            created_at: now,
            updated_at: now,
        };
        store.put_user(&user).await.unwrap();
    }
    for (org, users) in [(ours, vec![BOB, ADA]), (theirs, vec![BOB])] {
        let organization = OrganizationRecord { id: org, name: "Org".to_owned(), slug: org.to_string(), created_at: now, updated_at: now };
        store.put_organization(&organization).await.unwrap();
        for user in users {
            store.put_member(&MemberRecord { org, user, role: Role::Owner, created_at: now }).await.unwrap();
        }
    }
    own(Owner { org: ours, user: ADA }, world).await;
    for (at, (org, state)) in [(theirs, InvitationState::Pending), (ours, InvitationState::Declined)].into_iter().enumerate() {
        let invitation = InvitationRecord {
            id: InvitationId(world.uuid()),
            org,
            invited_by: BOB,
            role: Role::Viewer,
            hash: vec![u8::try_from(at).unwrap(); 32],
            email: Some("ADA@example.org".to_owned()),
            created_at: now,
            expires_at: now + 1_000,
            state: InvitationState::Pending,
            ended_at: None,
            ended_by: None,
        };
        store.put_invitation(&invitation).await.unwrap();
        if state != InvitationState::Pending {
            assert!(store.end_invitation(org, invitation.id, state, ADA).await.unwrap());
        }
    }
    for (org, user, to) in
        [(ours, ADA, ADDRESS), (theirs, BOB, "Ada Lovelace <ADA@example.org>"), (theirs, BOB, "bada@example.org"), (theirs, BOB, "")]
    {
        let (id, name, definition) = (NotificationRuleId(world.uuid()), "mail".to_owned(), json!({ "channel": "mail", "to": to }));
        let rule =
            NotificationRuleRecord { id, owner: Owner { org, user }, name, definition, secrets: None, created_at: now, updated_at: now };
        store.put_notification_rule(&rule).await.unwrap();
    }
    ours
}

/// One of everything that can be somebody's.
async fn own(who: Owner, world: &World) {
    let (store, now) = (&world.store, world.now());
    let key = ApiKeyRecord {
        id: ApiKeyId(world.uuid()),
        owner: who,
        name: "ci".to_owned(),
        hash: vec![1; 32],
        created_at: now,
        expires_at: None,
        last_used_at: None,
        scopes: None,
    };
    store.put_api_key(&key).await.unwrap();
    for (owner, with) in [(who, BOB), (Owner { user: BOB, ..who }, who.user)] {
        let id = CredentialId(world.uuid());
        let fields = BTreeMap::from([("token".to_owned(), vec![1])]);
        let (provider, name) = ("github".to_owned(), "default".to_owned());
        store.put_credential(&NewCredential { id, owner, provider, name, fields, expires_at: None, hosts: None }).await.unwrap();
        let change = CredentialChange { shared_with: Some(vec![with]), ..CredentialChange::default() };
        store.change_credential(who.org, id, &change).await.unwrap();
    }
    store.create_plan(plan_id(1), NewPlan { owner: who, ..world.plan("hers") }).await.unwrap();
    store.set_sharing(who.org, plan_id(1), true, &BTreeMap::from([(who.user, true), (BOB, false)])).await.unwrap();
    world.ended_as(&world.header_of(who, plan_id(1)), RunStatus::Success).await;
    let session = SessionRecord {
        id: SessionId(world.uuid()),
        user: who.user,
        method: "password".to_owned(),
        device: String::new(),
        address: String::new(),
        cookie: None,
        created_at: now,
        last_used_at: now,
        expires_at: now + 1_000,
    };
    store.put_session(&session, &RefreshToken { hash: vec![2; 32], expires_at: now + 1_000 }).await.unwrap();
    let (purpose, data) = ("verify_email".to_owned(), json!({ "email": "Ada@Example.org" }));
    store.put_one_time(&OneTime { hash: vec![3; 32], purpose, user: Some(who.user), data, expires_at: now + 1_000 }).await.unwrap();
    let factor = SecondFactor { sealed: vec![1], confirmed_at: None, last_step: None, created_at: now };
    store.put_second_factor(who.user, &factor).await.unwrap();
    assert!(store.confirm_second_factor(who.user, 1, &[vec![4; 32]]).await.unwrap());
    let (issuer, subject) = ("https://id.example.org".to_owned(), ADDRESS.to_owned());
    store.put_outside_identity(&OutsideIdentity { issuer, subject, user: who.user, created_at: now }).await.unwrap();
    let (id, event, title, text) = (MessageId(world.uuid()), "run.failed".to_owned(), "A run failed".to_owned(), format!("Dear {NAME}"));
    let data = json!({});
    store.put_notification(&NotificationRecord { id, owner: who, event, title, text, data, created_at: now, read_at: None }).await.unwrap();
    let (id, value) = (VariableId(world.uuid()), VariableValue::Plain(json!(1)));
    let variable = VariableRecord { org: who.org, name: "A".to_owned(), id, user: who.user, value, created_at: now, updated_at: now };
    store.put_variable(&variable).await.unwrap();
    let entry = AuditRecord {
        id: AuditId(world.uuid()),
        org: who.org,
        at: None,
        user: Some(who.user),
        actor: Actor::Server,
        address: None,
        agent: None,
        action: "create_plan".to_owned(),
        outcome: AuditOutcome::Done,
        target_kind: None,
        target_id: None,
        before: None,
        after: None,
        request_id: None,
    };
    store.append_audit(&[entry]).await.unwrap();
}

/// Tables with the address or the name, and tables with the id.
type Found = (BTreeSet<String>, BTreeSet<String>);

async fn in_sqlite(connection: &mut SqliteConnection) -> Found {
    let sql = "select m.name, c.name from sqlite_schema as m join pragma_table_info(m.name) as c where m.type = 'table'";
    let (mut texts, mut ids) = Found::default();
    for row in sqlx::query(sql).fetch_all(&mut *connection).await.unwrap() {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        let sql = format!(
            "select coalesce(max(instr(lower(cast({column} as text)), '{ADDRESS}') > 0 and instr(lower(cast({column} as text)), 'b{ADDRESS}') = 0 \
             or instr(cast({column} as text), '{NAME}') > 0), 0), coalesce(max({column} = ?1), 0) from {table}"
        );
        let row = sqlx::query(AssertSqlSafe(sql)).bind(ADA.0.as_bytes().to_vec()).fetch_one(&mut *connection).await.unwrap();
        if row.get(0) {
            texts.insert(table.clone());
        }
        if row.get(1) {
            ids.insert(table);
        }
    }
    (texts, ids)
}

async fn in_postgres(connection: &mut PgConnection) -> Found {
    let sql = "select c.relname::text from pg_class as c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') \
               and not c.relispartition";
    let (mut texts, mut ids) = Found::default();
    for row in sqlx::query(sql).fetch_all(&mut *connection).await.unwrap() {
        let table: String = row.get(0);
        let sql = format!(
            "select coalesce(bool_or(replace(lower(x::text), 'b{ADDRESS}', '') like '%{ADDRESS}%' or x::text like '%{NAME}%'), false), \
             coalesce(bool_or(x::text like '%{ADA}%'), false) from {table} as x"
        );
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut *connection).await.unwrap();
        if row.get(0) {
            texts.insert(table.clone());
        }
        if row.get(1) {
            ids.insert(table);
        }
    }
    (texts, ids)
}

fn is_everywhere((texts, ids): Found) {
    let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let known = of(&["invitations", "notification_rules", "notifications", "one_time_tokens", "outside_identities", "users"]);
    assert_eq!(texts, known, "so that the emptiness after says something");
    let own = of(&["api_keys", "credentials", "credential_shares", "members", "plan_shares", "plans", "sessions", "second_factors"]);
    assert_eq!(own.difference(&ids).collect::<Vec<_>>(), [""; 0]);
}

async fn ends(world: &World, ours: OrgId) {
    assert_eq!(code(world.store.erase_user(ADA).await), "CONFLICT", "a member still");
    world.store.remove_member(ours, ADA, BOB).await.unwrap();
    world.store.erase_user(ADA).await.unwrap();
    assert_eq!(code(world.store.erase_user(ADA).await), "NOT_FOUND");
    let invitations = world.store.list_invitations(owner(2).org).await.unwrap();
    assert_eq!((invitations[0].state, &invitations[0].email), (InvitationState::Revoked, &None), "it is not everybody's now");
    assert_eq!(world.store.notification_rules(owner(2).org).await.unwrap().len(), 2, "the others' stay");
    assert_eq!(world.store.get_plan(ours, plan_id(1)).await.unwrap().unwrap().owner.user, BOB);
    assert!(world.store.user(BOB).await.unwrap().is_some());
}

fn is_gone((texts, ids): Found) {
    assert_eq!(texts, BTreeSet::new());
    assert_eq!(ids.iter().filter(|table| !STAYS.contains(&table.as_str())).collect::<Vec<_>>(), [""; 0]);
    assert!(ids.contains("runs") && ids.contains("audit_log"), "{ids:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_keeps_the_address_in_sqlite() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), FakeClock::at(START));
    let world = World::new(open(folder.path(), &clock).await.unwrap(), clock, folder);
    let ours = live(&world).await;
    let mut connection = beside(world.folder.path()).await;
    is_everywhere(in_sqlite(&mut connection).await);
    ends(&world, ours).await;
    is_gone(in_sqlite(&mut connection).await);
    world.store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_keeps_the_address_in_postgres() {
    let (database, clock) = (Database::make().await, FakeClock::at(START));
    let options = OpenOptions { clock: Some(std::sync::Arc::new(clock.clone())), ..database.options() };
    let world = World::new(PostgresStore::open(options).await.unwrap(), clock, tempfile::tempdir().unwrap());
    let ours = live(&world).await;
    let mut connection = database.beside().await;
    is_everywhere(in_postgres(&mut connection).await);
    ends(&world, ours).await;
    is_gone(in_postgres(&mut connection).await);
    world.store.close().await;
}
