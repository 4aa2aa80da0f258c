//! S4: 500 spellings, asked directly, by redirect, by a name that changes its meaning and by a name with several: none gets through.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mainspring_model::Code;
use mainspring_providers::egress::{Egress, Limits, Mode, Policy};
use serde_json::json;
use url::{Host, Url};

use super::spellings::spellings;
use crate::net::*;

/// The only address that the operator allows.
const ALLOWED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 77, 0, 1));

/// What a spelling stands for; a name is one that a hostile server answers with loopback.
fn meaning(spelling: &str) -> IpAddr {
    match Url::parse(&format!("http://{spelling}/")).ok().as_ref().and_then(Url::host) {
        Some(Host::Ipv4(address)) => address.into(),
        Some(Host::Ipv6(address)) => address.into(),
        _ => Ipv4Addr::LOCALHOST.into(),
    }
}

/// Listeners on one port wherever on this machine a call could end: how many there are, and how often one was reached. A caller that gets
/// through by mistake is hung up on, and not kept waiting.
fn canaries(port: u16) -> (usize, Arc<AtomicUsize>) {
    let bound = ["127.0.0.1", "127.0.0.2", "127.8.9.10", "127.127.127.127", "::1"].map(|address| TcpListener::bind((address, port)).ok());
    let (mut count, reached) = (0, Arc::new(AtomicUsize::new(0)));
    for listener in bound.into_iter().flatten() {
        let reached = reached.clone();
        count += 1;
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                reached.fetch_add(1, Ordering::AcqRel);
                drop(stream);
            }
        });
    }
    (count, reached)
}

#[tokio::test]
async fn no_spelling_reaches_a_canary() {
    let spellings = spellings();
    assert!(spellings.len() >= 500, "{} spellings", spellings.len());
    let targets = Arc::new(spellings.clone());
    let good = Server::at(ALLOWED, move |seen| {
        let Some(index) = seen.path.strip_prefix("/to/").and_then(|index| index.parse::<usize>().ok()) else {
            return reply(200, &[("connection", "close")], "good");
        };
        let mut response = reply(307, &[], "");
        let to = format!("http://{}:{}/", targets[index].replace('\t', ""), seen.header("x-port"));
        response.headers_mut().insert("location", http::HeaderValue::from_bytes(to.as_bytes()).unwrap());
        response
    })
    .await;
    let port = good.address.port();
    let (canaries, touched) = canaries(port);
    assert!(canaries >= 4, "{canaries} canaries");

    let mut names = Names::new().otherwise("127.0.0.1").with("good.test", &[&["127.77.0.1"]]);
    for (index, spelling) in spellings.iter().enumerate() {
        let bad = meaning(spelling).to_string();
        names = names.with(&format!("rebind-{index}.test"), &[&["127.77.0.1"], &[&bad]]);
        let mixed: [&str; 2] = if index % 2 == 0 { ["127.77.0.1", &bad] } else { [&bad, "127.77.0.1"] };
        names = names.with(&format!("mixed-{index}.test"), &[&mixed]);
    }
    // What gets through by mistake must not be waited for long.
    let limits = Limits { connect_timeout: Duration::from_secs(2), ..Limits::default() };
    let policy = Policy { limits, ..Policy::new(Mode::AllowList(vec!["127.77.0.1".parse().unwrap()])) };
    let egress = Arc::new(Egress::with_lookup(policy, Arc::new(names)));
    let mut counts = [0_u32; 4];
    let mut reached = Vec::new();
    for (index, spelling) in spellings.iter().enumerate() {
        // Enough to say that it is broken.
        if reached.len() >= 10 {
            break;
        }
        let urls = [
            format!("http://{spelling}:{port}/"),
            format!("http://good.test:{port}/to/{index}"),
            format!("http://rebind-{index}.test:{port}/"),
            format!("http://mixed-{index}.test:{port}/"),
        ];
        for (way, url) in urls.iter().enumerate() {
            let attempt = Attempt::with(&[("token", "hidden")]);
            let ask = || attempt.call(&egress, "http.request", json!({"url": url, "headers": {"X-Port": port.to_string()}}));
            if way == 2 {
                assert_eq!(ask().await.unwrap().value, json!("good"), "a name is reached while it means what is allowed");
            }
            let code = ask().await.err().map(|fault| fault.code);
            if code != Some(Code::BLOCKED_ADDRESS) && code != Some(Code::INVALID_PARAMS) && (way != 1 || code != Some(Code::BAD_RESPONSE)) {
                reached.push(format!("{} of {spelling:?} was not refused: {code:?}", ["directly", "redirect", "rebinding", "mixed"][way]));
            }
            counts[way] += 1;
            if touched.swap(0, Ordering::AcqRel) > 0 {
                reached.push(format!("{url} reached a canary"));
            }
        }
    }
    println!("S4: {} spellings, {counts:?} calls, {} to the allowed host", spellings.len(), good.seen().len());
    assert!(reached.is_empty(), "{}", reached.join("\n"));
    assert!(counts.iter().all(|count| *count >= 500) && good.seen().len() >= 1_000, "{counts:?}, {}", good.seen().len());
    // The canaries would have noticed, and the allowed host still works.
    let mut hung_up = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert_eq!(hung_up.read(&mut [0]).unwrap(), 0);
    assert_eq!(touched.load(Ordering::Acquire), 1);
    let url = format!("http://good.test:{port}/");
    assert_eq!(Attempt::new().call(&egress, "http.request", json!({"url": url})).await.unwrap().value, json!("good"));
}

