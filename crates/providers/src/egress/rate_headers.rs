//! What is left of a rate limit, as services write it: the `RateLimit` field, and the headers that were there before it.

use http::HeaderMap;
use mainspring_model::clock::Millis;
use mainspring_model::duration;

/// Calls that may still be made before a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub calls: u64,
    pub until: Millis,
}

/// Names of the pair, each with what comes before `remaining` and `reset`.
const PAIRS: [(&str, &str); 6] = [
    ("ratelimit-remaining", "ratelimit-reset"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("x-rate-limit-remaining", "x-rate-limit-reset"),
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("x-ratelimit-requests-remaining", "x-ratelimit-requests-reset"),
];
/// Numbers from here on are moments in seconds since 1970, and from the second on in milliseconds; smaller ones are seconds from now.
const MOMENT: f64 = 1_000_000_000.0;
const MOMENT_MS: f64 = 1_000_000_000_000.0;

/// The narrowest of all limits that the answer tells of; `None` when it tells of none that can be read whole.
pub(super) fn left(headers: &HeaderMap, now: Millis) -> Option<Left> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let pairs = PAIRS.iter().filter_map(|(remaining, reset)| {
        let calls = text(remaining)?.parse::<f64>().ok().filter(|calls| calls.is_finite())?;
        Some(Left { calls: whole(calls), until: moment(text(reset)?, now)? })
    });
    // The field that was standardised: "default";r=50;t=30, "other";r=2;t=600
    let fields = headers.get_all("ratelimit").iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let fields = fields.filter_map(|item| {
        let part = |name: &str| item.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        let calls = part("r")?.parse::<f64>().ok().filter(|calls| calls.is_finite())?;
        Some(Left { calls: whole(calls), until: moment(part("t")?, now)? })
    });
    pairs.chain(fields).filter(|left| left.until > now).min_by_key(|left| left.calls)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is out of range is the nearest that is not")]
fn whole(number: f64) -> u64 {
    number.max(0.0) as u64
}

/// Seconds from now, a moment in seconds or milliseconds, a date, or a duration such as `6m0s`.
#[expect(clippy::cast_possible_truncation, reason = "what is out of range is the nearest that is not")]
fn moment(text: &str, now: Millis) -> Option<Millis> {
    if let Ok(number) = text.parse::<f64>() {
        return match number {
            number if !number.is_finite() || number < 0.0 => None,
            number if number >= MOMENT_MS => Some(number as Millis),
            number if number >= MOMENT => Some((number * 1_000.0) as Millis),
            number => Some(now.saturating_add((number * 1_000.0) as Millis)),
        };
    }
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(at.as_millisecond());
    }
    let mut sum: Millis = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let part = duration::parse_text(&rest[..unit]).ok()?;
        sum = sum.saturating_add(Millis::try_from(part.as_millis()).ok()?);
        rest = &rest[unit..];
    }
    (!text.is_empty()).then(|| now.saturating_add(sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Option<(u64, Millis)> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        left(&headers, 1_700_000_000_000).map(|left| (left.calls, left.until - 1_700_000_000_000))
    }

    #[test]
    fn every_form_is_read() {
        for (pairs, expected) in [
            (vec![("ratelimit-remaining", "5"), ("ratelimit-reset", "30")], (5, 30_000)),
            (vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000060")], (0, 60_000)),
            (vec![("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "1700000060500")], (0, 60_500)),
            (vec![("x-ratelimit-remaining-requests", "59"), ("x-ratelimit-reset-requests", "6m0.5s")], (59, 360_500)),
            (vec![("x-ratelimit-remaining-requests", "1"), ("x-ratelimit-reset-requests", "20ms")], (1, 20)),
            (
                vec![("anthropic-ratelimit-requests-remaining", "1"), ("anthropic-ratelimit-requests-reset", "2023-11-14T22:13:30Z")],
                (1, 10_000),
            ),
            (vec![("ratelimit", "\"default\";r=50;t=30, \"day\";r=2;t=600")], (2, 600_000)),
            (vec![("ratelimit", "\"a\";r=7;t=1"), ("ratelimit", "\"b\"; r=9; t=1")], (7, 1_000)),
        ] {
            assert_eq!(read(&pairs), Some(expected), "{pairs:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_whole_teaches_nothing() {
        for pairs in [
            vec![],
            vec![("ratelimit-remaining", "0")],
            vec![("ratelimit-remaining", "none"), ("ratelimit-reset", "30")],
            vec![("ratelimit-remaining", "0"), ("ratelimit-reset", "-30")],
            vec![("ratelimit-remaining", "0"), ("ratelimit-reset", "0")],
            vec![("ratelimit-remaining", "0"), ("ratelimit-reset", "1600000000")],
            vec![("ratelimit-remaining", "0"), ("ratelimit-reset", "NaN")],
            vec![("ratelimit-remaining", "inf"), ("ratelimit-reset", "30")],
            vec![("ratelimit-remaining", "0"), ("ratelimit-reset", "soon")],
            vec![("ratelimit", "\"default\";q=100;w=60")],
        ] {
            assert_eq!(read(&pairs), None, "{pairs:?}");
        }
        assert_eq!(read(&[("ratelimit-remaining", "-3"), ("ratelimit-reset", "9e99")]).map(|(calls, _)| calls), Some(0));
    }
}
