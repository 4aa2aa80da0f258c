//! The fuzz targets' short form: mutations that are the same each time, through the same entry.

pub mod deliveries;
pub mod entry;

use super::support;
use support::Seeded;

#[test]
fn of_100_000_changed_ciphertexts_none_opens() {
    let (sealed, dice) = (entry::Box::new(), Seeded::new(0x5eed));
    sealed.ciphertext(&sealed.sealed);
    for n in 0..100_000 {
        let mut bytes = sealed.sealed.clone();
        for _ in 0..=dice.below(3) {
            let at = dice.below(bytes.len());
            match n % 5 {
                0..3 => bytes[at] ^= 1 << dice.below(8),
                3 => drop(bytes.remove(at)),
                _ => bytes.insert(at, dice.next() as u8),
            }
        }
        sealed.ciphertext(&bytes);
    }
    for length in 0..sealed.sealed.len() {
        sealed.ciphertext(&sealed.sealed[..length]);
    }
}

#[test]
fn changed_tokens_do_not_read() {
    let (good, dice) = (entry::good_token(), Seeded::new(0x5eed));
    assert!(entry::token(&good) && entry::token(&format!(" {good}\n")));
    let mut read = 0;
    for _ in 0..50_000 {
        let mut text: Vec<char> = good.chars().collect();
        let at = dice.below(text.len());
        match dice.below(4) {
            0 => text[at] = char::from(b'0' + dice.below(75) as u8),
            1 => text[at] = char::from_u32(dice.below(0x2_0000) as u32).unwrap_or('x'),
            2 => drop(text.remove(at)),
            _ => text.insert(at, '0'),
        }
        let text: String = text.into_iter().collect();
        read += usize::from(text != good && entry::token(&text));
    }
    // A checksum tells slips of the hand, and is no secret: one that fits by chance is looked up and not found.
    assert!(read <= 5, "{read} changed tokens read");
}

#[test]
fn changed_access_tokens_are_none_and_changed_claims_say_all_that_ours_say() {
    let (login, dice) = (entry::Login::new(), Seeded::new(0x5eed));
    login.sent(&login.good);
    let claims = login.claims();
    assert!(login.signed(&claims));
    let mut taken = 0;
    for _ in 0..30_000 {
        let changed = |text: &str| changed(text, &dice, || char::from(b'0' + dice.below(10) as u8));
        login.sent(&changed(&login.good));
        taken += usize::from(login.signed(&changed(&claims)));
    }
    // Another digit of an id or a moment is as good as the one before; changes that are nothing but broken would try the parser only.
    assert!(taken > 500, "{taken} claims were taken");
}

/// The text with one to three small changes; `other` is what one kind of them puts in.
fn changed(text: &str, dice: &Seeded, other: impl Fn() -> char) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for _ in 0..=dice.below(2) {
        let at = dice.below(text.len());
        match dice.below(5) {
            0 => text[at] = char::from(b' ' + dice.below(95) as u8),
            1 => text[at] = char::from_u32(dice.below(0x2_0000) as u32).unwrap_or('x'),
            2 => drop(text.remove(at)),
            3 => text.insert(at, text[dice.below(text.len())]),
            _ => text[at] = other(),
        }
    }
    text.into_iter().collect()
}

#[test]
fn of_60_000_changed_deliveries_none_is_taken_with_another_body() {
    let dice = Seeded::new(0x5eed);
    let (mut taken, mut of) = (0, 0);
    for good in deliveries::deliveries() {
        assert!(entry::webhook(&good), "{good}");
        for _ in 0..7_500 {
            let text = changed(&good, &dice, || '\n');
            taken += usize::from(text != good && entry::webhook(&text));
            of += 1;
        }
    }
    // What nobody signs may change: the older scheme beside ours, the case of a number in hex, a header that nobody reads.
    assert!(taken * 20 < of, "{taken} of {of} changed deliveries were taken");
}
