//! A proxy that breaks a connection at its commit, before the server hears it or before the client hears the answer, that cuts
//! all of them, and that becomes a black hole: it accepts, and nothing comes back.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::database::Database;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    BeforeCommit = 1,
    AfterCommit = 2,
}

pub struct Proxy {
    port: u16,
    armed: Arc<AtomicU8>,
    cuts: Arc<AtomicU32>,
    path: watch::Sender<Path>,
}

/// What the proxy does with all connections, old and new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    Open,
    /// Accepted and carried nowhere.
    BlackHole,
    /// Ended at once.
    Cut,
}

/// A commit as the store sends it: the simple query of that one word.
const COMMIT: &[u8] = b"Q\0\0\0\x0bcommit\0";

impl Proxy {
    pub async fn start(database: &Database) -> Proxy {
        let url = database.url(&database.runtime, "runtime");
        let server = url.rsplit_once('@').unwrap().1.rsplit_once('/').unwrap().0.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (armed, cuts) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicU32::new(0)));
        let path = watch::Sender::new(Path::Open);
        let ways = path.subscribe();
        let proxy = Proxy { port, armed: Arc::clone(&armed), cuts: Arc::clone(&cuts), path };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *ways.borrow() == Path::Cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                let (armed, cuts) = (Arc::clone(&armed), Arc::clone(&cuts));
                let mut ways = ways.clone();
                tokio::spawn(async move {
                    let mut carrying = pin!(carry(from_client, to_client, from_server, to_server, armed, cuts));
                    loop {
                        let path = *ways.borrow_and_update();
                        tokio::select! {
                            () = &mut carrying, if path == Path::Open => return,
                            changed = ways.changed() => if changed.is_err() { return },
                        }
                        if *ways.borrow() == Path::Cut {
                            return;
                        }
                    }
                });
            }
        });
        proxy
    }

    pub fn in_place_of(&self, url: &str) -> String {
        let (login, rest) = url.rsplit_once('@').unwrap();
        format!("{login}@127.0.0.1:{}/{}", self.port, rest.rsplit_once('/').unwrap().1)
    }

    /// From now on, for connections that are open and those that come.
    pub fn turn(&self, path: Path) {
        self.path.send_replace(path);
    }

    /// The next commit meets this.
    pub fn cut(&self, cut: Cut) {
        self.armed.store(cut as u8, Ordering::SeqCst);
    }

    pub fn cuts(&self) -> u32 {
        self.cuts.load(Ordering::SeqCst)
    }
}

async fn carry(
    mut from_client: OwnedReadHalf,
    mut to_client: OwnedWriteHalf,
    mut from_server: OwnedReadHalf,
    mut to_server: OwnedWriteHalf,
    armed: Arc<AtomicU8>,
    cuts: Arc<AtomicU32>,
) {
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = from_client.read(&mut up) => {
                let Ok(size @ 1..) = read else { return };
                let cut = if up[..size].ends_with(COMMIT) { armed.swap(0, Ordering::SeqCst) } else { 0 };
                if cut != 0 {
                    cuts.fetch_add(1, Ordering::SeqCst);
                }
                if cut == Cut::BeforeCommit as u8 {
                    return;
                }
                if to_server.write_all(&up[..size]).await.is_err() {
                    return;
                }
                if cut == Cut::AfterCommit as u8 {
                    // The server has answered, so it is done; nobody hears it.
                    let _ = from_server.read(&mut down).await;
                    return;
                }
            }
            read = from_server.read(&mut down) => {
                let Ok(size @ 1..) = read else { return };
                if to_client.write_all(&down[..size]).await.is_err() {
                    return;
                }
            }
        }
    }
}
