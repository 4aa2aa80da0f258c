//! What a password and an e-mail address must be like.

/// Characters of a password, at least.
pub const SHORTEST: usize = 10;
/// Bytes, at most: nobody types more, and hashing more is only a burden.
pub const LONGEST: usize = 1_024;

/// What common passwords are made of, in lower case and without digits and signs at their ends. What is a row of these words,
/// whatever digits stand between and around them, is among the first that are tried.
const COMMON: &[&str] = &[
    "abc",
    "abcd",
    "abcde",
    "abcdef",
    "access",
    "admin",
    "administrator",
    "adobe",
    "angel",
    "apple",
    "asdf",
    "asdfgh",
    "asdfghjkl",
    "azerty",
    "baby",
    "ball",
    "bailey",
    "base",
    "basket",
    "batman",
    "buster",
    "change",
    "charlie",
    "cheese",
    "chelsea",
    "computer",
    "cookie",
    "daniel",
    "default",
    "dragon",
    "family",
    "flower",
    "foot",
    "forever",
    "freedom",
    "friday",
    "fuck",
    "george",
    "google",
    "guest",
    "harley",
    "hello",
    "hockey",
    "hunter",
    "i",
    "iloveyou",
    "internet",
    "jennifer",
    "jesus",
    "jordan",
    "killer",
    "letmein",
    "liverpool",
    "login",
    "lord",
    "love",
    "lovely",
    "mainspring",
    "manager",
    "master",
    "me",
    "michael",
    "michelle",
    "monday",
    "money",
    "monkey",
    "mustang",
    "my",
    "mypass",
    "naruto",
    "ninja",
    "now",
    "pass",
    "passport",
    "passwd",
    "password",
    "please",
    "pokemon",
    "princess",
    "pussy",
    "pwd",
    "qaz",
    "qazwsx",
    "qazwsxedc",
    "qwe",
    "qweasd",
    "qweasdzxc",
    "qwer",
    "qwert",
    "qwerty",
    "qwertyuiop",
    "qwertz",
    "root",
    "samsung",
    "secret",
    "security",
    "server",
    "shadow",
    "soccer",
    "spring",
    "star",
    "starwars",
    "summer",
    "sunday",
    "sunshine",
    "superman",
    "superuser",
    "system",
    "temp",
    "test",
    "tester",
    "the",
    "this",
    "thomas",
    "trustno",
    "unknown",
    "user",
    "very",
    "wars",
    "welcome",
    "whatever",
    "winter",
    "word",
    "wsx",
    "you",
    "zaq",
    "zxc",
    "zxcv",
    "zxcvbn",
    "zxcvbnm",
];

/// Why a password is not taken; `None` when it is. `email` is the user's own.
pub fn weakness(password: &str, email: &str) -> Option<&'static str> {
    if password.chars().count() < SHORTEST {
        return Some("it is shorter than 10 characters");
    }
    if password.len() > LONGEST {
        return Some("it is longer than 1,024 bytes");
    }
    let lower = password.to_lowercase();
    let email = email.trim().to_lowercase();
    let local = email.split('@').next().unwrap_or_default();
    if lower.contains(&email) && !email.is_empty() || local.chars().count() >= 4 && lower.contains(local) {
        return Some("it has the e-mail address in it");
    }
    let mut kinds: Vec<char> = lower.chars().collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() < 5 {
        return Some("it has hardly any different characters");
    }
    let codes: Vec<i64> = lower.chars().map(|c| i64::from(u32::from(c))).collect();
    let steps = |step: i64| codes.windows(2).filter(|pair| pair[1] - pair[0] == step).count();
    if (steps(1).max(steps(-1)) + 1) * 3 > codes.len() * 2 {
        return Some("it counts");
    }
    if lower.chars().all(|c| !c.is_alphabetic()) && lower.chars().count() < 16 {
        return Some("it has digits and signs only");
    }
    if is_common(&lower) {
        return Some("it is among the first that are tried");
    }
    None
}

/// Whether nothing is left but common words, with letters written as digits and signs taken back, and digits and signs between.
fn is_common(lower: &str) -> bool {
    let letters: String = lower
        .trim_matches(|c: char| !c.is_alphabetic())
        .chars()
        .filter_map(|c| match c {
            '0' => Some('o'),
            '1' | '!' => Some('i'),
            '3' => Some('e'),
            '4' | '@' => Some('a'),
            '5' | '$' => Some('s'),
            '7' => Some('t'),
            c if c.is_alphabetic() => Some(c),
            _ => None,
        })
        .collect();
    let plain: String = lower.chars().filter(|c| c.is_alphabetic()).collect();
    [letters, plain].iter().any(|text| is_row_of_words(text))
}

fn is_row_of_words(text: &str) -> bool {
    if text.len() > 64 {
        return false;
    }
    // Which lengths of the beginning are a row of words.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for at in 0..text.len() {
        if reached[at] {
            for word in COMMON.iter().filter(|word| text[at..].starts_with(**word)) {
                reached[at + word.len()] = true;
            }
        }
    }
    reached[text.len()]
}

/// Whether a text has the form of an e-mail address. Whether it is one, only a mail to it can tell.
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>()[],;:\\\"@".contains(c);
    text.len() <= 254
        && !local.is_empty()
        && local.len() <= 64
        && local.chars().all(plain)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && domain.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_first_is_refused() {
        let weak = [
            "short",
            "ninechars",
            "password123",
            "P@ssw0rd!!",
            "passwordpassword",
            "qwertyuiop1",
            "1234567890",
            "12345678901",
            "abcdefghijk",
            "aaaaaaaaaaaa",
            "abababababab",
            "iloveyou2024",
            "Welcome2024!",
            "letmein12345",
            "mainspring1",
            "admin_admin_1",
            "ada@example.org",
            "xx-lovelace-99",
            "2024-01-31-99",
            "zxcvbnm12345",
            "summer2024!!",
            "987654321098",
        ];
        for password in weak {
            let email = if password.contains("love") { "lovelace@example.org" } else { "ada@example.org" };
            assert!(weakness(password, email).is_some(), "{password}");
        }
        assert!(weakness(&"x1y2z3w4v5".repeat(103), "ada@example.org").is_some(), "too long");
    }

    #[test]
    fn what_people_and_programs_make_up_is_taken() {
        for password in
            ["correct horse battery", "tr0ub4dor&three", "Kk9#mQ2$xv", "zwölf Boxkämpfer", "8f3a1c9e27", "パスワードは秘密です十文字"]
        {
            assert_eq!(weakness(password, "ada@example.org"), None, "{password}");
        }
    }

    #[test]
    fn addresses_have_a_form() {
        for good in ["ada@example.org", "ada+tag@mail.example.org", "ada@localhost", "ädä@exämple.org", "o'neil@example.org"] {
            assert!(is_email(good), "{good}");
        }
        let long = format!("{}@example.org", "a".repeat(65));
        for bad in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "ada@@example.org",
            "a b@example.org",
            "ada@example..org",
            "ada@-x.org",
            "<ada@example.org>",
            "ada\n@example.org",
            "a,b@example.org",
            &long,
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
