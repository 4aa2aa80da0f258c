//! Tokens: form, checksum, hash.

use std::collections::HashSet;

use mainspring_vault::{OsEntropy, Token, TokenHash};
use proptest::prelude::*;

use crate::support::Seeded;

#[test]
fn a_token_has_prefix_body_and_checksum() {
    let token = Token::generate(Token::API_KEY, &Seeded::new(5)).unwrap();
    assert_eq!(token.expose().len(), 4 + 43 + 6);
    assert!(token.expose().starts_with("msk_"));
    assert_eq!(format!("{token:?}"), "Token(Secret(…))");
    assert_eq!(token.hint(), format!("{}…", &token.expose()[..8]));
    let parsed = Token::parse(Token::API_KEY, &format!(" {}\n", token.expose())).unwrap();
    assert_eq!(parsed.hash(), token.hash());
    assert_eq!(TokenHash::from_bytes(&token.hash().0).unwrap(), token.hash());
    assert!(TokenHash::from_bytes(&[1, 2]).is_err());
    let other = Token::generate(Token::API_KEY, &Seeded::new(6)).unwrap();
    assert_ne!(other.hash(), token.hash());
    assert_eq!(token.hash().to_string().len(), 64);
}

#[test]
fn tokens_do_not_repeat() {
    let mut seen = HashSet::new();
    assert!((0..1_000).all(|_| seen.insert(Token::generate("mst_", &OsEntropy).unwrap().expose().to_owned())));
}

#[test]
fn every_single_character_change_is_seen_before_any_lookup() {
    let token = Token::generate(Token::API_KEY, &Seeded::new(5)).unwrap();
    for at in 0..token.expose().len() {
        for new in ['a', 'Z', '0', '_', 'é'] {
            let mut text: Vec<char> = token.expose().chars().collect();
            if text[at] == new {
                continue;
            }
            text[at] = new;
            let text: String = text.into_iter().collect();
            let error = Token::parse(Token::API_KEY, &text).unwrap_err();
            assert_eq!(error.code(), "VAULT_TOKEN_MALFORMED");
            assert!(!error.to_string().contains(text.split_at(text.ceil_char_boundary(20)).1));
        }
    }
    assert!(Token::parse("mst_", token.expose()).is_err());
}

proptest! {
    #[test]
    fn no_text_makes_parse_panic(text in ".{0,80}", body in "msk_[0-9A-Za-zé]{40,52}") {
        let _ = Token::parse(Token::API_KEY, &text);
        let _ = Token::parse(Token::API_KEY, &body);
    }
}
