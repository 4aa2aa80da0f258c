//! Logging in at an outside issuer, and the gate S9: more than fifty attacks on it, none of which gets a session.

use axum::body::Body;
use http::Method;
use mainspring_model::clock::Clock;
use mainspring_server::identity::accounts::NewAccount;
use ring::rand::SystemRandom;
use ring::signature::{EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use super::issuer::{Next, SECRET, Setting, key, part, session_of};
use super::world::{Answer, ask};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_logs_in_elsewhere_and_is_the_same_the_next_time() {
    let setting = Setting::new(false, true).await;
    let list = setting.world.get("/api/auth/oidc").await;
    assert_eq!(list.body["issuers"][0], json!({"name": "corp", "start": "/api/auth/oidc/corp/start"}));
    let answer = setting.honest().await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    assert_eq!(answer.headers["location"], "/plans?x=1");
    let cookie = session_of(&answer).expect("a session");
    let me = ask(Method::GET, "/api/auth/me").header("cookie", &cookie).body(Body::empty()).unwrap();
    let me = setting.world.send(me).await;
    assert_eq!(
        (&me.body["email"], &me.body["email_verified"], &me.body["operator"]),
        (&json!("carol@example.org"), &json!(true), &json!(false))
    );
    // A new key of the issuer's is found when a token names it.
    *setting.corp.key.lock().unwrap() = key();
    *setting.corp.kid.lock().unwrap() = "k2".to_owned();
    assert_eq!(setting.honest().await.status, 401, "keys are not asked for again and again");
    setting.clock.advance_to(setting.clock.now() + 61_000);
    let again = setting.honest().await;
    assert_eq!(again.status, 303, "{}", again.text);
    let me = ask(Method::GET, "/api/auth/me").header("cookie", session_of(&again).unwrap()).body(Body::empty()).unwrap();
    assert_eq!(setting.world.send(me).await.body["email"], "carol@example.org");
    assert_eq!(setting.world.get("/api/auth/oidc/nobody/start").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_linked_by_its_address_only_where_the_operator_says_so() {
    for (link, verified_here, verified_there, expected) in [
        (true, true, json!(true), 303),
        (false, true, json!(true), 403),
        (true, false, json!(true), 403),
        (true, true, json!(false), 403),
        (true, true, json!("true"), 403),
        (true, true, json!(null), 403),
    ] {
        let setting = Setting::new(link, false).await;
        let new = NewAccount {
            email: "Carol@example.org".to_owned(),
            name: String::new(),
            password_hash: None,
            operator: false,
            verified: verified_here,
        };
        setting.world.app.make_account(new).await.unwrap();
        let begun = setting.begin("/").await;
        let mut claims = setting.corp.claims(&begun.nonce, setting.now());
        claims["email_verified"] = verified_there.clone();
        *setting.corp.next.lock().unwrap() = Next::Token(setting.corp.signed(&setting.corp.header(), &claims));
        let answer = setting.back(&begun).await;
        assert_eq!(
            (answer.status.as_u16(), session_of(&answer).is_some()),
            (expected, expected == 303),
            "{link} {verified_here} {verified_there}: {}",
            answer.text
        );
    }
    // Nobody may make an account here, and nobody has this address.
    let setting = Setting::new(true, false).await;
    let answer = setting.honest().await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (403, &json!("OUTSIDE_LOGIN_UNKNOWN")));
}

/// S9, logins elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_attack_on_a_login_elsewhere_gets_a_session() {
    let setting = Setting::new(false, true).await;
    let corp = &setting.corp;
    assert!(session_of(&setting.honest().await).is_some(), "the honest login works");
    let mut tried: Vec<(String, bool)> = Vec::new();
    let note = |tried: &mut Vec<(String, bool)>, what: &str, answer: &Answer| {
        let accepted = session_of(answer).is_some() || answer.status.is_success() || answer.text.contains("mss_");
        tried.push((what.to_owned(), accepted));
    };
    let good = |nonce: &str| corp.signed(&corp.header(), &corp.claims(nonce, setting.now()));

    // The state: missing, invented, another's, used, late, at another issuer, in another browser.
    let another = setting.begin("/").await;
    let begun = setting.begin("/").await;
    *corp.next.lock().unwrap() = Next::Token(good(&begun.nonce));
    let (cookie, state) = (begun.cookie.as_str(), begun.state.as_str());
    let longer = format!("{state}x");
    let changed = format!("{}{}", &state[..state.len() - 1], if state.ends_with('a') { 'b' } else { 'a' });
    for (what, query, cookie) in [
        ("no state", vec![("code", "good")], Some(cookie)),
        ("empty state", vec![("code", "good"), ("state", "")], Some(cookie)),
        ("invented state", vec![("code", "good"), ("state", "mso_invented")], Some(cookie)),
        ("longer state", vec![("code", "good"), ("state", longer.as_str())], Some(cookie)),
        ("state with another letter", vec![("code", "good"), ("state", changed.as_str())], Some(cookie)),
        ("the browser's token as state", vec![("code", "good"), ("state", cookie.split_once('=').unwrap().1)], Some(cookie)),
        ("another login's state", vec![("code", "good"), ("state", another.state.as_str())], Some(cookie)),
        ("no cookie", vec![("code", "good"), ("state", state)], None),
        ("another browser's cookie", vec![("code", "good"), ("state", state)], Some(another.cookie.as_str())),
        ("invented cookie", vec![("code", "good"), ("state", state)], Some("mainspring_login=mso_x")),
        ("empty cookie", vec![("code", "good"), ("state", state)], Some("mainspring_login=")),
        ("cookie of another name", vec![("code", "good"), ("state", state)], Some("mainspring_session=mss_x")),
        ("no code", vec![("state", another.state.as_str())], Some(another.cookie.as_str())),
    ] {
        note(&mut tried, what, &setting.back_to("corp", &query, cookie).await);
    }
    note(&mut tried, "at another issuer's address", &setting.back_to("other", &[("code", "good"), ("state", state)], Some(cookie)).await);
    assert!(session_of(&setting.back(&begun).await).is_some(), "none of them used it up");
    note(&mut tried, "replayed state", &setting.back(&begun).await);
    let late = setting.begin("/").await;
    *corp.next.lock().unwrap() = Next::Token(good(&late.nonce));
    setting.clock.advance_to(setting.clock.now() + 600_000);
    note(&mut tried, "late state", &setting.back(&late).await);

    // The code, and who answers.
    for (what, more) in [
        ("an injected code", vec![("code", "stolen")]),
        ("an empty code", vec![("code", "")]),
        ("refused by the issuer", vec![("code", "good"), ("error", "access_denied")]),
        ("answered by another issuer", vec![("code", "good"), ("iss", "https://evil.example")]),
        ("answered by nobody", vec![("code", "good"), ("iss", "")]),
    ] {
        let begun = setting.begin("/").await;
        *corp.next.lock().unwrap() = Next::Token(good(&begun.nonce));
        let query: Vec<(&str, &str)> = more.into_iter().chain([("state", begun.state.as_str())]).collect();
        note(&mut tried, what, &setting.back_to("corp", &query, Some(&begun.cookie)).await);
    }
    // Another login's challenge: the code was asked for with another verifier.
    let begun = setting.begin("/").await;
    *corp.next.lock().unwrap() = Next::Token(good(&begun.nonce));
    setting.begin("/").await;
    note(&mut tried, "another login's verifier", &setting.back(&begun).await);

    // The token.
    let stranger = key();
    let sign = |with: &EcdsaKeyPair, header: &Value, claims: &Value| {
        let text = format!("{}.{}", part(header.to_string()), part(claims.to_string()));
        format!("{text}.{}", part(with.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref()))
    };
    let hs256 = |key: &[u8], header: &Value, claims: &Value| {
        let text = format!("{}.{}", part(header.to_string()), part(claims.to_string()));
        let signed = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key), text.as_bytes());
        format!("{text}.{}", part(signed.as_ref()))
    };
    let point = corp.key.lock().unwrap().public_key().as_ref().to_vec();
    let now = setting.now();
    type Forge<'a> = Box<dyn Fn(&Value, &Value) -> String + 'a>;
    let mut forgeries: Vec<(String, Forge<'_>)> = Vec::new();
    for alg in ["none", "None", "NONE", ""] {
        forgeries.push((
            format!("alg {alg:?}"),
            Box::new(move |_, claims| format!("{}.{}.", part(json!({"alg": alg}).to_string()), part(claims.to_string()))),
        ));
        forgeries.push((
            format!("alg {alg:?} with the key's id"),
            Box::new(move |header, claims| {
                let header = json!({"alg": alg, "kid": header["kid"]});
                format!("{}.{}.", part(header.to_string()), part(claims.to_string()))
            }),
        ));
    }
    for (what, key) in [("the client's secret", SECRET.as_bytes().to_vec()), ("the public key", point.clone()), ("nothing", Vec::new())] {
        let again = key.clone();
        forgeries.push((
            format!("HS256 by {what}"),
            Box::new(move |header, claims| hs256(&again, &json!({"alg": "HS256", "kid": header["kid"]}), claims)),
        ));
        forgeries.push((
            format!("HS256 by {what}, symmetric kid"),
            Box::new(move |_, claims| hs256(&key, &json!({"alg": "HS256", "kid": "oct"}), claims)),
        ));
    }
    let foreign = &stranger;
    forgeries.push(("a stranger's key".into(), Box::new(move |header, claims| sign(foreign, header, claims))));
    forgeries.push((
        "a stranger's key in the header".into(),
        Box::new(move |_, claims| {
            let point = foreign.public_key().as_ref();
            let jwk = json!({"kty": "EC", "crv": "P-256", "x": part(&point[1..33]), "y": part(&point[33..])});
            sign(foreign, &json!({"alg": "ES256", "jwk": jwk}), claims)
        }),
    ));
    forgeries.push((
        "a stranger's key by address".into(),
        Box::new(move |_, claims| sign(foreign, &json!({"alg": "ES256", "kid": "k9", "jku": "http://127.0.0.1:1/keys"}), claims)),
    ));
    for (name, header) in [
        ("RS256 for an elliptic key", json!({"alg": "RS256", "kid": "k1"})),
        ("ES384", json!({"alg": "ES384", "kid": "k1"})),
        ("an unknown kid", json!({"alg": "ES256", "kid": "k9"})),
        ("crit", json!({"alg": "ES256", "kid": "k1", "crit": ["exp"]})),
        ("alg twice in a list", json!({"alg": ["ES256"], "kid": "k1"})),
    ] {
        forgeries.push((name.into(), Box::new(move |_, claims| corp.signed(&header, claims))));
    }
    let evil = json!("https://evil.example");
    for (name, value) in [
        ("iss", evil.clone()),
        ("iss", json!(format!("{}/", corp.server.uri()))),
        ("iss", json!("")),
        ("iss", json!(null)),
        ("aud", json!("other")),
        ("aud", json!(["other"])),
        ("aud", json!(["client", "other"])),
        ("aud", json!([])),
        ("aud", json!(null)),
        ("azp", json!("other")),
        ("exp", json!(now - 1)),
        ("exp", json!(now)),
        ("exp", json!((now + 300).to_string())),
        ("exp", json!(-1)),
        ("exp", json!(null)),
        ("exp", json!(1e300)),
        ("iat", json!(now + 600)),
        ("iat", json!(now - 86_400)),
        ("iat", json!("now")),
        ("nbf", json!(now + 3_600)),
        ("nonce", json!("another")),
        ("nonce", json!("")),
        ("nonce", json!(null)),
        ("sub", json!("")),
        ("sub", json!("x".repeat(256))),
        ("sub", json!(null)),
        ("sub", json!(["u-1"])),
    ] {
        let what = format!("{name} is {value}");
        forgeries.push((
            what,
            Box::new(move |header, claims| {
                let mut claims = claims.clone();
                claims[name] = value.clone();
                corp.signed(header, &claims)
            }),
        ));
    }
    let twice = |name: &'static str, value: Value| -> Forge<'_> {
        Box::new(move |header, claims| {
            let text = claims.to_string().replacen('{', &format!("{{\"{name}\":{value},"), 1);
            let signed = format!("{}.{}", part(header.to_string()), part(text));
            let signature = corp.key.lock().unwrap().sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
            format!("{signed}.{}", part(signature.as_ref()))
        })
    };
    forgeries.push(("sub twice".into(), twice("sub", json!("victim"))));
    forgeries.push(("nonce twice".into(), twice("nonce", json!("another"))));
    forgeries.push((
        "a signature cut short".into(),
        Box::new(|header, claims| {
            let token = corp.signed(header, claims);
            token[..token.len() - 4].to_owned()
        }),
    ));
    forgeries
        .push(("no signature".into(), Box::new(|header, claims| corp.signed(header, claims).rsplit_once('.').unwrap().0.to_owned() + ".")));
    forgeries.push(("two parts".into(), Box::new(|header, claims| corp.signed(header, claims).rsplit_once('.').unwrap().0.to_owned())));
    forgeries.push((
        "a tampered subject".into(),
        Box::new(|header, claims| {
            let token = corp.signed(header, claims);
            let mut claims = claims.clone();
            claims["sub"] = json!("victim");
            let parts: Vec<&str> = token.split('.').collect();
            format!("{}.{}.{}", parts[0], part(claims.to_string()), parts[2])
        }),
    ));
    forgeries.push((
        "a megabyte".into(),
        Box::new(|header, claims| {
            let mut claims = claims.clone();
            claims["more"] = json!("x".repeat(60_000));
            corp.signed(header, &claims)
        }),
    ));
    for (what, forge) in &forgeries {
        let begun = setting.begin("/").await;
        let token = forge(&corp.header(), &corp.claims(&begun.nonce, now));
        *corp.next.lock().unwrap() = Next::Token(token);
        note(&mut tried, what, &setting.back(&begun).await);
    }
    let begun = setting.begin("/").await;
    *corp.next.lock().unwrap() = Next::Token(good(&another.nonce));
    note(&mut tried, "another login's token", &setting.back(&begun).await);
    for (status, body) in [
        (200, "{}"),
        (200, "no JSON"),
        (200, "[]"),
        (302, "{}"),
        (500, "{}"),
        (200, "{\"id_token\": null}"),
        (200, "{\"access_token\": \"x\"}"),
    ] {
        let begun = setting.begin("/").await;
        *corp.next.lock().unwrap() = Next::Raw(status, body.to_owned());
        note(&mut tried, &format!("the issuer answers {status} {body}"), &setting.back(&begun).await);
    }
    // On to a page of somebody else's.
    for place in [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "///evil.example",
        "javascript:alert(1)",
        "http:/evil.example",
        "/\t/evil.example",
        "/%0a/../\n//evil.example",
        "/..//evil.example",
        "",
        "plans",
    ] {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("return_to", place).finish();
        let answer = setting.world.get(&format!("/api/auth/oidc/corp/start?{query}")).await;
        tried.push((format!("return_to {place:?}"), answer.status != 400));
    }
    assert!(session_of(&setting.honest().await).is_some(), "the honest login still works");
    assert!(tried.len() >= 50, "{} attacks", tried.len());
    let accepted: Vec<&String> = tried.iter().filter(|(_, accepted)| *accepted).map(|(what, _)| what).collect();
    assert_eq!(accepted, [""; 0], "of {}", tried.len());
}
