//! Each service's own example, or one made with another implementation; and what each calls a message.

use mainspring_model::plan::signature::{HmacAlgorithm, HmacEncoding, HmacForm, Service, Signature};
use mainspring_vault::webhook::{Unproven, message_id, secrets};
use serde_json::Value;

use super::{NOW, Sent};

const MINUTE: i64 = 60_000;

/// Of each service one delivery; whether its moment counts, and for how long.
pub fn all() -> Vec<(Sent, Option<i64>)> {
    let sent = Sent::new;
    let mut twilio = sent(
        Service::Twilio,
        "12345",
        &[("x-twilio-signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8="), ("content-type", "application/x-www-form-urlencoded; charset=UTF-8")],
        "From=%2B14158675309&To=%2B18005551212&CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234",
        NOW,
    );
    twilio.url = "https://mycompany.com/myapp.php?foo=1&bar=2".to_owned();
    let mut twilio_json = sent(
        Service::Twilio,
        "12345",
        &[("x-twilio-signature", "a9nBmqA0ju/hNViExpshrM61xv4="), ("content-type", "application/json")],
        r#"{"property": "value", "boolean": true}"#,
        NOW,
    );
    twilio_json.url = format!("{}&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620", twilio.url);
    vec![
        // GitHub's documentation.
        (
            sent(
                Service::Github,
                "It's a Secret to Everybody",
                &[("x-hub-signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")],
                "Hello, World!",
                NOW,
            ),
            None,
        ),
        // Slack's documentation.
        (
            sent(
                Service::Slack,
                "8f742231b10e8888abcd99yyyzzz85a5",
                &[
                    ("x-slack-signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
                    ("x-slack-request-timestamp", "1531420618"),
                ],
                "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
                1_531_420_618_000,
            ),
            Some(5 * MINUTE),
        ),
        // The standard's own suite.
        (
            sent(
                Service::StandardWebhooks,
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                &[
                    ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                    ("webhook-timestamp", "1614265330"),
                    ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
                ],
                r#"{"test": 2432232314}"#,
                1_614_265_330_000,
            ),
            Some(5 * MINUTE),
        ),
        // Twilio's own libraries.
        (twilio, None),
        (twilio_json, None),
        (
            sent(
                Service::StandardWebhooks,
                "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=",
                &[
                    ("webhook-id", "msg_1"),
                    ("webhook-timestamp", "1700000000"),
                    (
                        "webhook-signature",
                        "v1a,DA+4m4VqA33Hm9Wlha/1LaJIOTEvbTa2btJ5gtcP1KIJ83aMbtlDaDEj9gW4UzCjPd9EMUgy41eDWvfIiFddCQ== v2,of-a-later-day",
                    ),
                ],
                r#"{"a":1}"#,
                NOW,
            ),
            Some(5 * MINUTE),
        ),
        (
            sent(
                Service::StandardWebhooks,
                "a plain secret",
                &[
                    ("svix-id", "id-9"),
                    ("svix-timestamp", "1700000000"),
                    ("svix-signature", "v1,UoNO98v23fAkY8R3USBNpersiQnPwSBwUKr4l1sawpw="),
                ],
                "x",
                NOW,
            ),
            Some(5 * MINUTE),
        ),
        (
            sent(
                Service::Stripe,
                "whsec_test_secret",
                &[(
                    "stripe-signature",
                    "t=1700000000,v1=0c8670ed117751cc551a20e35839447075c42800ea3cf3e8a2fbda99cd1e6edd,v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39",
                )],
                r#"{"id":"evt_1","object":"event"}"#,
                NOW,
            ),
            Some(5 * MINUTE),
        ),
        (
            sent(
                Service::Shopify,
                "hush",
                &[("x-shopify-hmac-sha256", "Y5yh1MBcvmylNdRGRmMjSnWMAU5vK6ZYOwIowkFMvRk=")],
                r#"{"id":"evt_1","object":"event"}"#,
                NOW,
            ),
            None,
        ),
        (
            sent(
                Service::Typeform,
                "form-secret",
                &[("typeform-signature", "sha256=/4v2iXjnvXI6iOz50E4d1vdjHt31EWVzY4ViijPy5p0=")],
                r#"{"event_id":"01H","event_type":"form_response"}"#,
                NOW,
            ),
            None,
        ),
        (
            sent(
                Service::Linear,
                "lin_wh_x",
                &[("linear-signature", "b635dc83e1b59c72cfd5722f7c9e9a02319f61dd3ee79654372b9450efdeb334")],
                r#"{"action":"create","webhookTimestamp":1700000000123}"#,
                NOW + 123,
            ),
            Some(MINUTE),
        ),
        (
            sent(
                Service::Zendesk,
                "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==",
                &[
                    ("x-zendesk-webhook-signature", "BGz5dwEMlnrg8DCVkhSr/bvjBet7jSO83rM6VZDk5Ps="),
                    ("x-zendesk-webhook-signature-timestamp", "2023-11-14T22:13:20Z"),
                ],
                r#"{"type":"x"}"#,
                NOW,
            ),
            Some(5 * MINUTE),
        ),
        (
            sent(
                Service::Discord,
                "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8",
                &[
                    (
                        "x-signature-ed25519",
                        "dec25cad8ad12d40ba0f8b845903eb76cf74f5ad85495c0550c75dcd78e40ed677e4460f96f332c2c190560ebc8b86cc820e89fb4954161c369c208e8244670c",
                    ),
                    ("x-signature-timestamp", "1700000000"),
                ],
                r#"{"type":1,"id":"77"}"#,
                NOW,
            ),
            Some(5 * MINUTE),
        ),
    ]
}

fn hmac(header: &str, algorithm: HmacAlgorithm, encoding: HmacEncoding, prefix: &str, code: &str) -> Sent {
    let form = HmacForm { header: header.to_owned(), algorithm, encoding, prefix: prefix.to_owned() };
    Sent { signature: Signature::Hmac(form), ..Sent::new(Service::Github, "k1", &[(header, code)], "raw body", NOW) }
}

#[test]
fn what_services_sign_is_taken_and_only_near_its_moment() {
    for (sent, window) in all() {
        assert_eq!(sent.judged(), Ok(()), "{sent:?}");
        let at = |now: i64| Sent { now, ..sent.clone() }.judged();
        match window {
            Some(window) => {
                assert_eq!((at(sent.now + window), at(sent.now - window)), (Ok(()), Ok(())), "{sent:?}");
                let stale = Err(Unproven::Stale(window));
                assert_eq!((at(sent.now + window + 1_001), at(sent.now - window - 1_001)), (stale.clone(), stale), "{sent:?}");
            }
            None => assert_eq!(at(sent.now + 1_000_000 * MINUTE), Ok(())),
        }
    }
}

#[test]
fn plain_codes_of_each_kind() {
    let sha512 = "56t7grIVqWjQ0M1MDO5AfMLySFrKqUzteeQSd7Z45/tF3Y/r9po8CCkRxFRiZAMYu8330Y0UlA7/USS6cTfjRw==";
    let sha1 = "c97382f7cd7b9fc9282c6fff4049f95d48b99d67";
    assert_eq!(hmac("x-sum", HmacAlgorithm::Sha512, HmacEncoding::Base64, "", sha512).judged(), Ok(()));
    assert_eq!(hmac("x-hub-signature", HmacAlgorithm::Sha1, HmacEncoding::Hex, "sha1=", &format!("sha1={sha1}")).judged(), Ok(()));
    let malformed = Err(Unproven::Malformed("x-sum".to_owned()));
    assert_eq!(hmac("x-sum", HmacAlgorithm::Sha1, HmacEncoding::Hex, "sha1=", sha1).judged(), malformed);
    assert_eq!(hmac("x-sum", HmacAlgorithm::Sha256, HmacEncoding::Hex, "", sha1).judged(), Err(Unproven::Wrong));
}

/// GitLab sends a secret token as it is, and signs by a signing token.
#[test]
fn gitlab_has_two_ways() {
    let plain = Sent::new(Service::Gitlab, "s3cret", &[("x-gitlab-token", "s3cret")], "{}", NOW);
    assert_eq!(plain.judged(), Ok(()));
    for wrong in ["s3cre", "s3crett", "S3cret", ""] {
        assert_eq!(Sent::new(Service::Gitlab, "s3cret", &[("x-gitlab-token", wrong)], "{}", NOW).judged(), Err(Unproven::Wrong), "{wrong}");
    }
    let standard = all().into_iter().find(|(sent, _)| sent.secrets[0].starts_with("whsec_Mf")).unwrap().0;
    let mut signed = Sent { signature: Signature::Service(Service::Gitlab), ..standard };
    assert_eq!(signed.judged(), Ok(()));
    // Whoever knows nothing but that there is such a token: it is no password.
    let sent = Sent::new(Service::Gitlab, &signed.secrets[0], &[("x-gitlab-token", &signed.secrets[0])], "{}", NOW);
    assert_eq!(sent.judged(), Err(Unproven::Missing("webhook-signature".to_owned())));
    // While one takes the other's place, either will do.
    signed.secrets.push("s3cret".to_owned());
    assert_eq!(signed.judged(), Ok(()));
    assert_eq!(Sent { secrets: signed.secrets.clone(), ..plain }.judged(), Ok(()));
}

#[test]
fn a_new_secret_beside_the_old() {
    assert_eq!(secrets("  new \r\n\n old\n"), ["new", "old"]);
    assert_eq!(secrets(&"x\n".repeat(100)).len(), 8);
    for (sent, _) in all() {
        let old = sent.secrets[0].clone();
        let both = Sent { secrets: vec!["bmV3LXNlY3JldC1uZXctc2VjcmV0".to_owned(), old], ..sent.clone() };
        assert_eq!(both.judged(), Ok(()), "{both:?}");
        let gone = Sent { secrets: vec!["bmV3LXNlY3JldC1uZXctc2VjcmV0".to_owned()], ..sent };
        assert_eq!(gone.judged(), Err(Unproven::Wrong), "{gone:?}");
        assert_eq!(Sent { secrets: Vec::new(), ..gone }.judged(), Err(Unproven::NoSecret));
    }
}

/// Stripe and Standard Webhooks write one signature for each secret that is valid.
#[test]
fn several_signatures_in_one_header() {
    for (mut sent, _) in all() {
        let header = match &sent.signature {
            Signature::Service(Service::Stripe) => "stripe-signature".to_owned(),
            Signature::Service(Service::StandardWebhooks) if sent.headers[2].1.starts_with(b"v1,") => sent.headers[2].0.clone(),
            _ => continue,
        };
        let value = &mut sent.headers.iter_mut().find(|(name, _)| *name == header).unwrap().1;
        let text = String::from_utf8(value.clone()).unwrap();
        let other = if text.starts_with('t') {
            text.replace("v1=", &format!("v1={},v1=", "ab".repeat(32)))
        } else {
            format!("v1,{}= {text}", "A".repeat(43))
        };
        *value = other.into_bytes();
        assert_eq!(sent.judged(), Ok(()), "{sent:?}");
    }
}

#[test]
fn messages_are_known_by_their_ids() {
    let id = |service: Service, headers: &[(&str, &str)], body: &str| {
        let sent = Sent::new(service, "", headers, body, NOW);
        let value = serde_json::from_str(body).unwrap_or(Value::Null);
        sent.with(|delivery| message_id(&sent.signature, delivery, &value))
    };
    for (service, headers, body, expected) in [
        (Service::Github, &[("x-github-delivery", "72d3162e")][..], "{}", Some("72d3162e")),
        (Service::Gitlab, &[("idempotency-key", "f5e5"), ("x-gitlab-event-uuid", "13")], "{}", Some("f5e5")),
        (Service::Gitlab, &[("x-gitlab-event-uuid", "13")], "{}", None),
        (Service::Stripe, &[], r#"{"id":"evt_1"}"#, Some("evt_1")),
        (Service::Slack, &[], r#"{"event_id":"Ev1"}"#, Some("Ev1")),
        (Service::Slack, &[], "token=a", None),
        (Service::Shopify, &[("x-shopify-event-id", "e"), ("x-shopify-topic", "orders/paid")], "{}", Some("orders/paid/e")),
        (Service::Shopify, &[("x-shopify-webhook-id", "w")], "{}", Some("/w")),
        (Service::Twilio, &[("i-twilio-idempotency-token", "t")], "", Some("t")),
        (Service::Linear, &[("linear-delivery", "l")], "{}", Some("l")),
        (Service::Discord, &[], r#"{"id":"77"}"#, Some("77")),
        (Service::Zendesk, &[("x-zendesk-webhook-invocation-id", "z")], "{}", Some("z")),
        (Service::Typeform, &[], r#"{"event_id":"01H"}"#, Some("01H")),
        (Service::StandardWebhooks, &[("webhook-id", "msg")], "{}", Some("msg")),
        (Service::StandardWebhooks, &[("svix-id", "msg")], "{}", Some("msg")),
        (Service::Stripe, &[], r#"{"id":7}"#, None),
        (Service::Github, &[("x-github-delivery", "")], "{}", None),
    ] {
        assert_eq!(id(service, headers, body).as_deref(), expected, "{service:?}");
    }
    let plain = hmac("x-sum", HmacAlgorithm::Sha1, HmacEncoding::Hex, "", "");
    assert_eq!(plain.with(|delivery| message_id(&plain.signature, delivery, &Value::Null)), None);
}
