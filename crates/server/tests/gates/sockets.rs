//! What open sockets cost: a thousand readers of the real program, by what the machine says of its memory.

use serde_json::json;

use super::dice::Dice;
use super::process::Server;
use crate::http::live::client::Socket;

const SOCKETS: usize = 1_000;
/// For all of them, in KiB.
const MOST: u64 = 20 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_sockets_cost_twenty_megabytes_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path(), &mut Dice::new(1));
    server.spawn();
    server.ready().await;
    // What the first readers bring with them, such as connections to the database, is no part of what each costs.
    let mut warm = Vec::new();
    for _ in 0..20 {
        warm.push(open(&server).await);
    }
    let before = server.resident();
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        sockets.push(open(&server).await);
    }
    let after = server.resident();
    // Every one of them still hears.
    for socket in &mut sockets {
        socket.say(json!({"op": "ping"})).await;
        assert_eq!(socket.next().await["type"], "pong");
    }
    let cost = server.resident().max(after).saturating_sub(before);
    println!("{SOCKETS} sockets: {cost} KiB resident, {:.1} KiB each (before {before} KiB)", cost as f64 / SOCKETS as f64);
    assert!(cost <= MOST, "{cost} KiB for {SOCKETS} sockets");
}

async fn open(server: &Server) -> Socket {
    let mut socket = Socket::open(server.address, &[]).await.unwrap();
    for topic in ["runs", "notices", "schedules"] {
        assert_eq!(socket.subscribe(topic, None).await["type"], "subscribed");
    }
    socket
}
