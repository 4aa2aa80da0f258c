//! Which address a request came from when proxies stand in between.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

use super::network::Network;

/// The sender's address. `X-Forwarded-For` is read from the right, and only as far as those who wrote it are trusted: everything
/// further left may be the caller's own invention. `Forwarded` and `X-Real-IP` are not read, since a proxy that writes one header
/// passes the others on as they came.
pub fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer;
    // Several headers are one list, in their order.
    let lines = headers.get_all("x-forwarded-for").iter().collect::<Vec<_>>().into_iter().rev();
    for line in lines {
        // What is no text names nobody: whoever passed it on is the last that is known.
        let Ok(line) = line.to_str() else { return client };
        for entry in line.rsplit(',') {
            if !is_trusted(client) {
                return client;
            }
            match address(entry.trim()) {
                Some(before) => client = before,
                None => return client,
            }
        }
    }
    client
}

/// Some proxies write the port too.
fn address(entry: &str) -> Option<IpAddr> {
    entry.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip())).or_else(|| {
        let inner = entry.strip_prefix('[')?.strip_suffix(']')?;
        inner.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn seen(peer: &str, lines: &[&str]) -> String {
        let trusted: Vec<Network> = ["10.0.0.0/8", "fd00::/8"].iter().map(|text| text.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_a_proxy_that_is_trusted_is_believed() {
        assert_eq!(seen("192.0.2.1", &[]), "192.0.2.1");
        assert_eq!(seen("192.0.2.1", &["198.51.100.9"]), "192.0.2.1", "nobody trusted wrote it");
        assert_eq!(seen("10.0.0.1", &["198.51.100.9"]), "198.51.100.9");
        assert_eq!(seen("::ffff:10.0.0.1", &["198.51.100.9"]), "198.51.100.9");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_the_caller_wrote_itself_stands_further_left_and_counts_for_nothing() {
        assert_eq!(seen("10.0.0.1", &["1.1.1.1, 10.9.9.9, 198.51.100.9"]), "198.51.100.9");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1", "198.51.100.9,10.0.0.2"]), "198.51.100.9", "two proxies, two headers");
        assert_eq!(seen("10.0.0.1", &["unknown, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1, rubbish"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1", "\u{fc}"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3", "from inside");
    }

    #[test]
    fn ports_are_left_out() {
        assert_eq!(seen("10.0.0.1", &["198.51.100.9:5000"]), "198.51.100.9");
        assert_eq!(seen("fd00::1", &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(seen("fd00::1", &["[2001:db8::7]"]), "2001:db8::7");
    }
}
