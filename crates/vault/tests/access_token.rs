//! Access tokens, and the gate S9: two hundred forged ones, none of which is taken.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use mainspring_vault::{AccessToken, SigningKeys};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use crate::support::{key_text, ring, user};

const NOW: i64 = 1_800_000_000;
const SECRET: &str = "c39e07a15fb82d64c39e17a05fb82d6f81";

fn keys() -> SigningKeys {
    SigningKeys::parse(SECRET).unwrap()
}

fn token() -> AccessToken {
    AccessToken { user: user(1), session: Uuid::from_u128(7), issued_at: NOW - 10, expires_at: NOW + 1_790 }
}

#[test]
fn a_token_says_whose_it_is_until_it_expires() {
    let keys = keys();
    let text = token().sign(&keys);
    assert_eq!(AccessToken::read(&keys, &text, NOW).unwrap(), token());
    assert_eq!(AccessToken::read(&keys, &text, NOW + 1_789).unwrap(), token());
    let refused = |text: &str, now| AccessToken::read(&keys, text, now).unwrap_err().to_string();
    assert!(refused(&text, NOW + 1_790).contains("expired"));
    assert!(refused(&text, NOW - 71).contains("future"));
    let header = URL_SAFE_NO_PAD.decode(text.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!((&header["alg"], &header["typ"]), (&json!("HS256"), &json!("at+jwt")));
}

#[test]
fn keys_change_while_tokens_live() {
    let newer = SigningKeys::parse(&format!("{}, {SECRET}", key_text(9))).unwrap();
    let old = token().sign(&keys());
    assert!(AccessToken::read(&newer, &old, NOW).is_ok());
    let new = token().sign(&newer);
    assert!(AccessToken::read(&newer, &new, NOW).is_ok());
    assert!(AccessToken::read(&keys(), &new, NOW).is_err(), "the old key alone does not know it");
    // Derived from the key ring, and apart from what seals.
    let (one, both) = (SigningKeys::of_ring(&ring(&[1])), SigningKeys::of_ring(&ring(&[2, 1])));
    assert!(AccessToken::read(&both, &token().sign(&one), NOW).is_ok());
    assert!(AccessToken::read(&one, &token().sign(&both), NOW).is_err());
    let derived = |keys: &SigningKeys, purpose: &str, part: &[u8]| *keys.derive(purpose, &[part]).next().unwrap();
    assert_eq!(derived(&one, "a", b"x"), derived(&one, "a", b"x"));
    assert_ne!(derived(&one, "a", b"x"), derived(&one, "b", b"x"));
    assert_ne!(derived(&one, "a", b"x"), derived(&one, "a", b"y"));
    assert_eq!(both.derive("a", &[b"x"]).nth(1).map(|bytes| *bytes), Some(derived(&one, "a", b"x")));
}

#[test]
fn secrets_that_can_be_guessed_sign_nothing() {
    for weak in [
        "",
        "short",
        "your-secret-key",
        &"a".repeat(64),
        &"ab".repeat(32),
        &"0123456789".repeat(4),
        &"secret-0".repeat(8),
        "abcdefghijklmnopqrstuvwxyzabcdefgh",
    ] {
        assert_eq!(SigningKeys::parse(weak).unwrap_err().code(), "VAULT_KEY_WEAK", "{weak}");
    }
    assert_eq!(SigningKeys::parse(&format!("{SECRET},{SECRET}")).unwrap_err().code(), "VAULT_KEY_DUPLICATE");
    assert!(!format!("{:?}", keys()).contains(&SECRET[..8]));
}

/// Signs whatever is given by whatever key, as a forger would.
fn hs256(key: &[u8], signed: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(signed.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

fn part(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// Every forged token with what is wrong with it. `signed_right`: by our own key, which only a flaw of ours would do.
fn forged(signed_right: &dyn Fn(&str) -> String) -> Vec<(String, String)> {
    let keys = keys();
    let good = token().sign(&keys);
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let decoded = |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
    let (head, said) = (decoded(header), decoded(claims));
    let kid = head["kid"].as_str().unwrap().to_owned();
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |what: String, token: String| all.push((what, token));

    // The algorithm is the caller's wish: none in its spellings, others of ours and of other families, signed by what a forger knows.
    for alg in [
        "none", "None", "NONE", "nOnE", "", " none", "HS256 ", "hs256", "HS384", "HS512", "RS256", "RS384", "PS256", "ES256", "EdDSA",
        "A128KW",
    ] {
        let header = part(json!({"alg": alg, "kid": kid, "typ": "at+jwt"}).to_string());
        let signed = format!("{header}.{claims}");
        add(format!("alg {alg:?}, unsigned"), format!("{signed}."));
        add(format!("alg {alg:?}, old signature"), format!("{signed}.{signature}"));
        for (name, key) in [("no key", "".as_bytes()), ("the key id", kid.as_bytes()), ("the public page", b"-----BEGIN PUBLIC KEY-----")] {
            add(format!("alg {alg:?}, signed by {name}"), format!("{signed}.{}", hs256(key, &signed)));
        }
    }
    // Headers that bring or name a key, or ask for something.
    let jwk = json!({"kty": "oct", "k": part("forger's own key of thirty-two b")});
    for (what, header) in [
        ("jwk", json!({"alg": "HS256", "kid": kid, "typ": "at+jwt", "jwk": jwk})),
        ("jwk without kid", json!({"alg": "HS256", "jwk": jwk})),
        ("jku", json!({"alg": "HS256", "kid": kid, "jku": "http://127.0.0.1:1/keys"})),
        ("x5u", json!({"alg": "HS256", "kid": kid, "x5u": "http://169.254.169.254/"})),
        ("x5c", json!({"alg": "HS256", "kid": kid, "x5c": ["MIIB"]})),
        ("crit", json!({"alg": "HS256", "kid": kid, "typ": "at+jwt", "crit": ["b64"], "b64": false})),
        ("kid path", json!({"alg": "HS256", "kid": "../../../../dev/null"})),
        ("kid query", json!({"alg": "HS256", "kid": "x' union select 'k'--"})),
        ("kid shell", json!({"alg": "HS256", "kid": "|/bin/id"})),
        ("kid empty", json!({"alg": "HS256", "kid": ""})),
        ("kid null", json!({"alg": "HS256", "kid": null})),
        ("kid number", json!({"alg": "HS256", "kid": 0})),
        ("kid list", json!({"alg": "HS256", "kid": [kid]})),
        ("kid NUL", json!({"alg": "HS256", "kid": format!("{kid}\0")})),
        ("kid of another case", json!({"alg": "HS256", "kid": kid.to_uppercase(), "typ": "at+jwt"})),
        ("no kid", json!({"alg": "HS256", "typ": "at+jwt"})),
        ("no alg", json!({"kid": kid, "typ": "at+jwt"})),
        ("alg list", json!({"alg": ["HS256"], "kid": kid})),
        ("typ JWT", json!({"alg": "HS256", "kid": kid, "typ": "JWT"})),
        ("typ refresh", json!({"alg": "HS256", "kid": kid, "typ": "rt+jwt"})),
        ("one more name", json!({"alg": "HS256", "kid": kid, "typ": "at+jwt", "zip": "DEF"})),
        ("empty header", json!({})),
        ("header is a list", json!(["HS256"])),
    ] {
        let signed = format!("{}.{claims}", part(header.to_string()));
        add(format!("{what}, signed by the forger"), format!("{signed}.{}", hs256(b"forger's own key of thirty-two b", &signed)));
        add(format!("{what}, signed by an empty key"), format!("{signed}.{}", hs256(b"", &signed)));
        // Right by our own key, were it asked: the header alone is wrong.
        add(format!("{what}, signed right"), format!("{signed}.{}", signed_right(&signed)));
    }
    for text in [
        format!("{{\"alg\":\"none\",\"alg\":\"HS256\",\"kid\":\"{kid}\",\"typ\":\"at+jwt\"}}"),
        format!("{{\"alg\":\"HS256\",\"kid\":\"{kid}\",\"typ\":\"at+jwt\" }}"),
        format!("\u{feff}{{\"alg\":\"HS256\",\"kid\":\"{kid}\",\"typ\":\"at+jwt\"}}"),
        format!("{{\"typ\":\"at+jwt\",\"alg\":\"HS256\",\"kid\":\"{kid}\"}}"),
        "not json".to_owned(),
    ] {
        let signed = format!("{}.{claims}", part(&text));
        add(format!("header {text:?}, signed right"), format!("{signed}.{}", signed_right(&signed)));
    }
    // Claims that are missing, of another type, twice, or too many; each with a right signature.
    let with = |name: &str, value: Value| {
        let mut claims = said.clone();
        claims[name] = value;
        claims.to_string()
    };
    let without = |name: &str| {
        let mut claims = said.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims.to_string()
    };
    let mut claims_of: Vec<(String, String)> = Vec::new();
    for name in ["iss", "aud", "sub", "sid", "iat", "exp"] {
        claims_of.push((format!("{name} missing"), without(name)));
        for value in [json!(null), json!([]), json!({}), json!(true)] {
            claims_of.push((format!("{name} is {value}"), with(name, value)));
        }
        let twice = said.to_string().replacen('{', &format!("{{\"{name}\":{},", said[name]), 1);
        claims_of.push((format!("{name} twice"), twice));
    }
    for value in [
        json!((NOW + 900).to_string()),
        json!(-1),
        json!(0),
        json!((NOW + 900) as f64 + 0.5),
        json!(1e300),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(NOW),
        json!(NOW - 1),
        json!(NOW + 10_000_000),
        json!("9999999999"),
        json!("never"),
        json!([NOW + 900]),
    ] {
        claims_of.push((format!("exp is {value}"), with("exp", value)));
    }
    for value in [json!(NOW.to_string()), json!(-5), json!(NOW + 600), json!(i64::MIN), json!(0.5), json!("0")] {
        claims_of.push((format!("iat is {value}"), with("iat", value)));
    }
    for value in ["https://evil.example", "Mainspring", "", "mainspring "] {
        claims_of.push((format!("iss is {value:?}"), with("iss", json!(value))));
    }
    for value in [json!("other-api"), json!("mainspring"), json!(["mainspring-api"]), json!(["mainspring-api", "other"]), json!("*")] {
        claims_of.push((format!("aud is {value}"), with("aud", value)));
    }
    for value in [json!("admin"), json!(1), json!(""), json!("00000000-0000-0000-0000-00000000000g")] {
        claims_of.push((format!("sub is {value}"), with("sub", value.clone())));
        claims_of.push((format!("sid is {value}"), with("sid", value)));
    }
    for (name, value) in [("admin", json!(true)), ("role", json!("owner")), ("nbf", json!(0)), ("org", json!("x")), ("user_id", json!("x"))]
    {
        claims_of.push((format!("one more claim {name}"), with(name, value)));
    }
    let both = format!("{}{}", said, said);
    for text in ["", "null", "[]", "7", "\"text\"", "{", both.as_str(), "\u{0}"] {
        claims_of.push((format!("claims {:?}", &text[..text.len().min(20)]), text.to_owned()));
    }
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    claims_of
        .push(("deep claims".to_owned(), with("exp", serde_json::from_str(&format!("{}1{}", "[".repeat(100), "]".repeat(100))).unwrap())));
    claims_of.push(("deeper claims".to_owned(), deep));
    for (what, text) in claims_of {
        let signed = format!("{header}.{}", part(&text));
        add(what, format!("{signed}.{}", signed_right(&signed)));
    }
    // Signatures and shapes.
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let signed = format!("{header}.{claims}");
    let other_key = SigningKeys::parse(&key_text(77)).unwrap();
    for (what, signature) in [
        ("no signature", String::new()),
        ("zeros", part([0u8; 32])),
        ("one byte", part([raw[0]])),
        ("truncated", part(&raw[..31])),
        ("lengthened", part([raw.as_slice(), &[0]].concat())),
        ("twice", part([raw.as_slice(), &raw].concat())),
        ("padded", URL_SAFE.encode(&raw)),
        ("other alphabet", format!("+/{}", &STANDARD.encode(&raw)[2..])),
        ("spaces", format!(" {signature} ")),
        ("newline", format!("{signature}\n")),
        ("hex", raw.iter().map(|byte| format!("{byte:02x}")).collect()),
        ("another token's", AccessToken { user: user(2), ..token() }.sign(&keys).rsplit('.').next().unwrap().to_owned()),
        ("another server's", token().sign(&other_key).rsplit('.').next().unwrap().to_owned()),
    ] {
        add(format!("signature: {what}"), format!("{signed}.{signature}"));
    }
    for at in [0, 7, 15, 31] {
        let mut flipped = raw.clone();
        flipped[at] ^= 1;
        add(format!("signature: bit of byte {at}"), format!("{signed}.{}", part(flipped)));
    }
    for (what, text) in [
        ("empty", String::new()),
        ("dots", "..".to_owned()),
        ("one part", header.to_owned()),
        ("two parts", signed.clone()),
        ("four parts", format!("{good}.{signature}")),
        ("five parts", format!("{header}.x.y.z.{signature}")),
        ("a space before", format!(" {good}")),
        ("a NUL behind", format!("{good}\0")),
        ("another server's token", token().sign(&other_key)),
        ("JSON form", json!({"protected": header, "payload": claims, "signature": signature}).to_string()),
        ("a megabyte of claims", format!("{header}.{}.{signature}", "A".repeat(1 << 20))),
        ("a megabyte of header", format!("{}.{claims}.{signature}", "A".repeat(1 << 20))),
        ("a megabyte of signature", format!("{signed}.{}", "A".repeat(1 << 20))),
        ("another user's claims", format!("{header}.{}.{signature}", part(with("sub", json!(user(2)))))),
        ("another session's claims", format!("{header}.{}.{signature}", part(with("sid", json!(Uuid::from_u128(8)))))),
        ("claims in padded base64", format!("{header}.{}.{signature}", URL_SAFE.encode(format!("{said} ")))),
        ("header and claims swapped", format!("{claims}.{header}.{signature}")),
    ] {
        add(what.to_owned(), text);
    }
    all
}

/// S9, tokens: none of two hundred forged ones is accepted; most are signed by our own key, so that only the claim is wrong.
#[test]
fn no_forged_token_is_accepted() {
    let keys = keys();
    // The key behind the header, found as the vault derives it: by signing through it.
    let all = forged(&|signed| mainspring_vault::sign_for_tests(&keys, signed));
    assert!(all.len() >= 200, "{} forged tokens", all.len());
    assert!(AccessToken::read(&keys, &token().sign(&keys), NOW).is_ok(), "the honest one is");
    let accepted: Vec<String> = all
        .iter()
        .filter(|(_, text)| AccessToken::read(&keys, text, NOW).is_ok())
        .map(|(what, _)| format!("forged token accepted: {what}"))
        .collect();
    assert_eq!(accepted, [""; 0], "of {}", all.len());
}
