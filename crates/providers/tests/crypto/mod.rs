//! Provider `crypto`: published signatures, and every way to pass off a token that was not signed.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainspring_model::Fault;
use mainspring_model::action::Outcome;
use mainspring_providers::crypto;
use serde_json::{Value, json};

use crate::net::{Attempt, NOW};

const SECRET: &str = "a secret of thirty-two bytes or more, and then some to be sure of the longest";
/// Made for these tests; nothing else has ever used them.
const RSA: &str = include_str!("rsa.pem");
const RSA_PUBLIC: &str = include_str!("rsa.pub.pem");

async fn call(attempt: &Attempt, action: &str, params: Value) -> Result<Value, Fault> {
    match crypto::provider().action(action).unwrap().call(params, &attempt.cx).await? {
        Outcome::Done(output) => Ok(output.value),
        other => panic!("{other:?}"),
    }
}

async fn said(attempt: &Attempt, action: &str, params: Value) -> String {
    call(attempt, action, params).await.map_or_else(|fault| fault.to_string(), |value| panic!("{value}"))
}

#[tokio::test]
async fn hmacs_are_the_published_ones_and_nothing_else_is_proved() {
    // RFC 4231, test case 2.
    let attempt = Attempt::with(&[("secret", "Jefe")]);
    let text = "what do ya want for nothing?";
    for (algorithm, hex) in [
        ("sha1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        ("sha256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        ("sha384", "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"),
        (
            "sha512",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
    ] {
        assert_eq!(call(&attempt, "hmac", json!({"algorithm": algorithm, "text": text})).await.unwrap(), json!(hex));
        let check = |signature: &str| json!({"algorithm": algorithm, "text": text, "signature": signature});
        assert_eq!(call(&attempt, "hmac_verify", check(&hex.to_uppercase())).await.unwrap(), json!(true));
        for wrong in ["", "00", &hex[2..], &format!("{hex}00"), "no hex", &hex.replace('a', "b"), "ü"] {
            assert_eq!(call(&attempt, "hmac_verify", check(wrong)).await.unwrap(), json!(false), "{algorithm} {wrong}");
        }
    }
    let base64 = call(&attempt, "hmac", json!({"text": text, "encoding": "base64"})).await.unwrap();
    assert_eq!(call(&attempt, "hmac_verify", json!({"text": text, "signature": base64, "encoding": "base64"})).await.unwrap(), json!(true));
    for (fields, message) in [
        (&[("secret", "zz"), ("secret_encoding", "hex")][..], "INVALID_PARAMS: the secret of the credential \"main\" is not hexadecimal"),
        (&[("secret", "?"), ("secret_encoding", "base64")], "INVALID_PARAMS: the secret of the credential \"main\" is not base64"),
        (
            &[("secret", "?"), ("secret_encoding", "rot13")],
            "INVALID_PARAMS: \"secret_encoding\" of the credential is \"rot13\"; write text, hex or base64",
        ),
        (&[("public_key", "x")], "MISSING_CREDENTIALS: the credential \"main\" has no secret"),
    ] {
        assert_eq!(said(&Attempt::with(fields), "hmac", json!({"text": ""})).await, message);
    }
    let hex = Attempt::with(&[("secret", "4a656665"), ("secret_encoding", "hex")]);
    assert_eq!(call(&hex, "hmac", json!({"text": text})).await.unwrap(), call(&attempt, "hmac", json!({"text": text})).await.unwrap());
}

/// Fields of a credential.
type Fields = Vec<(&'static str, String)>;

/// By algorithm: what signs, and what proves.
fn keys() -> BTreeMap<&'static str, (Fields, Fields)> {
    let pair = |algorithm| rcgen::KeyPair::generate_for(algorithm).unwrap();
    let (es, ed) = (pair(&rcgen::PKCS_ECDSA_P256_SHA256), pair(&rcgen::PKCS_ED25519));
    let secret = || vec![("secret", SECRET.to_owned())];
    let keys = |private: String, public: String| (vec![("private_key", private)], vec![("public_key", public)]);
    BTreeMap::from([
        ("HS256", (secret(), secret())),
        ("HS384", (secret(), secret())),
        ("HS512", (secret(), secret())),
        ("RS256", keys(RSA.to_owned(), RSA_PUBLIC.to_owned())),
        ("ES256", keys(es.serialize_pem(), es.public_key_pem())),
        ("EdDSA", keys(ed.serialize_pem(), ed.public_key_pem())),
    ])
}

fn with(fields: &[(&'static str, String)]) -> Attempt {
    Attempt::with(&fields.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>())
}

#[tokio::test]
async fn a_token_is_proved_by_its_own_algorithm_and_by_no_other() {
    let keys = keys();
    let mut tokens = BTreeMap::new();
    for (algorithm, (private, public)) in &keys {
        let token =
            call(&with(private), "jwt_sign", json!({"algorithm": algorithm, "claims": {"sub": "u-7"}, "expires_in": "5m", "key_id": "k1"}))
                .await;
        let token = token.unwrap().as_str().unwrap().to_owned();
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&header).unwrap(), json!({"alg": algorithm, "typ": "JWT", "kid": "k1"}));
        let claims = json!({"sub": "u-7", "exp": NOW / 1_000 + 300, "iat": NOW / 1_000});
        for fields in [private, public] {
            assert_eq!(
                call(&with(fields), "jwt_verify", json!({"algorithm": algorithm, "token": token})).await.unwrap(),
                claims,
                "{algorithm}"
            );
        }
        tokens.insert(*algorithm, token);
    }
    for (signed_by, token) in &tokens {
        for (algorithm, (_, public)) in &keys {
            if signed_by != algorithm {
                let message = said(&with(public), "jwt_verify", json!({"algorithm": algorithm, "token": token})).await;
                assert_eq!(message, format!("INVALID_INPUT: the token is refused: it is not signed by {algorithm}"));
            }
        }
        // Each letter of the signature and of the claims counts.
        let (_, public) = &keys[signed_by];
        let dots: Vec<usize> = token.match_indices('.').map(|(at, _)| at).collect();
        for at in [dots[0] + 3, dots[1] - 1, dots[1] + 1, dots[1] + 20] {
            let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
            let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            let message = said(&with(public), "jwt_verify", json!({"algorithm": signed_by, "token": changed})).await;
            assert!(message.starts_with("INVALID_INPUT: the token is refused: its signature"), "{signed_by} at {at}: {message}");
        }
    }
}

/// A token by HMAC with these very header and claims.
fn forged(header: &str, claims: &str, key: &[u8]) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, text.as_bytes())))
}

