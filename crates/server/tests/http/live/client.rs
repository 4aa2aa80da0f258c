//! A server on a socket, and a reader that speaks WebSocket to it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use mainspring_server::http as interface;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::http::world::World;

pub struct Serving {
    pub world: World,
    pub address: std::net::SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Serving {
    pub async fn of(world: World) -> Serving {
        Serving::on(world, TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// On a machine that keeps little of what a reader has not taken.
    pub fn narrow(world: World) -> Serving {
        let socket = TcpSocket::new_v4().unwrap();
        // What is accepted from it inherits the size.
        socket.set_send_buffer_size(8_192).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Serving::on(world, socket.listen(64).unwrap())
    }

    fn on(world: World, listener: TcpListener) -> Serving {
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(interface::serve(Arc::clone(&world.app), listener, async move { drop(stopped.await) }));
        Serving { world, address, stop: Some(stop), serving }
    }

    pub async fn dev() -> Serving {
        Serving::of(World::dev().await.driving().await).await
    }

    /// A reader in dev mode.
    pub async fn socket(&self) -> Socket {
        Socket::open(self.address, &[]).await.unwrap()
    }

    /// Asks the server to end; the future resolves when it has.
    pub fn stop(&mut self) -> &mut tokio::task::JoinHandle<()> {
        self.stop.take().unwrap().send(()).unwrap();
        &mut self.serving
    }

    /// Starts a run and gives its id; `wait` for its end.
    pub async fn start(&self, plan: &str, wait: bool) -> String {
        let answer = self.world.post("/api/execute", json!({"plan_id": plan, "inputs": {}, "wait": wait})).await;
        answer.body["execution"]["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned()
    }
}

pub struct Socket(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What is waited for comes, or the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

impl Socket {
    pub async fn open(address: std::net::SocketAddr, headers: &[(&'static str, &str)]) -> Result<Socket, Box<Error>> {
        let mut request = format!("ws://{address}/api/ws").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (stream, _) = tokio_tungstenite::connect_async(request).await.map_err(Box::new)?;
        let mut socket = Socket(stream);
        let hello = socket.next().await;
        assert_eq!((&hello["type"], &hello["version"]), (&json!("hello"), &json!(1)), "{hello}");
        Ok(socket)
    }

    /// Of a machine with little room for what it has not read.
    pub async fn open_narrow(address: std::net::SocketAddr) -> Socket {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let stream = MaybeTlsStream::Plain(socket.connect(address).await.unwrap());
        let (stream, _) = tokio_tungstenite::client_async(format!("ws://{address}/api/ws"), stream).await.unwrap();
        let mut socket = Socket(stream);
        assert_eq!(socket.next().await["type"], "hello");
        socket
    }

    /// Passes over everything up to the end.
    pub async fn until_closed(&mut self) -> Value {
        loop {
            let frame = self.next().await;
            if frame.get("closed").is_some() {
                return frame;
            }
        }
    }

    pub async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next text; a close is `{"closed": code}`, and so is an end without one, with 0.
    pub async fn next(&mut self) -> Value {
        tokio::time::timeout(PATIENCE, async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                    Some(Ok(Message::Close(frame))) => return json!({"closed": frame.map_or(0, |frame| u16::from(frame.code))}),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return json!({"closed": 0}),
                }
            }
        })
        .await
        .expect("something comes in time")
    }

    pub async fn subscribe(&mut self, topic: &str, after: Option<&str>) -> Value {
        let mut message = json!({"op": "subscribe", "topic": topic});
        if let Some(after) = after {
            message["after"] = json!(after);
        }
        self.say(message).await;
        self.next().await
    }

    /// Frames up to one of this event's type, it included.
    pub async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut seen = Vec::new();
        loop {
            let frame = self.next().await;
            assert!(frame.get("closed").is_none(), "closed before {kind}: {seen:?} {frame}");
            let last = frame["event"]["type"] == kind || frame["type"] == kind;
            seen.push(frame);
            if last {
                return seen;
            }
        }
    }
}

/// The types of the events in frames, in their order.
pub fn kinds(frames: &[Value]) -> Vec<&str> {
    frames.iter().filter_map(|frame| frame["event"]["type"].as_str()).collect()
}

/// Journal positions of frames, in their order.
pub fn seqs(frames: &[Value]) -> Vec<u64> {
    frames.iter().filter_map(|frame| frame["event"]["seq"].as_u64()).collect()
}
