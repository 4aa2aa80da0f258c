//! The HTTP interface as commands use it: of a server over the network, or of the data folder in this process.
//!
//! Both ways go through the same handlers, so that a command shows, refuses and checks the same wherever it runs.

use std::sync::Arc;
use std::time::Duration;

use ::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use ::http::{Method, Request};
use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use mainspring_model::Problem;
use mainspring_model::credential::Secret;
use mainspring_model::file::FILE_CHUNK;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_util::io::ReaderStream;
use tower::ServiceExt;
use url::Url;

use super::events::Events;
use super::exit::Exit;
use super::failure::{Failure, Findings};
use super::text::short;
use crate::app::App;

/// Longer than the server itself holds a caller (60 s).
const ANSWER_WITHIN: Duration = Duration::from_secs(75);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Where requests go.
pub(crate) enum Api {
    Server { http: reqwest::Client, base: Url, key: Option<Secret> },
    Here { router: axum::Router, app: Arc<App> },
}

impl Api {
    /// A server's. Nothing is asked of it yet.
    pub(crate) fn of_server(url: &str, key: Option<Secret>) -> Result<Api, Failure> {
        let text = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let wrong = |reason: &str| Failure::usage(format!("--server {url:?} {reason}; write for example http://127.0.0.1:5000"));
        let mut base = Url::parse(&text).map_err(|_| wrong("is no URL"))?;
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(wrong("is no http or https URL"));
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        // Fails only when a provider is installed already, which then is the one to use.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_WITHIN)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("mainspring/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Failure::internal(format!("no HTTP client could be made: {error}")))?;
        Ok(Api::Server { http, base, key })
    }

    /// The data folder's, through the server's own handlers.
    pub(crate) fn of_folder(app: Arc<App>, router: axum::Router) -> Api {
        Api::Here { router, app }
    }

    /// The open data folder, when that is where requests go.
    pub(crate) fn app(&self) -> Option<&Arc<App>> {
        match self {
            Api::Here { app, .. } => Some(app),
            Api::Server { .. } => None,
        }
    }

    /// Waits for what was written here. A server has done so before it answered.
    pub(crate) async fn close(&self) {
        if let Api::Here { app, .. } = self {
            app.store.close().await;
        }
    }

    pub(crate) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        self.ask(Method::GET, &with_query(path, query), None).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask(method, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        self.ask(Method::DELETE, &with_query(path, query), None).await
    }