#[tokio::test]
async fn forged_and_stale_tokens_are_refused() {
    let now = NOW / 1_000;
    let good = r#"{"alg":"HS256"}"#;
    let token = |claims: &Value| forged(good, &claims.to_string(), SECRET.as_bytes());
    let attempt = Attempt::with(&[("secret", SECRET)]);
    let end = now + 300;
    let long = format!("{}.a.b", "a".repeat(100_000));
    for (token, more, why) in [
        (String::new(), json!({}), "it has not three parts"),
        ("a.b".into(), json!({}), "it has not three parts"),
        ("a.b.c.d.e".into(), json!({}), "it has not three parts"),
        ("a.b.c".into(), json!({}), "its header cannot be read"),
        (long, json!({}), "it is too large"),
        (forged(r#"{"alg":"none"}"#, "{}", b""), json!({}), "it is not signed by HS256"),
        (forged(r#"{"alg":"nOnE"}"#, "{}", b""), json!({}), "it is not signed by HS256"),
        (forged(r#"{"alg":["HS256"]}"#, "{}", SECRET.as_bytes()), json!({}), "it is not signed by HS256"),
        (forged("{}", "{}", SECRET.as_bytes()), json!({}), "it is not signed by HS256"),
        (
            forged(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, "{}", SECRET.as_bytes()),
            json!({}),
            "its header demands something that is not known here",
        ),
        (forged(good, "{}", b""), json!({}), "its signature is wrong"),
        (forged(good, "[1]", SECRET.as_bytes()), json!({}), "its claims cannot be read"),
        (forged(good, &"[".repeat(20_000), SECRET.as_bytes()), json!({}), "its claims cannot be read"),
        (token(&json!({})), json!({}), "it has no end (exp)"),
        (token(&json!({"exp": end.to_string()})), json!({}), "its exp is no number"),
        (token(&json!({"exp": null})), json!({}), "its exp is no number"),
        (token(&json!({"exp": now - 61})), json!({}), "it has expired"),
        (token(&json!({"exp": now - 1})), json!({"leeway": 0}), "it has expired"),
        (token(&json!({"exp": end, "nbf": now + 61})), json!({}), "it is not good yet (nbf)"),
        (token(&json!({"exp": end, "nbf": "soon"})), json!({}), "its nbf is no number"),
        (token(&json!({"exp": end, "iss": "b"})), json!({"issuer": "a"}), "it comes from another issuer (iss)"),
        (token(&json!({"exp": end})), json!({"issuer": "a"}), "it comes from another issuer (iss)"),
        (token(&json!({"exp": end, "aud": "a"})), json!({}), "it is for an audience (aud), and the step names none"),
        (token(&json!({"exp": end, "aud": ["b", "c"]})), json!({"audience": "a"}), "it is for somebody else (aud)"),
        (token(&json!({"exp": end})), json!({"audience": "a"}), "it is for somebody else (aud)"),
    ] {
        let mut params = json!({"algorithm": "HS256", "token": token});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(said(&attempt, "jwt_verify", params).await, format!("INVALID_INPUT: the token is refused: {why}"));
    }
    // A public key is no secret: signed with it by HMAC, a token is refused where the step says RS256.
    let confused = forged(r#"{"alg":"RS256"}"#, &json!({"exp": end}).to_string(), RSA_PUBLIC.as_bytes());
    let message = said(&Attempt::with(&[("public_key", RSA_PUBLIC)]), "jwt_verify", json!({"algorithm": "RS256", "token": confused})).await;
    assert_eq!(message, "INVALID_INPUT: the token is refused: its signature is wrong");
    // Within the leeway, and for one of several.
    let claims = json!({"exp": now - 59, "nbf": now + 59, "aud": ["a", "b"], "iss": "me"});
    let params = json!({"algorithm": "HS256", "token": token(&claims), "audience": "b", "issuer": "me"});
    assert_eq!(call(&attempt, "jwt_verify", params).await.unwrap(), claims);
}

#[tokio::test]
async fn keys_that_do_not_fit_are_told_without_being_shown() {
    let sign = |algorithm: &str| json!({"algorithm": algorithm, "expires_in": "5m"});
    for (fields, params, message) in [
        (&[("secret", "short")][..], sign("HS256"), "INVALID_PARAMS: the credential's secret has 5 bytes; HS256 needs at least 32"),
        (&[("private_key", RSA)], sign("ES256"), "INVALID_PARAMS: the credential's private_key is no PKCS #8 key for ES256 in PEM"),
        (&[("private_key", "nonsense")], sign("RS256"), "INVALID_PARAMS: the credential's private_key is no PKCS #8 key for RS256 in PEM"),
        (&[("secret", SECRET)], sign("RS256"), "MISSING_CREDENTIALS: the credential \"main\" has no private_key"),
        (
            &[("secret", SECRET)],
            json!({"algorithm": "HS256"}),
            "INVALID_PARAMS: a token needs an end: write \"expires_in\", such as 5m, or an \"exp\" among the claims",
        ),
        (&[("secret", SECRET)], json!({"algorithm": "HS256", "expires_in": "0s"}), "INVALID_PARAMS: \"expires_in\" is less than a second"),
        (
            &[("secret", SECRET)],
            json!({"algorithm": "HS256", "expires_in": 5, "claims": {"x": "y".repeat(40_000)}}),
            "LIMIT_EXCEEDED: the token is larger than 32 KiB; it says too much",
        ),
        (
            &[("secret", SECRET)],
            json!({"algorithm": "none"}),
            "INVALID_PARAMS: jwt_sign: unknown variant `none`, expected one of `HS256`, `HS384`, `HS512`, `RS256`, `ES256`, `EdDSA`",
        ),
    ] {
        let got = said(&Attempt::with(fields), "jwt_sign", params).await;
        assert_eq!(got, message);
        assert!(!got.contains("MII") && !got.contains(SECRET));
    }
    let broken = RSA_PUBLIC.replace("MIIB", "MIIC");
    for public in ["x", &broken, RSA] {
        let token = forged(r#"{"alg":"RS256"}"#, "{}", b"");
        let message = said(&Attempt::with(&[("public_key", public)]), "jwt_verify", json!({"algorithm": "RS256", "token": token})).await;
        assert_eq!(message, "INVALID_PARAMS: the credential's public_key is no public key in PEM (BEGIN PUBLIC KEY)");
    }
}
