//! Where reports go, as the services write it: `https://<key>@<host>/<project>`.

use url::Url;

/// A DSN that was read.
#[derive(Clone, Debug)]
pub struct Dsn {
    /// Where envelopes are taken.
    pub address: Url,
    pub host: String,
    pub key: String,
}

impl Dsn {
    /// # Errors
    /// What is wrong with it, without any part of it.
    pub fn parse(text: &str) -> Result<Dsn, String> {
        const FORM: &str = "write it as the service shows it, https://<key>@<host>/<project>";
        let mut url = Url::parse(text.trim()).map_err(|_| format!("it is no address; {FORM}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("it does not begin with https://; {FORM}"));
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        let key = url.username().to_owned();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(format!("no key stands before the host; {FORM}"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        let (before, project) = path.rsplit_once('/').unwrap_or(("", ""));
        if project.is_empty() || !project.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("no project's number stands at its end; {FORM}"));
        }
        let place = format!("{before}/api/{project}/envelope/");
        url.set_path(&place);
        url.set_query(None);
        url.set_fragment(None);
        // An older kind of DSN has a second, secret key, which nobody asks for any more.
        if url.set_username("").and_then(|()| url.set_password(None)).is_err() {
            return Err(format!("it names no host; {FORM}"));
        }
        Ok(Dsn { address: url, host, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dsn_says_where_envelopes_go() {
        for (text, address) in [
            ("https://abc123@errors.example/42", "https://errors.example/api/42/envelope/"),
            ("http://abc:old@127.0.0.1:9000/a/b/7/", "http://127.0.0.1:9000/a/b/api/7/envelope/"),
        ] {
            let dsn = Dsn::parse(text).expect(text);
            assert_eq!((dsn.address.as_str(), dsn.key.starts_with("abc")), (address, true), "{text}");
        }
        for wrong in ["", "abc", "https://errors.example/42", "https://abc@errors.example", "https://abc@errors.example/x", "ftp://abc@x/1"]
        {
            let said = Dsn::parse(wrong).expect_err(wrong);
            assert!(said.contains("https://<key>@<host>/<project>") && !said.contains("abc"), "{said}");
        }
    }
}
