//! A shop whose answers come in rounds: it answers only when as many are asking as should be, so that how many requests
//! are under way at once is not a matter of luck.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::server::{self, Reply, Server};

/// The shop: `GET /item?id=7` gives `{id, price_cents}`.
pub struct Items {
    pub server: Server,
    rounds: Arc<Rounds>,
}

struct Rounds {
    together: usize,
    all: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    answered: usize,
    waiting: Vec<oneshot::Sender<()>>,
    most: usize,
}

impl Items {
    /// Expects `all` requests, `together` of them at any time. With fewer under way it never answers.
    pub async fn start(all: usize, together: usize) -> Items {
        let rounds = Arc::new(Rounds { together, all, state: Mutex::default() });
        let server = Server::held({
            let rounds = rounds.clone();
            move |asked| {
                let id = asked.query("id").and_then(|id| id.parse().ok());
                let turn = rounds.enter();
                Box::pin(async move {
                    turn.await.expect("the shop stays open");
                    item(id)
                })
            }
        })
        .await;
        Items { server, rounds }
    }

    /// The most requests that were under way at once.
    pub fn most(&self) -> usize {
        self.rounds.state.lock().expect("no panic happens while the rounds are held").most
    }
}

impl Rounds {
    fn enter(&self) -> oneshot::Receiver<()> {
        let (go, turn) = oneshot::channel();
        let mut state = self.state.lock().expect("no panic happens while the rounds are held");
        state.waiting.push(go);
        state.most = state.most.max(state.waiting.len());
        if state.waiting.len() >= self.together.min(self.all.saturating_sub(state.answered)) {
            state.answered += state.waiting.len();
            for go in state.waiting.drain(..) {
                // Whoever hung up is not waiting any more.
                let _ = go.send(());
            }
        }
        turn
    }
}

fn item(id: Option<u64>) -> Reply {
    match id {
        Some(id) => server::json(200, &json!({"id": id, "price_cents": price(id)})),
        None => server::json(400, &json!({"error": Value::from("which item?")})),
    }
}

/// What an item costs.
pub fn price(id: u64) -> u64 {
    100 + id * 37 % 900
}
