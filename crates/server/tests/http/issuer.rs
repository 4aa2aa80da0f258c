//! An OpenID Connect issuer on this machine, and a server whose users log in there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use mainspring_model::clock::{Clock, FakeClock};
use mainspring_server::identity::Terms;
use mainspring_server::identity::accounts::NewAccount;
use mainspring_server::identity::outside::Issuer;
use mainspring_server::settings::Settings;
use mainspring_vault::Secret;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::world::{Answer, World, ask};

pub const START: i64 = 1_800_000_000_000;
pub const SECRET: &str = "the client's own secret";

/// What the token endpoint answers next.
#[derive(Clone)]
pub enum Next {
    Token(String),
    Raw(u16, String),
}

/// An issuer on this machine.
pub struct Corp {
    pub server: MockServer,
    pub key: Arc<Mutex<EcdsaKeyPair>>,
    pub kid: Arc<Mutex<String>>,
    pub next: Arc<Mutex<Next>>,
    /// What the login's beginning asked for.
    pub challenge: Arc<Mutex<String>>,
}

pub fn key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random).unwrap()
}

pub fn part(value: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(value)
}

pub fn form(body: &[u8]) -> HashMap<String, String> {
    url::form_urlencoded::parse(body).into_owned().collect()
}

impl Corp {
    pub async fn start() -> Corp {
        let server = MockServer::start().await;
        let corp = Corp {
            key: Arc::new(Mutex::new(key())),
            kid: Arc::new(Mutex::new("k1".to_owned())),
            next: Arc::new(Mutex::new(Next::Raw(500, String::new()))),
            challenge: Arc::default(),
            server,
        };
        let uri = corp.server.uri();
        let found = json!({
            "issuer": uri, "authorization_endpoint": format!("{uri}/authorize?tenant=1"), "token_endpoint": format!("{uri}/token"),
            "jwks_uri": format!("{uri}/keys"),
        });
        let get = |at: &str| Mock::given(method("GET")).and(path(at.to_owned()));
        get("/.well-known/openid-configuration").respond_with(ResponseTemplate::new(200).set_body_json(found)).mount(&corp.server).await;
        let (key, kid) = (corp.key.clone(), corp.kid.clone());
        let keys = move |_: &Request| {
            let point = key.lock().unwrap().public_key().as_ref().to_vec();
            let jwk = json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": *kid.lock().unwrap(), "x": part(&point[1..33]), "y": part(&point[33..])});
            let oct = json!({"kty": "oct", "kid": "oct", "k": part(SECRET)});
            ResponseTemplate::new(200).set_body_json(json!({"keys": [jwk, oct]}))
        };
        get("/keys").respond_with(keys).mount(&corp.server).await;
        let (next, challenge) = (corp.next.clone(), corp.challenge.clone());
        let token = move |request: &Request| {
            let form = form(&request.body);
            let basic = request.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
            let verified = part(Sha256::digest(form.get("code_verifier").map_or("", String::as_str))) == *challenge.lock().unwrap();
            let exact = form.get("redirect_uri").is_some_and(|uri| uri == "http://localhost:5000/api/auth/oidc/corp/callback");
            let ours = basic == format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("client:the+client%27s+own+secret"));
            if !(verified && exact && ours && form.get("code").is_some_and(|code| code == "good")) {
                return ResponseTemplate::new(400).set_body_json(json!({"error": "invalid_grant"}));
            }
            match next.lock().unwrap().clone() {
                Next::Token(token) => {
                    ResponseTemplate::new(200).set_body_json(json!({"access_token": "x", "token_type": "Bearer", "id_token": token}))
                }
                Next::Raw(status, body) => {
                    ResponseTemplate::new(status).set_body_string(body).insert_header("location", "http://127.0.0.1:1/")
                }
            }
        };
        Mock::given(method("POST")).and(path("/token")).respond_with(token).mount(&corp.server).await;
        corp
    }

    pub fn header(&self) -> Value {
        json!({"alg": "ES256", "kid": *self.kid.lock().unwrap(), "typ": "JWT"})
    }

    pub fn claims(&self, nonce: &str, now: i64) -> Value {
        json!({
            "iss": self.server.uri(), "aud": "client", "sub": "u-1", "iat": now, "exp": now + 300, "nonce": nonce,
            "email": "carol@example.org", "email_verified": true, "name": "Carol", "unknown": {"more": [1]},
        })
    }

    pub fn signed(&self, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", part(header.to_string()), part(claims.to_string()));
        let signature = self.key.lock().unwrap().sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", part(signature.as_ref()))
    }
}