#[tokio::test]
async fn nothing_secret_reaches_a_second_origin() {
    const SECRET: &str = "canary-secret-5f1d";
    let second = Server::start(|_| reply(200, &[], "second")).await;
    let to = [
        second.url("/a"),
        format!("http://localhost:{}/b", second.address.port()),
        format!("http://other.test:{}/c", second.address.port()),
        second.url(&format!("/d?key={SECRET}&q={SECRET}")),
    ];
    let targets = to.clone();
    let first = Server::start(move |seen| {
        let mut parts = seen.path.trim_start_matches('/').split('/').map(|part| part.parse::<usize>().unwrap());
        let (status, target) = (parts.next().unwrap(), parts.next().unwrap());
        reply(u16::try_from(status).unwrap(), &[("location", targets[target].as_str())], "")
    })
    .await;
    let egress = Arc::new(Egress::with_lookup(Policy::new(Mode::Dev), Arc::new(Names::new().otherwise("127.0.0.1"))));
    let credentials: [&[(&str, &str)]; 4] = [
        &[("token", SECRET)],
        &[("username", "u"), ("password", SECRET)],
        &[("header_name", "X-Api-Key"), ("header_value", SECRET)],
        &[("query_name", "key"), ("query_value", SECRET)],
    ];
    let headers =
        json!({"X-Api-Key": SECRET, "Cookie": SECRET, "Authorization": SECRET, "X-Amz-Security-Token": SECRET, "Private-Token": SECRET});
    let mut calls = 0;
    for status in [301, 302, 303, 307, 308] {
        for target in 0..to.len() {
            // An echo of the key can only be known for one where the key itself was in the address.
            for (index, fields) in credentials.iter().enumerate().filter(|(index, _)| target < 3 || *index == 3) {
                for action in ["http.get", "http.post"] {
                    let mut params = json!({"url": first.url(&format!("/{status}/{target}"))});
                    if index == 0 {
                        params["headers"] = headers.clone();
                    }
                    if action == "http.post" {
                        params["body"] = json!({"secret": SECRET});
                    }
                    // A body that may not go along is a fault; what matters is what arrived.
                    drop(Attempt::with(fields).call(&egress, action, params).await);
                    calls += 1;
                }
            }
        }
    }
    let leaked: Vec<String> = second
        .seen()
        .iter()
        .filter(|seen| {
            seen.query.contains(SECRET)
                || seen.headers.values().any(|value| String::from_utf8_lossy(value.as_bytes()).contains(SECRET))
                || seen.headers.contains_key("authorization")
                || String::from_utf8_lossy(&seen.body).contains(SECRET)
        })
        .map(|seen| format!("leaked to a second origin: {} {}?{} {:?}", seen.method, seen.path, seen.query, seen.headers))
        .collect();
    println!("S4: {calls} calls, {} requests at the second origin, {} leaks", second.seen().len(), leaked.len());
    assert!(leaked.is_empty(), "{}", leaked.join("\n"));
    assert_eq!(first.seen().len(), calls, "every call reached the first origin");
    assert!(second.seen().len() >= 90, "{}", second.seen().len());
}
