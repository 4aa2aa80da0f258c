//! Which addresses may be reached: by mode, by name, after rebinding, and never this server's own.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use mainspring_model::{Class, Code, Effected, Fault};
use mainspring_providers::egress::{Egress, Mode, Policy};
use serde_json::json;

use crate::net::*;

const OTHER_LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

fn allowing(hosts: &[&str], names: Names) -> (Arc<Egress>, Arc<Names>) {
    let hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
    let names = Arc::new(names);
    (Arc::new(Egress::with_lookup(Policy::new(Mode::AllowList(hosts)), names.clone())), names)
}

async fn blocked(egress: &Arc<Egress>, url: &str) -> Fault {
    let attempt = Attempt::with(&[("token", "hidden")]);
    let fault = attempt.call(egress, "http.request", json!({"url": url})).await.unwrap_err();
    assert_eq!(
        (&fault.code, fault.class, fault.retryable, fault.effect),
        (&Code::BLOCKED_ADDRESS, Class::Input, false, Effected::Unsent),
        "{url}: {fault}"
    );
    assert!(!attempt.sent());
    fault
}

#[tokio::test]
async fn a_private_address_names_the_host_and_the_way_to_allow_it() {
    let names = Names::new().with("crm.test", &[&["10.0.0.7"]]).with("meta.test", &[&["169.254.169.254"]]);
    let egress = Arc::new(Egress::with_lookup(Policy::new(Mode::Strict), Arc::new(names)));
    for (url, message) in [
        (
            "http://crm.test/a?q=1",
            "GET crm.test/a: crm.test stands for 10.0.0.7, a private address, which plans may not reach; if it is meant, the operator adds \"crm.test\" to the egress allow list (--egress allow-list)",
        ),
        (
            "http://10.0.0.7:8080/",
            "GET 10.0.0.7:8080/: 10.0.0.7 is a private address, which plans may not reach; if it is meant, the operator adds \"10.0.0.7\" to the egress allow list (--egress allow-list)",
        ),
        (
            "http://127.0.0.1/",
            "GET 127.0.0.1/: 127.0.0.1 is a loopback address, which plans may not reach; if it is meant, the operator adds \"127.0.0.1\" to the egress allow list (--egress allow-list), or starts the server with --egress dev",
        ),
        (
            "http://[::ffff:a9fe:a9fe]/latest/",
            "GET [::ffff:a9fe:a9fe]/latest/: [::ffff:a9fe:a9fe] is a cloud metadata address, which plans may not reach; if it is meant, the operator adds \"[::ffff:a9fe:a9fe]\" to the egress allow list (--egress allow-list)",
        ),
        (
            "http://meta.test/",
            "GET meta.test/: meta.test stands for 169.254.169.254, a cloud metadata address, which plans may not reach; if it is meant, the operator adds \"meta.test\" to the egress allow list (--egress allow-list) as the address 169.254.169.254",
        ),
    ] {
        assert_eq!(blocked(&egress, url).await.message, message);
    }
}

#[tokio::test]
async fn a_listed_name_or_address_is_reached_on_its_port_only() {
    let server = Server::start(|_| json(&json!("here"))).await;
    let port = server.address.port();
    let named = || Names::new().with("crm.test", &[&["127.0.0.1"]]);
    let by_name = format!("http://crm.test:{port}/");
    let by_address = format!("http://127.0.0.1:{port}/");
    let with_port = [format!("crm.test:{port}"), format!("127.0.0.1:{port}")];
    let other_port = [format!("crm.test:{}", port ^ 1), format!("127.0.0.1:{}", port ^ 1)];
    for hosts in
        [vec!["crm.test"], vec!["*.test"], vec![with_port[0].as_str()], vec!["127.0.0.1"], vec!["127.0.0.0/8"], vec![with_port[1].as_str()]]
    {
        let (egress, _) = allowing(&hosts, named());
        assert_eq!(Attempt::new().call(&egress, "http.request", json!({"url": by_name})).await.unwrap().value, json!("here"), "{hosts:?}");
        if hosts[0].starts_with("127") {
            assert_eq!(Attempt::new().call(&egress, "http.request", json!({"url": by_address})).await.unwrap().value, json!("here"));
        } else {
            blocked(&egress, &by_address).await;
        }
    }
    let reached = server.connections();
    for hosts in [vec![], vec!["other.test"], vec!["test"], vec![other_port[0].as_str()], vec![other_port[1].as_str()], vec!["127.0.0.2"]] {
        let (egress, _) = allowing(&hosts, named());
        blocked(&egress, &by_name).await;
        blocked(&egress, &by_address).await;
    }
    assert_eq!(server.connections(), reached);
}

