//! What is done with any bytes, whoever made them: the fuzz targets and the tests beside them enter here, and nowhere else.

use mainspring_vault::{Place, Sealed, Token, Vault};

use super::support::{Seeded, org, user, vault};

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
