//! The figures' own address, so that they are never public by accident.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use super::CONTENT_TYPE;
use crate::app::App;

/// Answers `GET /metrics` until dropped, one connection after another in its own task.
pub async fn listen(app: Arc<App>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            app.clock.sleep_until(app.clock.now() + 100).await;
            continue;
        };
        let app = app.clone();
        tokio::spawn(async move {
            let service = service_fn(|request: Request<hyper::body::Incoming>| {
                let answer = answer(&app, request.method(), request.uri().path());
                async move { Ok::<_, Infallible>(answer) }
            });
            let mut serving = http1::Builder::new();
            serving.timer(TokioTimer::new());
            if let Err(error) = serving.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "a reader of the figures went away");
            }
        });
    }
}

fn answer(app: &App, method: &Method, path: &str) -> Response<Full<Bytes>> {
    if *method != Method::GET || path != "/metrics" {
        let mut response = Response::new(Full::from("only GET /metrics is served here\n"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    let mut response = Response::new(Full::from(app.metrics.text(app)));
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(CONTENT_TYPE));
    response
}
