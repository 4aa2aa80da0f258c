//! What a server says of messages, read out of its responses.

use std::collections::BTreeMap;

use jiff::fmt::strtime;
use mainspring_model::Fault;
use mainspring_model::clock::Millis;
use mainspring_model::mailbox::Listed;

use super::item::{Item, items};
use super::wire::{Part, broken};

/// What is asked of each message of a list.
pub(super) const LIST: &str = "(UID FLAGS RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])";

/// Characters of a `Message-ID` that count.
const MOST_ID: usize = 1_000;

/// The numbers of a search.
pub(super) fn uids(responses: &[Vec<Part>]) -> Vec<u32> {
    let mut found: Vec<u32> = Vec::new();
    for parts in responses {
        let Some(Part::Text(line)) = parts.first() else { continue };
        let words = line.split(|byte| *byte == b' ').filter_map(|word| std::str::from_utf8(word).ok()?.parse::<u32>().ok());
        found.extend(words.filter(|uid| *uid > 0));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The messages of a list, in the order of their UIDs; responses that say something else are passed over.
pub(super) fn listed(responses: Vec<Vec<Part>>) -> Result<Vec<Listed>, Fault> {
    let mut found: BTreeMap<u32, Listed> = BTreeMap::new();
    for parts in responses {
        let fields = fields(parts)?;
        let get = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, item)| item);
        let Some(uid) = get("UID").and_then(Item::number::<u32>).filter(|uid| *uid > 0) else { continue };
        // Without its size it is a change of flags that somebody else made.
        let Some(size) = get("RFC822.SIZE").and_then(Item::number::<u64>) else { continue };
        let flags = match get("FLAGS") {
            Some(Item::List(flags)) => flags.as_slice(),
            _ => &[],
        };
        let header = fields.iter().find(|(key, _)| key.starts_with("BODY[HEADER")).and_then(|(_, item)| item.text());
        let one = Listed {
            uid,
            size,
            received_at: get("INTERNALDATE").and_then(Item::text).and_then(|(text, _)| moment(text)),
            seen: flags.iter().any(|flag| flag.word().is_some_and(|flag| flag.eq_ignore_ascii_case("\\seen"))),
            message_id: header.map(|(header, _)| message_id(header)).unwrap_or_default(),
        };
        found.insert(uid, one);
    }
    Ok(found.into_values().collect())
}

/// The part of a message that was asked for, and how much of it was sent; `None` when there is none.
///
/// # Errors
/// `BAD_RESPONSE` for a message without it: whoever took that for one that is gone would pass it over.
pub(super) fn body(responses: Vec<Vec<Part>>, uid: u32) -> Result<Option<(Vec<u8>, u64)>, Fault> {
    for parts in responses {
        let fields = fields(parts)?;
        let is_it = fields.iter().any(|(key, item)| key == "UID" && item.number() == Some(uid));
        if !is_it {
            continue;
        }
        if let Some((_, item)) = fields.into_iter().find(|(key, _)| key.starts_with("BODY[")) {
            return item.into_text().map(Some).ok_or_else(|| broken("it gives a message without its content"));
        }
    }
    Ok(None)
}

/// `* 12 FETCH (NAME value …)`: names in upper case.
fn fields(parts: Vec<Part>) -> Result<Vec<(String, Item)>, Fault> {
    let Some(Item::List(list)) = items(parts)?.into_iter().nth(3) else { return Ok(Vec::new()) };
    let mut list = list.into_iter();
    let mut fields = Vec::new();
    while let (Some(name), Some(value)) = (list.next(), list.next()) {
        if let Item::Word(name) = name {
            fields.push((name.to_ascii_uppercase(), value));
        }
    }
    Ok(fields)
}

/// `17-Jul-1996 02:44:25 -0700`.
fn moment(text: &[u8]) -> Option<Millis> {
    let text = std::str::from_utf8(text).ok()?;
    let moment = strtime::parse("%d-%b-%Y %H:%M:%S %z", text.trim()).ok()?.to_timestamp().ok()?;
    Some(moment.as_millisecond())
}

/// Of a header that has this one field or none, whatever its lines.
fn message_id(header: &[u8]) -> String {
    let text = String::from_utf8_lossy(header);
    let value = text.split_once(':').map_or("", |(_, value)| value);
    value.split_whitespace().collect::<String>().chars().take(MOST_ID).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Part {
        Part::Text(text.as_bytes().to_vec())
    }

    #[test]
    fn a_list_of_messages() {
        let header = Part::Literal { bytes: b"Message-ID:\r\n <a@b>\r\n\r\n".to_vec(), size: 22 };
        let responses = vec![
            vec![text(r#"* 2 FETCH (UID 9 RFC822.SIZE 70 INTERNALDATE " 7-Jul-1996 02:44:25 -0700" FLAGS (\Recent))"#)],
            vec![text("* 2 FETCH (FLAGS (\\Seen))")],
            vec![text("* 2 FETCH (UID 9 FLAGS (\\Seen))")],
            vec![text("* 3 FETCH NIL")],
            vec![text(r"* 1 FETCH (FLAGS (\Seen) UID 4 RFC822.SIZE 5000000000 BODY[HEADER.FIELDS (MESSAGE-ID)] "), header, text(")")],
        ];
        let one = Listed { uid: 4, size: 5_000_000_000, received_at: None, seen: true, message_id: "<a@b>".to_owned() };
        let two = Listed { uid: 9, size: 70, received_at: Some(836_732_665_000), seen: false, message_id: String::new() };
        assert_eq!(listed(responses).unwrap(), [one, two]);
        assert_eq!(uids(&[vec![text("* SEARCH 9 4 9 0 x 5")], vec![text("* SEARCH")]]), [4, 5, 9]);
    }

    #[test]
    fn the_body_of_the_message_that_was_asked_for() {
        let body_of = |uid: &str, bytes: &str, size| {
            let literal = Part::Literal { bytes: bytes.as_bytes().to_vec(), size };
            vec![text(&format!("* 1 FETCH (UID {uid} BODY[] ")), literal, text(")")]
        };
        let flags = vec![text("* 1 FETCH (UID 9 FLAGS (\\Seen))")];
        let responses = vec![body_of("8", "no", 2), flags.clone(), body_of("9", "yes", 30)];
        assert_eq!(body(responses.clone(), 9).unwrap(), Some((b"yes".to_vec(), 30)));
        assert_eq!(body(responses, 7).unwrap(), None);
        assert_eq!(body(vec![flags], 9).unwrap(), None, "only its flags changed");
        let fault = body(vec![vec![text("* 1 FETCH (UID 9 BODY[] NIL)")]], 9).unwrap_err();
        assert!(fault.message.contains("without its content"), "{fault}");
        assert_eq!(body(vec![vec![text("* 1 FETCH (BODY[] \"\" UID 9)")]], 9).unwrap(), Some((Vec::new(), 0)));
    }
}
