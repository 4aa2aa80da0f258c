//! A store that speaks S3, in this process on a port of its own, and what can be wrong with one.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mainspring_model::credential::Secret;
use mainspring_store::{Bucket, BucketTerms};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpRequest, HttpResponse};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;

pub const BUCKET: &str = "files";
const KEY: &str = "a-key";
const SECRET: &str = "its-secret";

/// What the store does to the next requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    Well,
    /// Says that it is busy, so many times.
    Busy(u32),
    /// Closes each connection without a word.
    Away,
    /// Knows no such bucket; the file system below it makes whatever is not there.
    Bare,
    /// Ends the body of each answer too early.
    Cut,
}

/// Stops with its last owner.
pub struct Server {
    address: SocketAddr,
    root: TempDir,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start() -> Server {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(root.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mood, asked) = (Arc::new(Mutex::new(Mood::Well)), Arc::new(Mutex::new(Vec::new())));
        let (moods, asks) = (mood.clone(), asked.clone());
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (service, mood, asked) = (service.clone(), moods.clone(), asks.clone());
                let answer =
                    service_fn(move |request: http::Request<Incoming>| answer(service.clone(), mood.clone(), asked.clone(), request));
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Server { address, root, mood, asked, task }
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Method and path with query of each request so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub fn terms(&self) -> BucketTerms {
        BucketTerms {
            bucket: BUCKET.to_owned(),
            endpoint: Some(format!("http://{}", self.address)),
            key_id: Some(KEY.to_owned()),
            secret: Some(Secret::new(SECRET)),
            ..BucketTerms::default()
        }
    }

    pub fn bucket(&self) -> Bucket {
        Bucket::open(&self.terms()).unwrap()
    }

    /// Objects, and parts that nobody finished; without what the store notes about them.
    pub fn left(&self) -> (Vec<PathBuf>, usize) {
        let (mut objects, mut parts, mut open) = (Vec::new(), 0, vec![self.root.path().to_owned()]);
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                match () {
                    () if path.is_dir() => open.push(path),
                    () if name.starts_with(".upload_id-") => parts += 1,
                    () if name.starts_with('.') => {}
                    () => objects.push(path.strip_prefix(self.root.path()).unwrap().to_owned()),
                }
            }
        }
        (objects, parts)
    }
}

type Answer = Result<HttpResponse, Box<dyn std::error::Error + Send + Sync>>;

async fn answer(service: S3Service, mood: Arc<Mutex<Mood>>, asked: Arc<Mutex<Vec<String>>>, request: http::Request<Incoming>) -> Answer {
    asked.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
    let now = {
        let mut mood = mood.lock().unwrap();
        let now = *mood;
        if let Mood::Busy(times) = now {
            *mood = if times > 1 { Mood::Busy(times - 1) } else { Mood::Well };
        }
        now
    };
    match now {
        Mood::Away => return Err("gone".into()),
        Mood::Busy(_) => {
            let text = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
            return Ok(http::Response::builder().status(503).body(Body::from(text.to_owned()))?);
        }
        Mood::Bare => {
            let text = "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist.</Message></Error>";
            return Ok(http::Response::builder().status(404).body(Body::from(text.to_owned()))?);
        }
        Mood::Well | Mood::Cut => {}
    }
    let response = service.call(HttpRequest::from(request.map(Body::from))).await.map_err(|error| format!("{error:?}"))?;
    if now != Mood::Cut {
        return Ok(response);
    }
    let (mut head, body) = response.into_parts();
    let whole = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    head.headers.insert("content-length", whole.len().into());
    let short = whole.slice(..whole.len() / 2);
    let stream = futures_util::stream::iter([Ok::<_, Infallible>(hyper::body::Frame::data(short))]);
    Ok(http::Response::from_parts(head, Body::http_body_unsync(http_body_util::StreamBody::new(stream))))
}
