//! Provider `crypto`: signs and proves with keys of a credential: HMAC and JSON Web Tokens.

mod hmac;
mod hmac_verify;
mod jwt_keys;
mod jwt_sign;
mod jwt_verify;
mod secret;

use std::collections::BTreeMap;

use mainspring_model::action::erase;
use mainspring_model::catalog::Provider;
use mainspring_model::credential::CredentialField;

/// The provider, actions in the order that documents show them.
pub fn provider() -> Provider {
    let field = |name: &str, title: &str, secret: bool, help: &str| CredentialField {
        name: name.to_owned(),
        title: title.to_owned(),
        required: false,
        secret,
        help: Some(help.to_owned()),
    };
    Provider {
        id: "crypto".to_owned(),
        title: "Keys and signatures".to_owned(),
        category: "Data".to_owned(),
        version: 1,
        description: "Sign and check by HMAC and as JSON Web Tokens, with keys that no plan sees.".to_owned(),
        credential: vec![
            field("secret", "Secret", true, "For HMAC and for tokens by HS256, HS384 and HS512."),
            field("secret_encoding", "How the secret is written", false, "text (as it is), hex or base64; text unless written."),
            field("private_key", "Private key", true, "PEM, PKCS #8: signs tokens by RS256, ES256 and EdDSA."),
            field("public_key", "Public key", false, "PEM: proves such tokens. Not needed where there is the private key."),
        ],
        hosts: Vec::new(),
        verify: None,
        actions: vec![erase(hmac::Hmac), erase(hmac_verify::HmacVerify), erase(jwt_sign::JwtSign), erase(jwt_verify::JwtVerify)],
        aliases: BTreeMap::new(),
    }
}
