//! The program's HTTP interface on a port of its own, as the outside sees it.

use std::net::{Ipv4Addr, SocketAddr};

use mainspring_server::http;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::world::World;

/// A listening program.
pub struct Serving {
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Serving {
    pub async fn start(world: &World) -> Serving {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (stop, stopped) = oneshot::channel();
        let app = world.app.clone();
        let task = tokio::spawn(async move {
            http::serve(app, listener, async {
                // Dropped counts as said.
                drop(stopped.await);
            })
            .await;
        });
        Serving { address, stop, task }
    }

    /// Stops as the program does: requests in flight are answered.
    pub async fn stop(self) {
        drop(self.stop);
        self.task.await.expect("serving does not panic");
    }
}
