//! What the operator said of traces.

use mainspring_model::credential::Secret;
use url::Url;

use super::Sampler;

/// Nothing is traced without an address.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The collector; `/v1/traces` is put behind it.
    pub endpoint: Option<Url>,
    /// The whole address for traces, which wins.
    pub url: Option<Url>,
    /// `name=value,…`, values percent-encoded.
    pub headers: Option<Secret>,
    pub service: Option<String>,
    /// `name=value` each.
    pub resource: Vec<String>,
    pub sampler: Sampler,
    /// The share of `traceidratio`; all when absent.
    pub ratio: Option<f64>,
    /// Hosts to which calls carry the trace's ids; `*` is all, `*.example.com` those below.
    pub send_to: Vec<String>,
    /// Whoever calls may say which trace the request is a part of.
    pub accept: bool,
}

impl Terms {
    /// Where spans are sent; `None`: nothing is traced.
    pub fn address(&self) -> Option<Url> {
        if self.url.is_some() {
            return self.url.clone();
        }
        let mut url = self.endpoint.clone()?;
        url.path_segments_mut().ok()?.pop_if_empty().extend(["v1", "traces"]);
        Some(url)
    }

    pub fn reaches(&self, host: &str) -> bool {
        self.send_to.iter().any(|pattern| match pattern.strip_prefix('*') {
            Some("") => true,
            Some(below) => below.starts_with('.') && host.len() > below.len() && host.ends_with(below),
            None => pattern.eq_ignore_ascii_case(host),
        })
    }
}

/// `http://` or `https://`, without a user: headers say who sends.
pub fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    url.ok_or_else(|| "it is no address of a collector; write http://localhost:4318 (OTLP over HTTP; gRPC is not spoken)".to_owned())
}

/// `name=value` between commas, as OpenTelemetry writes lists; values percent-encoded.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    items
        .map(|item| {
            let (name, value) = item.split_once('=').ok_or_else(|| "each part is name=value, with commas between".to_owned())?;
            // A plus is a plus here, not a space.
            let value = value.trim().replace('+', "%2B");
            let value = url::form_urlencoded::parse(format!("v={}", value.replace('&', "%26")).as_bytes())
                .next()
                .map(|(_, value)| value.into_owned());
            Ok((name.trim().to_owned(), value.unwrap_or_default()))
        })
        .collect()
}

/// A share, 0 to 1.
pub fn ratio(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio)).ok_or_else(|| format!("\"{text}\" is no share from 0 to 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_its_path_and_hosts_are_matched_whole() {
        let at = |endpoint: &str| Terms { endpoint: address(endpoint).ok(), ..Terms::default() }.address().map(String::from);
        assert_eq!(at("http://localhost:4318").as_deref(), Some("http://localhost:4318/v1/traces"));
        assert_eq!(at("https://otlp.example/in/").as_deref(), Some("https://otlp.example/in/v1/traces"));
        for bad in ["localhost:4318", "grpc://x", "http://u:p@x", ""] {
            assert!(address(bad).is_err(), "{bad}");
        }
        let terms = Terms { send_to: vec!["api.example.com".to_owned(), "*.inner.example".to_owned()], ..Terms::default() };
        for (host, reached) in [
            ("api.example.com", true),
            ("API.example.com", true),
            ("x.api.example.com", false),
            ("a.inner.example", true),
            ("inner.example", false),
            (".inner.example", false),
            ("evilinner.example", false),
        ] {
            assert_eq!(terms.reaches(host), reached, "{host}");
        }
        assert!(!Terms::default().reaches("x") && Terms { send_to: vec!["*".to_owned()], ..Terms::default() }.reaches("x"));
        assert_eq!(
            pairs("a=b%20c, x-key=1+2=3").unwrap_or_default(),
            [("a".to_owned(), "b c".to_owned()), ("x-key".to_owned(), "1+2=3".to_owned())]
        );
        assert!(pairs("nothing").is_err());
    }
}
