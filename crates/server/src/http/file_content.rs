//! A file's bytes on their way out: whole or in part, as a stream, and never as something that a browser would show.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use mainspring_engine::OrgFiles;
use mainspring_model::file::{FILE_CHUNK, FileValue, Files};

use super::files::refused;
use super::problem::{Problem, Refusable};

/// What browsers would run if they showed it, whatever we ask of them.
const SHOWN_BY_BROWSERS: [&str; 8] = ["html", "xml", "svg", "script", "xsl", "mathml", "multipart", "x-shockwave"];

pub async fn content(files: OrgFiles, value: FileValue, asked: &HeaderMap) -> Refusable<Response<Body>> {
    let etag = format!("\"{}\"", value.sha256);
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    let mut put = |name, text: &str| {
        if let Ok(text) = HeaderValue::from_str(text) {
            headers.insert(name, text);
        }
    };
    put(header::ETAG, &etag);
    put(header::ACCEPT_RANGES, "bytes");
    put(header::CACHE_CONTROL, "private, no-cache");
    put(header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    put(header::CONTENT_DISPOSITION, &disposition(&value.name));
    let text = |name| asked.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if text(header::IF_NONE_MATCH)
        .is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == etag || one.trim() == "*"))
    {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    put(header::CONTENT_TYPE, if is_shown(&value.media_type) { "application/octet-stream" } else { &value.media_type });
    let wanted = text(header::RANGE).filter(|_| text(header::IF_RANGE).is_none_or(|known| known == etag));
    let (first, last) = match wanted.map_or(Wanted::All, |wanted| range(wanted, value.size)) {
        Wanted::All => (0, value.size),
        Wanted::Part(first, end) => {
            put(header::CONTENT_RANGE, &format!("bytes {first}-{}/{}", end - 1, value.size));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            (first, end)
        }
        Wanted::Nothing => {
            let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "INVALID_RANGE", format!("the file has {} bytes", value.size));
            return Err(match HeaderValue::from_str(&format!("bytes */{}", value.size)) {
                Ok(all) => problem.header(header::CONTENT_RANGE, all),
                Err(_) => problem,
            });
        }
    };
    put_length(&mut response, last - first);
    *response.body_mut() = body(files, value, first, last).await?;
    Ok(response)
}

fn put_length(response: &mut Response<Body>, length: u64) {
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
}

/// Bytes `first` up to and without `end`. The first piece is read before the answer begins: what fails then still has a status.
async fn body(files: OrgFiles, value: FileValue, first: u64, end: u64) -> Refusable<Body> {
    if first == end {
        return Ok(Body::empty());
    }
    let piece = piece(&files, &value, first, end).await.map_err(refused)?;
    let next = first + piece.len() as u64;
    let rest = stream::unfold(next, move |at| {
        let (files, value) = (files.clone(), value.clone());
        async move {
            if at >= end {
                return None;
            }
            match self::piece(&files, &value, at, end).await {
                Ok(piece) => {
                    let next = at + piece.len() as u64;
                    Some((Ok(piece), next))
                }
                // The connection breaks: a length was promised, and the caller must not take a part for the whole.
                Err(fault) => Some((Err(std::io::Error::other(fault.to_string())), end)),
            }
        }
    });
    use futures_util::StreamExt;
    Ok(Body::from_stream(stream::iter([Ok(piece)]).chain(rest)))
}

async fn piece(files: &OrgFiles, value: &FileValue, at: u64, end: u64) -> Result<Bytes, mainspring_model::Fault> {
    let chunk = FILE_CHUNK as u64;
    let no = u32::try_from(at / chunk).unwrap_or(u32::MAX);
    let bytes = Bytes::from(files.read(value, no).await?);
    let (skip, most) = ((at % chunk) as usize, usize::try_from(end - at).unwrap_or(usize::MAX));
    let upto = bytes.len().min(skip.saturating_add(most));
    if skip >= upto {
        return Err(mainspring_model::Fault::internal(format!("the file {} is shorter than it should be", value.file)));
    }
    Ok(bytes.slice(skip..upto))
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    /// From here, up to and without there.
    Part(u64, u64),
    Nothing,
}

/// One range of bytes; several, and what is none, count as not asked (RFC 9110, 14.2).
fn range(text: &str, size: u64) -> Wanted {
    let Some((first, last)) = text.trim().strip_prefix("bytes=").filter(|set| !set.contains(',')).and_then(|set| set.split_once('-'))
    else {
        return Wanted::All;
    };
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    match (first.trim(), last.trim()) {
        ("", "") => Wanted::All,
        ("", last) => match number(last) {
            None => Wanted::All,
            Some(0) => Wanted::Nothing,
            Some(_) if size == 0 => Wanted::Nothing,
            Some(count) => Wanted::Part(size.saturating_sub(count), size),
        },
        (first, last) => match (number(first), if last.is_empty() { Some(u64::MAX) } else { number(last) }) {
            (Some(first), Some(last)) if first > last => Wanted::All,
            (Some(first), Some(_)) if first >= size => Wanted::Nothing,
            (Some(first), Some(last)) => Wanted::Part(first, last.saturating_add(1).min(size)),
            _ => Wanted::All,
        },
    }
}

fn is_shown(media_type: &str) -> bool {
    SHOWN_BY_BROWSERS.iter().any(|word| media_type.contains(word))
}

/// The name twice: in ASCII, and whole (RFC 6266).
fn disposition(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii() && !matches!(c, '"' | '\\' | '%') && !c.is_control() { c } else { '_' }).collect();
    let whole: String =
        name.bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
            })
            .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let cases = [
            ("bytes=0-0", Wanted::Part(0, 1)),
            ("bytes=2-4", Wanted::Part(2, 5)),
            ("bytes=8-", Wanted::Part(8, 10)),
            ("bytes=8-99", Wanted::Part(8, 10)),
            ("bytes=-3", Wanted::Part(7, 10)),
            ("bytes=-99", Wanted::Part(0, 10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-2", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("lines=0-1", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes=18446744073709551615-18446744073709551615", Wanted::Nothing),
        ];
        for (text, expected) in cases {
            assert_eq!(range(text, 10), expected, "{text}");
        }
        assert_eq!(range("bytes=0-", 0), Wanted::Nothing);
    }

    #[test]
    fn names_in_headers() {
        assert_eq!(disposition("a b.csv"), "attachment; filename=\"a b.csv\"; filename*=UTF-8''a%20b.csv");
        assert_eq!(disposition("é\"%.txt"), "attachment; filename=\"___.txt\"; filename*=UTF-8''%C3%A9%22%25.txt");
    }
}