    /// The items of every page of a list, up to `most`.
    pub(crate) async fn list(&self, path: &str, items: &str, query: &[(&str, String)], most: usize) -> Result<Vec<Value>, Failure> {
        let mut found: Vec<Value> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = query.to_vec();
            query.push(("limit", most.saturating_sub(found.len()).clamp(1, 200).to_string()));
            if let Some(cursor) = &cursor {
                query.push(("cursor", cursor.clone()));
            }
            let mut page = self.get(path, &query).await?;
            if let Some(list) = page.get_mut(items).and_then(Value::as_array_mut) {
                found.append(list);
            }
            cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || found.len() >= most {
                found.truncate(most);
                return Ok(found);
            }
        }
    }

    /// A run's events from the one after `last` on.
    pub(crate) async fn events(&self, path: &str, last: Option<&str>) -> Result<Events, Failure> {
        let Api::Server { http, base, .. } = self else {
            return Err(Failure::internal("events of this process come from its engine"));
        };
        let mut request = http.get(join(base, path)?).header(ACCEPT, "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = self.authorized(request).send().await.map_err(|error| unreachable(base, &error))?;
        let status = response.status().as_u16();
        if status != 200 {
            let body = response.bytes().await.unwrap_or_default();
            return Err(refused(status, &body, self));
        }
        let place = base.clone();
        let bytes = response.bytes_stream().map_err(move |error| unreachable(&place, &error)).boxed();
        Ok(Events::of(bytes))
    }

    /// Sends bytes as they are read.
    pub(crate) async fn upload<R: AsyncRead + Send + 'static>(
        &self,
        path: &str,
        query: &[(&str, String)],
        media_type: &str,
        from: R,
        size: Option<u64>,
    ) -> Result<Value, Failure> {
        let path = with_query(path, query);
        let bytes = ReaderStream::with_capacity(from, FILE_CHUNK);
        let (status, body) = match self {
            Api::Server { http, base, .. } => {
                let mut request = http.post(join(base, &path)?).header(CONTENT_TYPE, media_type);
                if let Some(size) = size {
                    request = request.header(CONTENT_LENGTH, size);
                }
                let request = self.authorized(request.body(reqwest::Body::wrap_stream(bytes)));
                let response = request.send().await.map_err(|error| unreachable(base, &error))?;
                let status = response.status().as_u16();
                (status, response.bytes().await.map_err(|error| unreachable(base, &error))?)
            }
            Api::Here { router, app } => {
                let request = Request::post(&path).header(CONTENT_TYPE, media_type).header(HOST, app.mode.listen.to_string());
                let (status, body) = in_process(router, request, Body::from_stream(bytes), &path).await?;
                (status, body.collect().await.map_err(|error| Failure::internal(format!("{path}: {error}")))?.to_bytes())
            }
        };
        if !(200..300).contains(&status) {
            return Err(refused(status, &body, self));
        }
        serde_json::from_slice(&body).map_err(|error| Failure::internal(format!("{path} answered no JSON: {error}")))
    }

    /// Writes an answer's bytes as they come.
    pub(crate) async fn download(&self, path: &str, to: &mut (impl AsyncWrite + Unpin)) -> Result<(), Failure> {
        let (status, mut bytes) = match self {
            Api::Server { http, base, .. } => {
                let response = self.authorized(http.get(join(base, path)?)).send().await.map_err(|error| unreachable(base, &error))?;
                (response.status().as_u16(), response.bytes_stream().map_err(|error| error.to_string()).boxed())
            }
            Api::Here { router, app } => {
                let request = Request::get(path).header(HOST, app.mode.listen.to_string());
                let (status, body) = in_process(router, request, Body::empty(), path).await?;
                (status, TryStreamExt::map_err(body.into_data_stream(), |error| error.to_string()).boxed())
            }
        };
        let broke = |reason: String| Failure::new(Exit::Unreachable, "CONNECTION_FAILED", format!("the file broke off: {reason}"));
        if !(200..300).contains(&status) {
            let all: Vec<Bytes> = bytes.try_collect().await.map_err(broke)?;
            return Err(refused(status, &all.concat(), self));
        }
        while let Some(piece) = bytes.try_next().await.map_err(broke)? {
            to.write_all(&piece).await.map_err(|error| Failure::usage(format!("the file cannot be written: {error}")))?;
        }
        Ok(())
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let (status, bytes) = match self {
            Api::Server { http, base, .. } => {
                let mut request = http.request(method, join(base, path)?).timeout(ANSWER_WITHIN);
                if let Some(body) = body {
                    request = request.json(body);
                }
                let response = self.authorized(request).send().await.map_err(|error| unreachable(base, &error))?;
                let status = response.status().as_u16();
                (status, response.bytes().await.map_err(|error| unreachable(base, &error))?)
            }
            Api::Here { router, app } => here(router, app, method, path, body).await?,
        };
        if !(200..300).contains(&status) {
            return Err(refused(status, &bytes, self));
        }
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|_| {
            let start = short(&String::from_utf8_lossy(&bytes), 60);
            Failure::new(Exit::Unreachable, "BAD_RESPONSE", format!("the answer is no JSON ({start:?}); is this a Mainspring server?"))
        })
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match self {
            Api::Server { key: Some(key), .. } => request.bearer_auth(key.expose()),
            _ => request,
        }
    }
}

/// One request of bytes to the handlers in this process.
async fn in_process(router: &axum::Router, request: ::http::request::Builder, body: Body, path: &str) -> Result<(u16, Body), Failure> {
    let request = request.body(body).map_err(|error| Failure::internal(format!("{path} could not be asked in this process: {error}")))?;
    match router.clone().oneshot(request).await {
        Ok(response) => Ok((response.status().as_u16(), response.into_body())),
        Err(never) => match never {},
    }
}

/// One request to the handlers in this process.
async fn here(router: &axum::Router, app: &App, method: Method, path: &str, body: Option<&Value>) -> Result<(u16, Bytes), Failure> {
    let broken = |error: &dyn std::fmt::Display| Failure::internal(format!("{path} could not be asked in this process: {error}"));
    let request =
        Request::builder().method(method).uri(path).header(HOST, app.mode.listen.to_string()).header(CONTENT_TYPE, "application/json");
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let request = request.body(body).map_err(|error| broken(&error))?;
    // The router never fails: errors are answers.
    let response = match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes();
    Ok((status, bytes))
}

