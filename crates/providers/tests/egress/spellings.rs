//! Every known way to write an address that plans may not reach: directly, and as the target of a redirect.

use std::net::TcpListener;
use std::sync::Arc;

use mainspring_model::{Code, Effected};
use mainspring_providers::egress::{Egress, Mode, Policy};
use serde_json::json;

use crate::net::*;

/// Hosts. `{}` in one that is a whole URL stands for the canary's port.
pub fn spellings() -> Vec<String> {
    #[rustfmt::skip]
    let mut all: Vec<String> = [
        // Loopback, IPv4.
        "127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "127.000.000.001", "0177.0.0.1", "0177.0.0.01", "0177.0.01", "0177.1", "0x7f.0.0.1", "0x7f.1",
        "0x7f000001", "0x7F000001", "0X7f000001", "0x7f.0x0.0x0.0x1", "0x7f.0.1", "2130706433", "017700000001", "00000017700000001", "127.0.0.0x1", "127.0x1",
        "127.255.255.254", "127.0.0.2", "127.127.127.127", "%31%32%37.0.0.1", "127%2e0%2e0%2e1", "127。0。0。1", "127．0．0．1", "127｡0｡0｡1",
        "１２７.０.０.１", "１２７。０。０。１", "①②⑦.⓪.⓪.①", "𝟏𝟐𝟕.𝟎.𝟎.𝟏", "0x７f.1", "２１３０７０６４３３", "127.0.0.1%00", "127.0.0.1%20", "127\t.0.0.1",
        // Unspecified.
        "0", "0.", "0.0.0.0", "0x0", "00", "0.0", "000.000.000.000", "0.1.2.3", "[::]", "[0:0:0:0:0:0:0:0]", "[0::0]", "[::0.0.0.0]",
        // Loopback, IPv6.
        "[::1]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::0001]", "[0::1]", "[::1%25lo]", "[::1%lo]", "[::1%251]", "[fe80::1%25eth0]",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::FFFF:7F00:0001]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[::7f00:1]", "[::ffff:0:127.0.0.1]",
        "[::ffff:0:7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:0001::1]", "[2001:0:7f00:1::]",
        "[2606:4700::5efe:7f00:1]", "[64:ff9b:1::7f00:1]",
        // Metadata services.
        "169.254.169.254", "169.254.169.254.", "169.254.43518", "169.16689662", "2852039166", "0xa9fea9fe", "0xA9FEA9FE", "0xa9.0xfe.0xa9.0xfe", "0xa9.0xfe.0xa9fe",
        "0xa9.0xfea9fe", "0251.0376.0251.0376", "0251.0376.0124776", "0251.077524776", "025177524776", "0xa9.254.0251.254", "１６９.２５４.１６９.２５４", "169。254。169。254",
        "%31%36%39.254.169.254", "[::ffff:a9fe:a9fe]", "[::ffff:169.254.169.254]", "[0:0:0:0:0:ffff:a9fe:a9fe]", "[::a9fe:a9fe]", "[::169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]", "[64:ff9b::169.254.169.254]", "[2002:a9fe:a9fe::]", "[2002:a9fe:a9fe::1]", "[::ffff:0:a9fe:a9fe]", "[fd00:ec2::254]", "[fd00:0ec2:0:0:0:0:0:254]",
        "[fd20:ce::254]", "100.100.100.200", "1684301000", "0x646464c8", "[::ffff:100.100.100.200]", "168.63.129.16", "2822734096", "[::ffff:a83f:8110]", "192.0.0.192",
        "169.254.170.2", "169.254.0.1",
        // Private, shared, multicast, documentation, reserved.
        "10.0.0.1", "10.1", "0xa000001", "167772161", "012.0.0.1", "172.16.0.1", "172.31.255.255", "0xac100001", "192.168.0.1", "192.168.1", "0300.0250.0.1", "3232235521",
        "100.64.0.1", "100.127.255.255", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
        "255.255.255.255", "0xffffffff", "4294967295", "[fc00::1]", "[fdab::1]", "[fe80::1]", "[fec0::1]", "[ff02::1]", "[2001:db8::1]", "[3fff::1]", "[100::1]", "[2001::1]",
        "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "[2002:a00:1::]", "[2002:c0a8:101::]", "[::192.168.0.1]",
        // Names, which the stub resolver takes for loopback, whatever they are.
        "localhost", "LOCALHOST", "localhost.", "ｌｏｃａｌｈｏｓｔ", "localhost.localdomain", "ip6-localhost", "a.localhost", "127.0.0.1.nip.test", "metadata.google.internal", "xn--bcher-kva.test",
    ]
    .map(str::to_owned)
    .into();
    all.extend((1..=6).map(|zeros| format!("{}127.0.0.1", "0".repeat(zeros)).replace("0127", "00177")));
    for target in [
        "127.0.0.1",
        "127.8.9.10",
        "169.254.169.254",
        "10.0.0.1",
        "10.255.255.254",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "172.31.255.254",
        "169.254.170.2",
    ] {
        all.extend(ways_to_write(target.parse().unwrap()));
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// One IPv4 address in the spellings that URL parsers and resolvers take for it, and carried by IPv6 addresses of each kind.
fn ways_to_write(address: std::net::Ipv4Addr) -> Vec<String> {
    let ([a, b, c, d], whole) = (address.octets(), u32::from(address));
    let (low, last) = (whole & 0xffff, whole & 0xff_ffff);
    let (high, low_half) = (whole >> 16, low);
    let wide = |text: &str| text.chars().map(|c| c.to_digit(10).and_then(|n| char::from_u32(0xff10 + n)).unwrap_or(c)).collect::<String>();
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    vec![
        format!("{a}.{b}.{c}.{d}"),
        format!("{a}.{b}.{c}.{d}."),
        format!("{whole}"),
        format!("{whole:#x}"),
        format!("0X{whole:08X}"),
        format!("0{whole:o}"),
        format!("0000{whole:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a:#x}.{b}.0{c:o}.{d}"),
        format!("{a}.{last}"),
        format!("{a}.{b}.{low}"),
        format!("{a:#x}.{last:#x}"),
        format!("0{a:o}.{b}.{low:#x}"),
        wide(&address.to_string()),
        wide(&whole.to_string()),
        address.to_string().replace('.', "。"),
        escaped(&address.to_string()),
        escaped(&whole.to_string()),
        format!("[::ffff:{address}]"),
        format!("[::FFFF:{high:x}:{low_half:x}]"),
        format!("[0:0:0:0:0:ffff:{high:04X}:{low_half:04X}]"),
        format!("[::ffff:0:{high:x}:{low_half:x}]"),
        format!("[64:ff9b::{high:x}:{low_half:x}]"),
        format!("[2002:{high:x}:{low_half:x}::1]"),
        format!("[2606:4700::5efe:{high:x}:{low_half:x}]"),
    ]
}

/// Whole URLs that are not asked at all.
#[rustfmt::skip]
const URLS: [&str; 22] = [
    "http://user@127.0.0.1:{}/", "http://user:pass@127.0.0.1:{}/", "http://api.test@127.0.0.1:{}/", "http://127.0.0.1:{}@api.test/", "http://api.test:80@127.0.0.1:{}/",
    "http://api.test#@127.0.0.1:{}/", "http://127.0.0.1:{}\\@api.test/", "http:\\\\127.0.0.1:{}/", "http:/127.0.0.1:{}/", "http:127.0.0.1:{}/", "http:///127.0.0.1:{}/",
    "https://127.0.0.1:{}/", "file:///etc/passwd", "file://127.0.0.1:{}/etc", "gopher://127.0.0.1:{}/_x", "ftp://127.0.0.1:{}/", "unix:///run/a.sock", "ws://127.0.0.1:{}/",
    "dict://127.0.0.1:{}/", "ldap://127.0.0.1:{}/", "data:text/plain,hello", "jar:http://127.0.0.1:{}/!/",
];

fn urls(port: u16) -> Vec<String> {
    let mut all: Vec<String> = spellings().iter().map(|host| format!("http://{host}:{port}/")).collect();
    all.extend(URLS.map(|url| url.replace("{}", &port.to_string())));
    all
}

pub fn canary() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

/// Connections wait in the listener's queue until they are accepted, so none can be missed.
pub fn untouched(canary: &TcpListener) -> bool {
    canary.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

#[tokio::test]
async fn directly() {
    let canary = canary();
    let port = canary.local_addr().unwrap().port();
    let egress = Arc::new(Egress::with_lookup(Policy::new(Mode::Strict), Arc::new(Names::new().otherwise("127.0.0.1"))));
    let urls = urls(port);
    assert!(urls.len() >= 500, "{}", urls.len());
    for url in urls {
        let attempt = Attempt::with(&[("token", "hidden")]);
        let fault = attempt.call(&egress, "http.post", json!({"url": url, "body": "x"})).await.expect_err(&url);
        assert!([Code::BLOCKED_ADDRESS, Code::INVALID_PARAMS].contains(&fault.code), "{url}: {fault}");
        assert_eq!(fault.effect, Effected::Unsent, "{url}");
        assert!(!attempt.sent() && untouched(&canary), "{url}");
    }
    // The canary would have noticed.
    std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert!(!untouched(&canary));
}

#[tokio::test]
async fn as_the_target_of_a_redirect() {
    let canary = canary();
    let targets = Arc::new(urls(canary.local_addr().unwrap().port()));
    let answers = targets.clone();
    let hop = Server::start(move |seen| {
        // `http:/x` and `http:x` are paths when they follow an http address, so they lead back here.
        let Ok(index) = seen.path.trim_start_matches('/').parse::<usize>() else { return reply(404, &[], "") };
        let mut response = reply(302, &[], "");
        response.headers_mut().insert("location", http::HeaderValue::from_bytes(answers[index].replace('\t', "").as_bytes()).unwrap());
        response
    })
    .await;
    let allowed = format!("hop.test:{}", hop.address.port()).parse().unwrap();
    let egress = Arc::new(Egress::with_lookup(Policy::new(Mode::AllowList(vec![allowed])), Arc::new(Names::new().otherwise("127.0.0.1"))));
    for (index, target) in targets.iter().enumerate() {
        let url = format!("http://hop.test:{}/{index}", hop.address.port());
        let attempt = Attempt::with(&[("token", "hidden"), ("query_name", "key"), ("query_value", "hidden")]);
        let fault = attempt.call(&egress, "http.request", json!({"url": url})).await.expect_err(target);
        assert!([Code::BLOCKED_ADDRESS, Code::BAD_RESPONSE, Code::http(404)].contains(&fault.code), "{target}: {fault}");
        assert_eq!(fault.effect, Effected::Sent, "{target}: the first answer has come");
        assert!(untouched(&canary), "{target}");
    }
    let back = hop.seen().iter().filter(|seen| seen.path.parse::<usize>().is_err() && seen.path.contains(':')).count();
    assert_eq!((hop.seen().len(), back), (targets.len() + back, 2));
}
