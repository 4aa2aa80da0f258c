//! How long a service asks to be left alone: `Retry-After` as seconds or as a date, and the millisecond form of the AI vendors.

use std::time::Duration;

use http::HeaderMap;
use jiff::fmt::strtime;
use mainspring_model::clock::Millis;

/// The wait from `now` on; `None` when the service names none or the value cannot be read. A date in the past is zero.
pub(super) fn retry_after(headers: &HeaderMap, now: Millis) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(millis) = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return Duration::try_from_secs_f64((millis / 1_000.0).max(0.0)).ok();
    }
    let value = text("retry-after")?;
    if let Ok(seconds) = value.parse::<f64>() {
        // Some services send fractions; a negative or infinite number is no wait at all.
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = http_date(value)?;
    Some(Duration::from_millis(u64::try_from(at.saturating_sub(now)).unwrap_or(0)))
}

/// The three forms of an HTTP date (RFC 9110 §5.6.7), all in UTC.
fn http_date(text: &str) -> Option<Millis> {
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .iter()
        .find_map(|format| strtime::parse(format, text).ok()?.to_datetime().ok())
        .and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok())
        .map(|date| date.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let now = 1_445_412_480_000; // Wed, 21 Oct 2015 07:28:00 GMT
        let read = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            retry_after(&headers, now)
        };
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(read("retry-after", "120"), seconds(120));
        assert_eq!(read("retry-after", " 0 "), seconds(0));
        assert_eq!(read("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT"), seconds(30));
        assert_eq!(read("retry-after", "Wednesday, 21-Oct-15 07:29:00 GMT"), seconds(60));
        assert_eq!(read("retry-after", "Wed Oct 21 07:28:05 2015"), seconds(5));
        assert_eq!(read("retry-after", "Wed, 21 Oct 2015 07:00:00 GMT"), seconds(0));
        assert_eq!(read("retry-after-ms", "1500"), Some(Duration::from_millis(1_500)));
        for bad in ["-5", "soon", "inf", "NaN", "Wed, 99 Oct 2015 07:28:30 GMT"] {
            assert_eq!(read("retry-after", bad), None, "{bad}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