fn with_query(path: &str, query: &[(&str, String)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{path}?{query}")
}

/// One part of a path, escaped.
pub(crate) fn part(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

fn join(base: &Url, path: &str) -> Result<Url, Failure> {
    base.join(path.trim_start_matches('/')).map_err(|error| Failure::usage(format!("{base}{path} is no address: {error}")))
}

/// A request that got no answer.
fn unreachable(base: &Url, error: &reqwest::Error) -> Failure {
    if error.is_timeout() && !error.is_connect() {
        return Failure::new(Exit::Timeout, "TIMEOUT", format!("{base} did not answer in time"))
            .next("the server may be busy; look at it with `mainspring doctor`");
    }
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    let failure = Failure::new(Exit::Unreachable, "CONNECTION_FAILED", format!("no server answers at {base}: {reason}"));
    failure.next("start one with `mainspring serve`, check --server (MAINSPRING_URL), or leave it out to work on the data folder")
}

/// An answer outside 2xx, from its problem document when it is one.
fn refused(status: u16, body: &[u8], api: &Api) -> Failure {
    let problem: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let code = problem["code"].as_str().map_or_else(|| format!("HTTP_{status}"), str::to_owned);
    let detail =
        problem["detail"].as_str().or(problem["error"].as_str()).map_or_else(|| format!("the server answered {status}"), str::to_owned);
    let exit = match api {
        // Over the network such an answer says that the server cannot serve; here it is our own folder.
        Api::Here { .. } if code.starts_with("STORE_") || code == "DISK_FULL" => Exit::of_code(&code),
        _ => Exit::of_status(status),
    };
    let mut failure = Failure::new(exit, code, detail);
    failure.next = match status {
        401 => Some(
            "give an API key with --api-key or MAINSPRING_API_KEY; `mainspring api-key create` on the server's data folder makes one"
                .to_owned(),
        ),
        403 => Some("use a key of the owner, or ask them".to_owned()),
        412 => Some("somebody changed it meanwhile; read it again and repeat".to_owned()),
        _ => None,
    };
    let errors = problem["errors"].as_array().into_iter().flatten();
    let problems: Vec<Problem> = errors.filter_map(|error| serde_json::from_value(error.clone()).ok()).collect();
    if !problems.is_empty() {
        failure.findings = Some(Box::new(Findings { document: None, problems }));
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Result<String, u8> {
        match Api::of_server(url, None) {
            Ok(Api::Server { base, .. }) => Ok(join(&base, "/api/plans?limit=1").unwrap().to_string()),
            Ok(Api::Here { .. }) => Err(0),
            Err(failure) => Err(failure.exit as u8),
        }
    }

    #[test]
    fn addresses_are_read_with_and_without_a_scheme_and_a_path() {
        assert_eq!(server("127.0.0.1:5000").as_deref(), Ok("http://127.0.0.1:5000/api/plans?limit=1"));
        assert_eq!(server("https://a.example/mainspring").as_deref(), Ok("https://a.example/mainspring/api/plans?limit=1"));
        assert_eq!(server("ftp://a.example"), Err(2));
        assert_eq!(server("http://"), Err(2));
    }

    #[test]
    fn queries_and_parts_are_escaped() {
        assert_eq!(with_query("/api/runs", &[("status", "a&b".to_owned())]), "/api/runs?status=a%26b");
        assert_eq!(part("a b/ü"), "a%20b%2F%C3%BC");
    }

    #[test]
    fn a_refusal_keeps_code_detail_and_findings() {
        let api = Api::of_server("localhost", None).unwrap();
        let body = br#"{"code": "CYCLE", "detail": "steps wait", "errors": [{"code": "CYCLE", "pointer": "/steps/0", "message": "m", "line": 2, "column": 1}]}"#;
        let failure = refused(422, body, &api);
        assert_eq!((failure.exit as u8, &*failure.code, &*failure.message), (3, "CYCLE", "steps wait"));
        assert_eq!(failure.findings.unwrap().problems.len(), 1);
        let failure = refused(502, b"<html>", &api);
        assert_eq!((failure.exit as u8, &*failure.code, &*failure.message), (9, "HTTP_502", "the server answered 502"));
    }
}
