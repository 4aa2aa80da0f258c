//! A stand-in for a pooler in transaction mode: after each transaction the server forgets all that a session may keep, as when
//! the next one goes to another server.

use std::sync::Arc;

use mainspring_model::event::AttemptStatus;
use mainspring_model::id::Owner;
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Committed, Health, LogFilter, Retention, RunFilter, Standing};
use mainspring_store::postgres::{OpenOptions, PostgresStore};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use super::database::Database;
use crate::suite::make::{attempt, ending, page, plan_id};

/// Settings, prepared statements, advisory locks, temporary tables, and whom the session listens to.
const FORGET: &[u8] = b"Q\0\0\0\x10DISCARD ALL\0";

/// Gives the address that leads to the server through the pooler.
async fn start(url: &str) -> String {
    let (login, rest) = url.rsplit_once('@').unwrap();
    let (server, database) = rest.rsplit_once('/').unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let through = format!("{login}@{}/{database}?sslmode=disable", listener.local_addr().unwrap());
    let server = server.to_owned();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(&server).await else { continue };
            // Small messages, one by one: each would wait for the last one's acknowledgement.
            client.set_nodelay(true).unwrap();
            server.set_nodelay(true).unwrap();
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            tokio::spawn(carry(from_client, to_client, from_server, to_server));
        }
    });
    through
}

async fn carry(mut from_client: OwnedReadHalf, mut to_client: OwnedWriteHalf, mut from_server: OwnedReadHalf, to_server: OwnedWriteHalf) {
    // A client waits for the end of each answer before it asks again, so that our own words never come between its own.
    let to_server = Arc::new(Mutex::new(to_server));
    let up = Arc::clone(&to_server);
    let forward = async move {
        let mut buffer = vec![0; 65_536];
        while let Ok(size @ 1..) = from_client.read(&mut buffer).await {
            if up.lock().await.write_all(&buffer[..size]).await.is_err() {
                return;
            }
        }
    };
    let back = async move {
        let mut logged_in = false;
        while let Some(message) = message(&mut from_server).await {
            let idle = message[0] == b'Z' && message[5] == b'I';
            if idle && logged_in {
                if to_server.lock().await.write_all(FORGET).await.is_err() {
                    return;
                }
                while self::message(&mut from_server).await.is_some_and(|message| message[0] != b'Z') {}
            }
            logged_in |= idle;
            if to_client.write_all(&message).await.is_err() {
                return;
            }
        }
    };
    // Both at once, and over when either is.
    tokio::select! {
        () = forward => {}
        () = back => {}
    }
}

async fn message(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let mut message = vec![0; 5];
    from.read_exact(&mut message).await.ok()?;
    let length = u32::from_be_bytes([message[1], message[2], message[3], message[4]]);
    message.resize(1 + length as usize, 0);
    from.read_exact(&mut message[5..]).await.ok()?;
    Some(message)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_kept_in_a_session() {
    let database = Database::make().await;
    let direct = database.options();
    let (url, owner) = (start(&direct.url).await, start(direct.migrate_url.as_ref().unwrap()).await);
    let options = OpenOptions { url, migrate_url: Some(owner), prepared: false, ..direct };
    let (store, world) = super::world_with(options.clone()).await;
    world.store.create_plan(plan_id(1), world.plan("Pooled")).await.unwrap();
    for _ in 0..10 {
        world.queued().await;
    }
    let claimed = world.store.claim(50).await.unwrap();
    assert_eq!(claimed.len(), 10);
    for claim in &claimed {
        let event = attempt(1, world.now(), "a", "http", AttemptStatus::Success, json!(1));
        let write = world.write(claim.header.id, &[event], Standing::Ended(ending(RunStatus::Success)));
        assert_eq!(world.commit(write).await, Committed::Done);
    }
    let org = Owner::LOCAL.org;
    assert_eq!(world.store.list_runs(org, &RunFilter::default(), &page(50)).await.unwrap().items.len(), 10);
    assert_eq!(world.store.list_logs(org, &LogFilter::default(), &page(50)).await.unwrap().items.len(), 10);
    assert_eq!(world.store.history(claimed[0].header.id).await.unwrap().len(), 1);
    let blob = world.store.put_blob(org, vec![1, 2, 3]).await.unwrap();
    assert_eq!(world.store.get_blob(org, &blob).await.unwrap(), [1, 2, 3]);
    world.store.probe().await.unwrap();
    assert_eq!(store.sweep().await.unwrap(), 0);
    world.pass(30 * 86_400_000);
    while world.store.prune(&Retention::default(), 4).await.unwrap() > 0 {}
    assert_eq!(world.store.list_runs(org, &RunFilter::default(), &page(50)).await.unwrap().items, []);
    store.close().await;
    // The second opening finds all done and changes nothing.
    PostgresStore::open(OpenOptions { auto_migrate: false, ..options }).await.unwrap().close().await;
}