pub struct Setting {
    pub world: World,
    pub clock: FakeClock,
    pub corp: Corp,
}

/// A login that was begun.
#[derive(Clone)]
pub struct Begun {
    pub state: String,
    pub nonce: String,
    pub cookie: String,
}

impl Setting {
    pub async fn new(link_by_email: bool, registration: bool) -> Setting {
        let corp = Corp::start().await;
        let issuer = |name: &str, uri: String| Issuer {
            name: name.to_owned(),
            issuer: uri,
            client_id: "client".to_owned(),
            client_secret: Some(Secret::new(SECRET)),
            scopes: vec!["openid".to_owned(), "email".to_owned()],
        };
        let identity =
            Terms { registration, link_by_email, private_issuers: true, public_url: Some("http://localhost:5000".parse().unwrap()) };
        let issuers = vec![issuer("corp", corp.server.uri()), issuer("other", corp.server.uri())];
        let clock = FakeClock::at(START);
        let world = World::at(Settings { identity, issuers, ..World::settings() }, clock.clone()).await;
        let new =
            NewAccount { email: "owner@example.org".to_owned(), name: String::new(), password_hash: None, operator: true, verified: true };
        world.app.make_first_owner(new).await.unwrap();
        Setting { world, clock, corp }
    }

    pub fn now(&self) -> i64 {
        self.clock.now() / 1_000
    }

    pub async fn begin(&self, return_to: &str) -> Begun {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("return_to", return_to).finish();
        let answer = self.world.get(&format!("/api/auth/oidc/corp/start?{query}")).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let location = url::Url::parse(answer.headers["location"].to_str().unwrap()).unwrap();
        let asked: HashMap<String, String> = location.query_pairs().into_owned().collect();
        assert_eq!((location.path(), asked["tenant"].as_str(), asked["code_challenge_method"].as_str()), ("/authorize", "1", "S256"));
        assert_eq!(asked["redirect_uri"], "http://localhost:5000/api/auth/oidc/corp/callback");
        *self.corp.challenge.lock().unwrap() = asked["code_challenge"].clone();
        let line = answer.headers["set-cookie"].to_str().unwrap();
        assert!(line.contains("HttpOnly") && line.contains("SameSite=Lax"), "{line}");
        Begun { state: asked["state"].clone(), nonce: asked["nonce"].clone(), cookie: line.split(';').next().unwrap().to_owned() }
    }

    pub async fn back_to(&self, name: &str, query: &[(&str, &str)], cookie: Option<&str>) -> Answer {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let mut request = ask(Method::GET, &format!("/api/auth/oidc/{name}/callback?{query}"));
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        self.world.send(request.body(Body::empty()).unwrap()).await
    }

    pub async fn back(&self, begun: &Begun) -> Answer {
        self.back_to("corp", &[("code", "good"), ("state", &begun.state)], Some(&begun.cookie)).await
    }

    /// An honest login from its beginning to its end.
    pub async fn honest(&self) -> Answer {
        let begun = self.begin("/plans?x=1").await;
        let token = self.corp.signed(&self.corp.header(), &self.corp.claims(&begun.nonce, self.now()));
        *self.corp.next.lock().unwrap() = Next::Token(token);
        self.back(&begun).await
    }
}

pub fn session_of(answer: &Answer) -> Option<String> {
    let lines = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    lines.filter_map(|line| line.split(';').next()).find(|pair| pair.starts_with("mainspring_session=mss_")).map(str::to_owned)
}
