//! Forged deliveries: each byte changed, headers doubled, left out, in another encoding or of another service.

use mainspring_model::plan::signature::{Service, Signature};
use mainspring_vault::webhook::Unproven;

use super::{Sent, services};

#[test]
fn a_changed_byte_anywhere_is_refused() {
    for (sent, _) in services::all() {
        for at in 0..sent.body.len() {
            let mut forged = sent.clone();
            forged.body[at] ^= 1;
            assert!(forged.judged().is_err(), "byte {at} of the body of {forged:?}");
        }
        for header in 0..sent.headers.len() {
            for at in 0..sent.headers[header].1.len() {
                let mut forged = sent.clone();
                forged.headers[header].1[at] ^= 1;
                let spoilt = forged.judged().is_err();
                let (name, text) = (&sent.headers[header].0, String::from_utf8_lossy(&sent.headers[header].1).into_owned());
                // What nobody signs: Stripe's older scheme and a later version's signature beside ours, and what a form is called.
                let unsigned = text.find(",v0=").or_else(|| text.find(" v2,")).is_some_and(|rest| at >= rest);
                let kind = name == "content-type";
                // A bit beyond the last byte of an unpadded group is refused by the decoder, and a letter of hex in the other case is
                // the same number.
                assert!(spoilt || unsigned || kind, "byte {at} of {name}: {forged:?}");
            }
        }
    }
}

#[test]
fn whatever_else_is_added_or_left_out() {
    for (sent, _) in services::all() {
        for header in 0..sent.headers.len() {
            let (name, value) = sent.headers[header].clone();
            if name == "content-type" {
                continue;
            }
            let mut without = sent.clone();
            without.headers.remove(header);
            assert!(matches!(without.judged(), Err(Unproven::Missing(_))), "{without:?}");
            let mut twice = sent.clone();
            twice.headers.insert(0, (name.clone(), value.clone()));
            assert_eq!(twice.judged(), Err(Unproven::Repeated(name.clone())), "{twice:?}");
            // Behind these stands what nobody checks: an older scheme, and a later version of the standard.
            let open = [&b",v0="[..], b" v2,"].iter().any(|part| value.windows(4).any(|four| four == *part));
            let longer = if open { b"v1".to_vec() } else { [value.as_slice(), b"00"].concat() };
            for other in [b"".to_vec(), b"\xff\xfe".to_vec(), longer, vec![b'a'; 100_000]] {
                let mut forged = sent.clone();
                forged.headers[header].1 = other;
                assert!(forged.judged().is_err(), "{name} of {:?}", forged.signature);
            }
        }
        let mut longer = sent.clone();
        longer.body.push(b' ');
        assert!(longer.judged().is_err());
        // A beginning of what is right is nothing.
        let mut shorter = sent.clone();
        let half = shorter.headers[0].1.len() / 2;
        shorter.headers[0].1.truncate(half);
        assert!(shorter.judged().is_err(), "{shorter:?}");
    }
}

#[test]
fn one_service_s_signature_is_no_other_s() {
    let all = services::all();
    for (sent, _) in &all {
        for (other, _) in &all {
            let taken = Sent { signature: other.signature.clone(), ..sent.clone() }.judged().is_ok();
            assert_eq!(taken, sent.signature == other.signature, "{sent:?} as {:?}", other.signature);
        }
    }
}

/// A header is bounded: what a sender writes while it changes over, and not a search.
#[test]
fn thousands_of_signatures_are_refused_unread() {
    for (mut sent, _) in services::all() {
        let one = match &sent.signature {
            Signature::Service(Service::Stripe) => format!(",v1={}", "ab".repeat(32)),
            Signature::Service(Service::StandardWebhooks) => format!(" v1,{}=", "A".repeat(43)),
            _ => continue,
        };
        let value = &mut sent.headers.iter_mut().find(|(name, _)| name.ends_with("signature")).unwrap().1;
        value.extend(one.repeat(16).into_bytes());
        assert!(matches!(sent.judged(), Err(Unproven::Malformed(_))), "{sent:?}");
    }
}

/// A body that is no form is signed by its hash in the address or not at all.
#[test]
fn twilio_s_address_is_part_of_it() {
    for (sent, _) in services::all().into_iter().filter(|(sent, _)| sent.signature == Signature::Service(Service::Twilio)) {
        assert_eq!(Sent { url: sent.url.replace("foo=1", "foo=2"), ..sent.clone() }.judged(), Err(Unproven::Wrong));
        let mut json = sent.clone();
        json.headers[1].1 = b"application/json".to_vec();
        json.url = "https://mycompany.com/myapp.php?foo=1&bar=2".to_owned();
        assert_eq!(json.judged(), Err(Unproven::Wrong));
    }
}
