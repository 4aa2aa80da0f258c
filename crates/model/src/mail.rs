//! A mail as it stands sealed in the outbox.

use serde::{Deserialize, Serialize};

/// The longest address, in bytes (RFC 5321).
pub const LONGEST_ADDRESS: usize = 254;

/// A mail in plain text. Sealed until it is sent, so it may hold a link with a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// One address, `ada@example.com` or `Ada <ada@example.com>`.
    pub to: String,
    pub subject: String,
    pub text: String,
}

/// Whether this may be a plain address, `ada@example.com`: what has a name, a list or a line end in it is none.
pub fn is_plain_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let odd = |letter: char| letter.is_whitespace() || letter.is_control() || "<>()[],;:\\\"@".contains(letter);
    !local.is_empty() && !domain.is_empty() && text.len() <= LONGEST_ADDRESS && !local.contains(odd) && !domain.contains(odd)
}

#[cfg(test)]
mod tests {
    use super::is_plain_address;

    #[test]
    fn an_address_is_one_address_and_nothing_else() {
        assert!(is_plain_address("ada@example.com") && is_plain_address("a.b+c@mail.example.co.uk"));
        let long = format!("{}@example.com", "a".repeat(250));
        for odd in ["", "ada", "@", "ada@", "@example.com", "a@b@c", "a b@c", "a@b,c@d", "Ada <a@b>", "a@b\r\nBcc: c@d", long.as_str()] {
            assert!(!is_plain_address(odd), "{odd:?}");
        }
    }
}
