//! A store that speaks S3, on a port of its own: real objects in a folder, signatures checked.

use std::convert::Infallible;
use std::net::SocketAddr;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s::{Body, HttpRequest};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const KEY: &str = "a-key";
const SECRET: &str = "its-secret";

/// Stops with its owner.
pub struct Store {
    address: SocketAddr,
    root: TempDir,
    task: JoinHandle<()>,
}

impl Drop for Store {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Store {
    /// With the bucket `files`.
    pub async fn start() -> Store {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("files")).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(root.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                let answer = service_fn(move |request: http::Request<Incoming>| {
                    let service = service.clone();
                    async move {
                        let answered = service.call(HttpRequest::from(request.map(Body::from))).await;
                        Ok::<_, Infallible>(answered.unwrap_or_else(|error| {
                            let mut refused = http::Response::new(Body::from(format!("{error:?}")));
                            *refused.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
                            refused
                        }))
                    }
                });
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Store { address, root, task }
    }

    /// What a server is told to keep its files here.
    pub fn settings(&self) -> [(&'static str, String); 4] {
        [
            ("S3_BUCKET", "files".to_owned()),
            ("MAINSPRING_S3_ENDPOINT", format!("http://{}", self.address)),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ]
    }

    /// Objects, and parts that nobody finished; without what the store notes about them.
    pub fn left(&self) -> (usize, usize) {
        let (mut objects, mut parts, mut open) = (0, 0, vec![self.root.path().to_owned()]);
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                match () {
                    () if path.is_dir() => open.push(path),
                    () if name.starts_with(".upload_id-") => parts += 1,
                    () if name.starts_with('.') => {}
                    () => objects += 1,
                }
            }
        }
        (objects, parts)
    }
}
