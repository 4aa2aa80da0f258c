//! A request as it arrived, and the list of all that did, for tests to look at and to wait for.

use std::sync::Mutex;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;
use tokio::sync::watch;

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Asked {
    /// `POST /jobs`, to be matched on.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// A header's value; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("tests send readable headers"))
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{}: {error}: {:?}", self.line(), self.body))
    }

    /// A query parameter.
    pub fn query(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// All requests, in the order in which they were read.
pub struct Log {
    all: Mutex<Vec<Asked>>,
    count: watch::Sender<usize>,
}

impl Log {
    pub fn new() -> Log {
        Log { all: Mutex::default(), count: watch::Sender::new(0) }
    }

    pub fn add(&self, asked: Asked) {
        let mut all = self.all.lock().expect("no panic happens while the log is held");
        all.push(asked);
        self.count.send_replace(all.len());
    }

    pub fn all(&self) -> Vec<Asked> {
        self.all.lock().expect("no panic happens while the log is held").clone()
    }

    pub async fn reaches(&self, count: usize) {
        let mut watching = self.count.subscribe();
        watching.wait_for(|seen| *seen >= count).await.expect("the log outlives its watchers");
    }
}
