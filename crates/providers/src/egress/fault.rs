//! What went wrong on the way, told as a fault: which code, whether the service can have seen it, and what to do next.

use std::error::Error;
use std::io;
use std::time::Duration;

use mainspring_model::{Class, Code, Effected, Fault, duration};
use serde_json::json;

use super::breaker::Held;
use super::circuit::State;
use super::decode::DecodeError;
use super::policy::Blocked;
use super::resolve::Unresolved;
use super::target::Place;

/// The client failed before any part of an answer came. `begun`: the request had begun to leave.
pub(super) fn unanswered(place: &Place, error: &reqwest::Error, begun: bool, tls: bool) -> Fault {
    let effect = if begun { Effected::Unknown } else { Effected::Unsent };
    let fault = |code: Code, text: String| Fault::new(code, format!("{place}: {text}")).effect(effect);
    if let Some(blocked) = find::<Blocked>(error) {
        return fault(Code::BLOCKED_ADDRESS, blocked.to_string());
    }
    if let Some(unresolved) = find::<Unresolved>(error) {
        return fault(Code::CONNECTION_FAILED, format!("{unresolved}; check its spelling, or this machine's DNS"));
    }
    if let Some(error) = find::<rustls::Error>(error) {
        return fault(Code::TLS_FAILED, tls_text(error));
    }
    if error.is_builder() {
        let next = "check its length and the characters in it";
        return Fault::invalid_params(format!("{place}: the request cannot be built from this URL; {next}"));
    }
    if let Some(hyper) = find::<hyper::Error>(error)
        && (hyper.is_parse() || hyper.is_parse_too_large())
    {
        return fault(Code::BAD_RESPONSE, format!("the answer is not HTTP ({hyper}); check scheme and port"));
    }
    let io = find::<io::Error>(error);
    let kind = io.map(io::Error::kind);
    if begun {
        return fault(
            Code::CONNECTION_FAILED,
            "the connection was closed before an answer came, so whether the service acted on the request is unknown".to_owned(),
        );
    }
    match kind {
        Some(io::ErrorKind::ConnectionRefused) => {
            fault(Code::CONNECTION_FAILED, "the connection was refused; check host and port, and that the service is running".to_owned())
        }
        Some(io::ErrorKind::TimedOut) => {
            fault(Code::TIMEOUT, "no connection within the time for connecting; check host and firewall".to_owned())
        }
        // The client's own limit, which names no I/O error: the peer accepted and then said nothing.
        None if error.is_timeout() => fault(
            Code::TIMEOUT,
            format!("no {}connection within the time for connecting; check host and port", if tls { "TLS " } else { "" }),
        ),
        Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) if tls => {
            fault(Code::TLS_FAILED, "the service ended the TLS handshake; check that it speaks TLS on this port".to_owned())
        }
        _ => {
            let reason = io.map_or_else(|| innermost(error), ToString::to_string);
            fault(Code::CONNECTION_FAILED, format!("no connection could be made ({reason}); check host and port"))
        }
    }
}

/// The client for https could not be built: this machine has no certificate authorities, or an extra one is unreadable.
pub(super) fn no_client(place: &Place, error: &reqwest::Error) -> Fault {
    let text = format!("{place}: no TLS client could be made ({}); install the system's ca-certificates", innermost(error));
    Fault::new(Code::TLS_FAILED, text).class(Class::Internal)
}

/// The host failed too often, or asked to be left alone: nothing was tried.
pub(super) fn held_back(place: &Place, held: &Held) -> Fault {
    let Held { host, failures, last, state, now, until } = held;
    let wait = Duration::from_millis(u64::try_from(until - now).unwrap_or(0));
    let moment = jiff::Timestamp::from_millisecond(*until).map(|moment| moment.to_string()).unwrap_or_default();
    let why = match (state, last) {
        (State::Waiting, None) => format!("{host} says that its rate limit for this credential is used up"),
        (State::Waiting, Some(_)) => format!("{host} asked to be left alone (429 with Retry-After)"),
        (_, Some(last)) => format!("{host} failed {failures} times in a row, with {last} at last"),
        (_, None) => format!("{host} failed {failures} times in a row"),
    };
    let text = format!("{place}: {why}; nothing was sent, and the next try is in {}, at {moment}", duration::format(wait));
    let details = json!({"host": host, "failures": failures, "last_error": last, "next_try": moment});
    Fault::new(Code::CIRCUIT_OPEN, text).details(details).retry_after(wait)
}

