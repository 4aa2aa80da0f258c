//! What is done with any bytes, whoever made them: the fuzz targets and the tests beside them enter here, and nowhere else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainspring_model::plan::signature::{Service, Signature};
use mainspring_vault::webhook::{Delivery, message_id, verify};
use mainspring_vault::{AccessToken, Place, Sealed, SigningKeys, Token, Vault, sign_for_tests};
use uuid::Uuid;

use super::support::{Seeded, org, ring, user, vault};

/// A vault with one organization's key, and a value that it sealed.
pub struct Box {
    vault: Vault,
    pub sealed: Vec<u8>,
}

impl Box {
    pub fn new() -> Box {
        let vault = vault(&[1]);
        vault.load_data_key(org(1), &vault.new_data_key(org(1)).expect("a key is made")).expect("its own key loads");
        let sealed = vault.seal(&place(), b"a secret of somebody's").expect("it seals").to_bytes();
        Box { vault, sealed }
    }

    /// Bytes as a sealed value: only the one that was sealed opens.
    pub fn ciphertext(&self, bytes: &[u8]) {
        let opened = Sealed::from_bytes(bytes).and_then(|sealed| self.vault.open_bytes(&place(), &sealed));
        assert_eq!(opened.is_ok(), bytes == self.sealed, "{bytes:02x?}");
    }
}

fn place() -> Place<'static> {
    Place { table: "credentials", org: org(1), owner: Some(user(1)), row: b"row-1", field: "data" }
}

/// A good API key, the same each time.
pub fn good_token() -> String {
    Token::generate(Token::API_KEY, &Seeded::new(3)).expect("entropy").expose().to_owned()
}

/// A text as an API key: what reads is a key that reads again, and says nothing of itself when it is printed.
pub fn token(text: &str) -> bool {
    let Ok(token) = Token::parse(Token::API_KEY, text) else { return false };
    assert_eq!(token.expose(), text.trim());
    assert!(!token.hint().contains(token.expose()) && token.expose().is_ascii());
    true
}

/// Unix seconds.
const NOW: i64 = 1_800_000_000;

/// What signs, and a good access token, the same each time.
pub struct Login {
    keys: SigningKeys,
    pub good: String,
}

impl Login {
    pub fn new() -> Login {
        let keys = SigningKeys::of_ring(&ring(&[1]));
        let token = AccessToken { user: user(1), session: Uuid::from_u128(7), issued_at: NOW - 10, expires_at: NOW + 1_790 };
        Login { good: token.sign(&keys), keys }
    }

    /// A text as an access token that somebody sent: only the good one is one.
    pub fn sent(&self, text: &str) {
        assert_eq!(AccessToken::read(&self.keys, text, NOW).is_ok(), text == self.good, "{text}");
    }

    /// A text as claims that a key of ours signed: what is taken holds now, and says all that ours say.
    pub fn signed(&self, claims: &str) -> bool {
        let header = self.good.split('.').next().unwrap_or_default();
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
        let text = format!("{signed}.{}", sign_for_tests(&self.keys, &signed));
        let Ok(token) = AccessToken::read(&self.keys, &text, NOW) else { return false };
        assert!(token.issued_at <= NOW + 60 && token.expires_at > NOW, "{claims}");
        for part in ["iss", "aud", "sub", "sid", "iat", "exp"] {
            // Written as it is, or with escapes.
            assert!(claims.contains(part) || claims.contains('\\'), "{claims}");
        }
        true
    }

    /// The good token's claims.
    pub fn claims(&self) -> String {
        let part = self.good.split('.').nth(1).unwrap_or_default();
        String::from_utf8(URL_SAFE_NO_PAD.decode(part).expect("ours decode")).expect("JSON is text")
    }
}

/// Services with a secret of each, the same each time; `deliveries` has what they sign. The last field: its body is signed as it is.
const SERVICES: [(Service, &str, bool); 8] = [
    (Service::Stripe, "whsec_test_secret", true),
    (Service::Shopify, "hush", true),
    (Service::Typeform, "form-secret", true),
    (Service::Linear, "lin_wh_x", true),
    (Service::Zendesk, "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==", true),
    (Service::Discord, "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8", true),
    (Service::StandardWebhooks, "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=", true),
    // The fields of a form are signed in their order, however they come.
    (Service::Twilio, "12345", false),
];

/// A text as a webhook's delivery: only the bodies that were signed are taken.
pub fn webhook(text: &str) -> bool {
    let Some((service, rest)) = text.split_once('\n') else { return false };
    let Some((service, secret, whole)) = service.parse().ok().and_then(|at: usize| SERVICES.get(at)) else { return false };
    let (head, body) = rest.split_once("\n\n").unwrap_or((rest, ""));
    let headers: Vec<(&str, &[u8])> =
        head.split('\n').filter_map(|line| line.split_once(": ")).map(|(name, value)| (name, value.as_bytes())).collect();
    let urls = ["https://mycompany.com/myapp.php?foo=1&bar=2".to_owned()];
    let delivery = Delivery { headers: &headers, urls: &urls, body: body.as_bytes(), now: NOW_OF_DELIVERIES };
    let signature = Signature::Service(*service);
    message_id(&signature, &delivery, &serde_json::from_str(body).unwrap_or_default());
    let taken = verify(&signature, &[secret], &delivery).is_ok();
    let signed = [
        "{\"id\":\"evt_1\",\"object\":\"event\"}",
        "{\"event_id\":\"01H\",\"event_type\":\"form_response\"}",
        "{\"action\":\"create\",\"webhookTimestamp\":1700000000123}",
        "{\"type\":\"x\"}",
        "{\"type\":1,\"id\":\"77\"}",
        "{\"a\":1}",
    ];
    assert!(!taken || !whole || signed.contains(&body), "{text}");
    taken
}

/// Unix milliseconds.
const NOW_OF_DELIVERIES: i64 = 1_700_000_000_000;
