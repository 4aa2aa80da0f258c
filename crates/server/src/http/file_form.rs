//! `multipart/form-data` (RFC 7578), read part by part. Written here because what is read ahead must stay small, whatever the sender's pace.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};

use super::file_stream::Steady;
use super::problem::{Problem, Refusable};

/// Bytes of a part's headers.
const MOST_HEADERS: usize = 8 << 10;
const MOST_PARTS: u32 = 100;
/// Files of one form.
pub const MOST_FILES: usize = 20;
/// RFC 2046.
const MOST_BOUNDARY: usize = 70;

pub struct Form<'a> {
    body: &'a mut Steady,
    /// What was read and not yet given. It begins with a line end, as if there had been one before the first boundary.
    ahead: BytesMut,
    /// `\r\n--boundary`
    mark: Vec<u8>,
    parts: u32,
    /// Within a part, or before the first one.
    inside: bool,
}

/// What a part says of itself.
pub struct Part {
    /// Of the field.
    pub name: String,
    /// `None`: it is a field and no file.
    pub file_name: Option<String>,
    pub media_type: Option<String>,
}

impl Form<'_> {
    pub fn of<'a>(headers: &HeaderMap, body: &'a mut Steady) -> Refusable<Form<'a>> {
        let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let boundary = param(value, "boundary").filter(|found| !found.is_empty() && found.len() <= MOST_BOUNDARY && found.is_ascii());
        let Some(boundary) = boundary else {
            let detail = "multipart/form-data needs a boundary of 1 to 70 characters; let the client make the header";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", detail));
        };
        let mark = format!("\r\n--{boundary}").into_bytes();
        Ok(Form { body, ahead: BytesMut::from(&b"\r\n"[..]), mark, parts: 0, inside: true })
    }

    /// Whatever is left of the part before is skipped. `None` at the form's end.
    pub async fn next_part(&mut self) -> Refusable<Option<Part>> {
        while self.next_bytes().await?.is_some() {}
        // Behind the mark: "--" ends the form, a line end begins a part.
        while self.ahead.len() < 2 {
            self.more().await?;
        }
        let behind = self.ahead.split_to(2);
        if &behind[..] == b"--" {
            // What follows is nobody's.
            while self.body.next().await?.is_some() {}
            return Ok(None);
        }
        if &behind[..] != b"\r\n" {
            return Err(broken("a boundary ends in neither \"--\" nor a line end"));
        }
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(broken("it has more than 100 parts"));
        }
        let mut part = Part { name: String::new(), file_name: None, media_type: None };
        let mut left = MOST_HEADERS;
        loop {
            let line = self.line(&mut left).await?;
            if line.is_empty() {
                break;
            }
            let line = String::from_utf8_lossy(&line);
            let Some((name, value)) = line.split_once(':') else { return Err(broken("a part has a header without a colon")) };
            if name.trim().eq_ignore_ascii_case("content-disposition") {
                part.name = param(value, "name").unwrap_or_default();
                part.file_name = param(value, "filename");
            } else if name.trim().eq_ignore_ascii_case("content-type") {
                part.media_type = Some(value.trim().to_owned());
            }
        }
        self.inside = true;
        Ok(Some(part))
    }

    /// `None` at the part's end.
    pub async fn next_bytes(&mut self) -> Refusable<Option<Bytes>> {
        if !self.inside {
            return Ok(None);
        }
        loop {
            if let Some(at) = find(&self.ahead, &self.mark) {
                if at > 0 {
                    return Ok(Some(self.ahead.split_to(at).freeze()));
                }
                let _ = self.ahead.split_to(self.mark.len());
                self.inside = false;
                return Ok(None);
            }
            // All but what may be the beginning of a mark.
            let sure = self.ahead.len().saturating_sub(self.mark.len() - 1);
            if sure > 0 {
                return Ok(Some(self.ahead.split_to(sure).freeze()));
            }
            self.more().await?;
        }
    }

    async fn line(&mut self, left: &mut usize) -> Refusable<Bytes> {
        loop {
            if let Some(at) = find(&self.ahead, b"\r\n") {
                *left = left.checked_sub(at).ok_or_else(|| broken("the headers of a part have more than 8 KiB"))?;
                let line = self.ahead.split_to(at).freeze();
                let _ = self.ahead.split_to(2);
                return Ok(line);
            }
            if self.ahead.len() > *left {
                return Err(broken("the headers of a part have more than 8 KiB"));
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Refusable<()> {
        match self.body.next().await? {
            Some(bytes) => {
                self.ahead.extend_from_slice(&bytes);
                Ok(())
            }
            None => Err(broken("it ends before its last boundary")),
        }
    }
}

fn broken(why: &str) -> Box<Problem> {
    Problem::malformed(format!("the form cannot be read: {why}; nothing of it is kept"))
}

fn find(within: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = within.get(from..)?.iter().position(|byte| *byte == wanted[0]) {
        let at = from + at;
        if within.len() - at < wanted.len() {
            return None;
        }
        if &within[at..at + wanted.len()] == wanted {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// `x` of `…; name=x` and of `…; name="x"`.
fn param(header: &str, name: &str) -> Option<String> {
    let mut rest = header;
    loop {
        let (_, after) = rest.split_once(';')?;
        let (key, value) = after.trim_start().split_once('=')?;
        let (value, left) = value_of(value);
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = left;
    }
}

fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return (text[..end].trim().to_owned(), &text[end..]);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            // Browsers write \ as it is, and a quote as %22: only a quote is ever meant.
            '\\' if !escaped && quoted[at + 1..].starts_with('"') => escaped = true,
            '"' if !escaped => return (value.replace("%22", "\""), &quoted[at + 1..]),
            c => {
                escaped = false;
                value.push(c);
            }
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::Body;
    use futures_util::stream;
    use mainspring_model::clock::FakeClock;

    use super::*;

    /// What is read of a body that arrives in pieces of this size.
    async fn read(text: &[u8], size: usize) -> Result<Vec<(Option<String>, Vec<u8>)>, String> {
        let pieces: Vec<Result<Bytes, std::io::Error>> = text.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let mut body = Steady::new(Body::from_stream(stream::iter(pieces)), Arc::new(FakeClock::at(0)));
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "multipart/form-data; charset=x; boundary=\"b-1\"".parse().expect("a value"));
        let mut form = Form::of(&headers, &mut body).map_err(|problem| problem.detail.clone())?;
        let mut found = Vec::new();
        let said = |problem: Box<Problem>| problem.detail.clone();
        while let Some(part) = form.next_part().await.map_err(said)? {
            let mut all = Vec::new();
            while let Some(bytes) = form.next_bytes().await.map_err(said)? {
                all.extend_from_slice(&bytes);
            }
            found.push((part.file_name, all));
        }
        Ok(found)
    }

    const FORM: &[u8] = b"before\r\n--b-1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nfield\r\n--b-1\r\n\
        content-disposition: form-data; name=\"f\"; filename=\"a \\\"b\\\"; c%22.txt\"\r\nContent-Type: text/plain\r\n\r\n\
        one\r\n--b-\r\n\r\n--b-2\r\ntwo\r\n--b-1\r\nContent-Disposition: form-data; name=e; filename=empty\r\n\r\n\r\n--b-1--\r\nafter";

    #[tokio::test]
    async fn parts_come_out_however_they_arrive() {
        for size in [1, 2, 3, 7, 64, 10_000] {
            let found = read(FORM, size).await.expect("a form");
            let expected = vec![
                (None, b"field".to_vec()),
                (Some("a \"b\"; c\".txt".to_owned()), b"one\r\n--b-\r\n\r\n--b-2\r\ntwo".to_vec()),
                (Some("empty".to_owned()), Vec::new()),
            ];
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }

    #[tokio::test]
    async fn broken_forms_are_refused() {
        let long = [b"--b-1\r\nA: ".to_vec(), vec![b'x'; 9_000], b"\r\n\r\n".to_vec()].concat();
        let many = b"--b-1\r\n\r\n\r\n".repeat(101);
        let cases: [(&[u8], &str); 7] = [
            (b"", "ends before"),
            (b"no boundary at all", "ends before"),
            (&FORM[..FORM.len() - 12], "ends before"),
            (b"--b-1xx", "neither"),
            (b"--b-1\r\nno colon\r\n\r\n", "colon"),
            (&long, "8 KiB"),
            (&many, "100 parts"),
        ];
        for (text, expected) in cases {
            let said = read(text, 64).await.expect_err("it is broken");
            assert!(said.contains(expected), "{said}");
        }
    }
}