/// The answer's body broke off.
pub(super) fn broken_body(place: &Place, read: usize) -> Fault {
    let text = format!("{place}: the connection was closed after {read} bytes of the answer");
    Fault::new(Code::CONNECTION_FAILED, text).effect(Effected::Sent)
}

pub(super) fn undecodable(place: &Place, error: &DecodeError, cap: usize) -> Fault {
    match error {
        DecodeError::TooLarge => {
            let text = format!("{place}: the answer is larger than {}; ask for less, or raise max_bytes", size(cap));
            Fault::new(Code::PAYLOAD_TOO_LARGE, text).effect(Effected::Sent)
        }
        DecodeError::Corrupt(reason) => {
            Fault::new(Code::BAD_RESPONSE, format!("{place}: the answer's compression is damaged ({reason})")).effect(Effected::Sent)
        }
    }
}

/// Where an answer was being waited for when the time ran out.
#[derive(Clone, Copy)]
pub(super) enum Phase {
    Connecting,
    Waiting,
    Reading(usize),
}

pub(super) fn timed_out(place: &Place, after: Duration, phase: Phase) -> Fault {
    let after = after.as_millis();
    let after = if after.is_multiple_of(1_000) { format!("{} s", after / 1_000) } else { format!("{after} ms") };
    let (text, effect) = match phase {
        Phase::Connecting => (format!("no connection within {after}; check host, port and firewall"), Effected::Unsent),
        Phase::Waiting => (format!("no answer within {after}; whether the service acted on the request is unknown"), Effected::Unknown),
        Phase::Reading(bytes) => {
            let next = "give the step a longer timeout, or ask for less";
            (format!("the answer was not complete within {after}, {bytes} bytes had come; {next}"), Effected::Sent)
        }
    };
    Fault::new(Code::TIMEOUT, format!("{place}: {text}")).effect(effect)
}

pub(super) fn tls_text(error: &rustls::Error) -> String {
    use rustls::CertificateError as C;
    match error {
        rustls::Error::InvalidCertificate(certificate) => {
            let reason = match certificate {
                C::UnknownIssuer => "it is signed by nobody this machine trusts (is it self-signed?); get one from an authority, or add its own to this machine's"
                    .to_owned(),
                C::Expired | C::ExpiredContext { .. } => "it has expired".to_owned(),
                C::NotValidYet | C::NotValidYetContext { .. } => "it is not valid yet; check this machine's clock".to_owned(),
                C::NotValidForName | C::NotValidForNameContext { .. } => "it is for another host name".to_owned(),
                C::BadSignature => "its signature is wrong".to_owned(),
                C::Revoked => "it was revoked".to_owned(),
                // A name of the verifier's, such as `CaUsedAsEndEntity`: most self-signed certificates are an authority's.
                C::Other(reason) => {
                    format!("it is not one that a service may show ({reason}; is it self-signed?); get one from an authority")
                }
                // The bare name; rustls' debug form of the rest quotes certificate bytes.
                other => format!("{other}"),
            };
            format!("the service's certificate is not accepted: {reason}")
        }
        rustls::Error::InvalidMessage(_) => "the service does not speak TLS on this port; use http://, or its TLS port".to_owned(),
        other => format!("the TLS handshake failed: {other}"),
    }
}

/// The first error of type `T` in the chain; looks inside I/O errors, whose `source` skips what they wrap.
pub(super) fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(found) = find::<T>(inner)
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// `10 MiB`, `512 bytes`.
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        b if b >= 1 << 20 && b.is_multiple_of(1 << 20) => format!("{} MiB", b >> 20),
        b if b >= 1 << 10 && b.is_multiple_of(1 << 10) => format!("{} KiB", b >> 10),
        b => format!("{b} bytes"),
    }
}
