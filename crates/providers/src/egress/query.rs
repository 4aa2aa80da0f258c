//! Changes to a URL's query that leave every other byte of it as it was: services sign queries, and `?flag` is not `?flag=`.

use url::{Url, form_urlencoded};

/// Keeps the pairs that `keep` says yes to, given their decoded name and value.
pub(crate) fn retain(url: &mut Url, keep: impl Fn(&str, &str) -> bool) {
    let Some(query) = url.query() else { return };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|part| form_urlencoded::parse(part.as_bytes()).next().is_none_or(|(name, value)| keep(&name, &value)))
        .collect();
    let kept = (!kept.is_empty()).then(|| kept.join("&"));
    url.set_query(kept.as_deref());
}

/// Replaces every pair of that name by one, at the end.
pub(crate) fn set(url: &mut Url, name: &str, value: &str) {
    retain(url, |other, _| other != name);
    url.query_pairs_mut().append_pair(name, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_pairs_keep_their_bytes() {
        let mut url = Url::parse("http://a.test/?flag&b=%20%7e&key=1&c=x+y&key=2").unwrap();
        set(&mut url, "key", "3 4");
        assert_eq!(url.query(), Some("flag&b=%20%7e&c=x+y&key=3+4"));
        retain(&mut url, |name, _| name == "flag");
        assert_eq!(url.query(), Some("flag"));
        retain(&mut url, |_, _| false);
        assert_eq!(url.as_str(), "http://a.test/");
    }
}