#[tokio::test]
async fn a_listed_name_does_not_open_the_metadata_service() {
    let (egress, _) = allowing(&["crm.test"], Names::new().with("crm.test", &[&["169.254.169.254"]]));
    blocked(&egress, "http://crm.test/").await;
}

#[tokio::test]
async fn one_bad_address_among_the_answers_is_enough() {
    let canary = Server::start(|_| json(&json!("canary"))).await;
    let good = Server::at(OTHER_LOOPBACK, |_| json(&json!("good"))).await;
    for answer in [["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "::ffff:10.0.0.1"], ["127.0.0.2", "fd00:ec2::254"]]
    {
        for port in [canary.address.port(), good.address.port()] {
            let (egress, names) = allowing(&["127.0.0.2"], Names::new().with("mixed.test", &[&answer]));
            blocked(&egress, &format!("http://mixed.test:{port}/")).await;
            assert_eq!(names.asked().len(), 1);
        }
    }
    assert_eq!((canary.connections(), good.connections()), (0, 0));
}

#[tokio::test]
async fn a_name_that_changes_its_meaning_is_judged_at_each_connection() {
    let canary = Server::start(|_| json(&json!("canary"))).await;
    let good = Server::at(OTHER_LOOPBACK, |_| reply(200, &[("connection", "close")], "good")).await;
    let names = Names::new().with("rebind.test", &[&["127.0.0.2"], &["127.0.0.1"]]);
    let (egress, names) = allowing(&["127.0.0.2"], names);
    let url = format!("http://rebind.test:{}/", good.address.port());
    Attempt::new().call(&egress, "http.request", json!({"url": url})).await.unwrap();
    assert_eq!(names.asked().len(), 1, "the judged answer is the one connected to");
    blocked(&egress, &url).await;
    blocked(&egress, &format!("http://rebind.test:{}/", canary.address.port())).await;
    assert_eq!((canary.connections(), good.connections()), (0, 1));
}

#[tokio::test]
async fn this_server_itself_is_refused_in_every_mode_and_by_every_name() {
    let own = Server::start(|_| json(&json!("own"))).await;
    let port = own.address.port();
    let elsewhere = Server::start(|_| json(&json!("elsewhere"))).await;
    let names = || Arc::new(Names::new().otherwise("127.0.0.1"));
    for mode in [Mode::Dev, Mode::AllowList(vec!["0.0.0.0/0".parse().unwrap(), "localhost".parse().unwrap()])] {
        let policy = Policy { own: vec![own.address], ..Policy::new(mode) };
        let egress = Arc::new(Egress::with_lookup(policy, names()));
        for host in ["127.0.0.1", "127.9.9.9", "localhost", "me.test", "[::ffff:127.0.0.1]", "2130706433"] {
            let fault = blocked(&egress, &format!("http://{host}:{port}/api/plans")).await;
            assert!(
                fault.message.ends_with("is this Mainspring server itself, which plans do not call; use logic.call to start another plan"),
                "{fault}"
            );
        }
        let url = format!("http://localhost:{}/", elsewhere.address.port());
        assert_eq!(Attempt::new().call(&egress, "http.request", json!({"url": url})).await.unwrap().value, json!("elsewhere"));
    }
    assert_eq!(own.connections(), 0);
}

#[tokio::test]
async fn dev_opens_loopback_and_nothing_more() {
    let names = Names::new().with("lan.test", &[&["192.168.1.1"]]);
    let egress = Arc::new(Egress::with_lookup(Policy::new(Mode::Dev), Arc::new(names)));
    for url in ["http://lan.test/", "http://10.0.0.1/", "http://169.254.169.254/", "http://0.0.0.0/", "http://[fd00::1]/"] {
        blocked(&egress, url).await;
    }
}

#[tokio::test]
async fn an_address_that_nobody_asks_is_the_authors_mistake() {
    let egress = dev();
    for (url, message) in [
        ("ftp://files.test/a", "url: \"ftp:\" is not asked; only http and https are"),
        ("file:///etc/passwd", "url: \"file:\" is not asked; only http and https are"),
        ("http://me:secret@api.test/", "url: a name or password stands in the URL; put it in a credential"),
        (
            "/items?key=hidden",
            "url \"/items\" is not a URL: relative URL without a base; write it whole, as in https://api.example.com/items",
        ),
        ("http://", "url \"http://\" is not a URL: empty host"),
    ] {
        let fault = Attempt::new().call(&egress, "http.request", json!({"url": url})).await.unwrap_err();
        assert_eq!((fault.code, fault.message.as_str(), fault.effect), (Code::INVALID_PARAMS, message, Effected::Unsent), "{url}");
    }
}
