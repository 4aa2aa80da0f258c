//! The id of a request: the caller's, when it is one that may stand in logs and answers.

use http::HeaderMap;

use super::edge::REQUEST_ID;

/// Characters. Ids of proxies and of other services are shorter.
const MOST: usize = 128;

/// What the caller calls its request. `None` when it sends none, several, or something else than a short id: it goes into the log, the
/// audit log and the answer.
pub fn of(headers: &HeaderMap) -> Option<String> {
    let mut sent = headers.get_all(REQUEST_ID).iter();
    let (Some(id), None) = (sent.next(), sent.next()) else { return None };
    let id = id.to_str().ok()?;
    let is_fine = (1..=MOST).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:=+/".contains(&byte));
    is_fine.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_an_id_is_taken() {
        let long = "a".repeat(MOST + 1);
        let taken = |ids: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for id in ids {
                headers.append(REQUEST_ID, HeaderValue::from_bytes(id).expect("a header"));
            }
            of(&headers)
        };
        for fine in ["0190b8a0-0000-7000-8000-000000000001", "Root=1-67891233-abcdef012345678912345678", "a"] {
            assert_eq!(taken(&[fine.as_bytes()]).as_deref(), Some(fine));
        }
        for hostile in ["", " ", "a b", "a\"b", "<script>", "a;b", "%0a", "${now()}", &long] {
            assert_eq!(taken(&[hostile.as_bytes()]), None, "{hostile}");
        }
        assert_eq!(taken(&["\u{e4}".as_bytes()]), None);
        assert_eq!(taken(&[b"a", b"b"]), None, "which one?");
        assert_eq!(taken(&[]), None);
    }
}
