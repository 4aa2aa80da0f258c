//! The fields of a message: who wrote to whom, what, and with which attachments, whatever its charset and its parts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Address, Encoding, HeaderValue, Message, MessageParser, MessagePart, MimeHeaders, PartType};
use mainspring_model::mailbox;
use serde_json::{Map, Value, json};

use crate::transform::text_of_html;

/// Bytes of the text and of the page that a run sees. Taken in is a letter more, to know that there was one.
const MOST_TEXT: usize = 1 << 20;
const MOST_HTML: usize = 2 << 20;
/// Of an HTML part so much is made text of, where there is no text.
const MOST_PARSED: usize = 4 << 20;
const MOST_ATTACHMENTS: usize = 100;
const MOST_ADDRESSES: usize = 1_000;
const MOST_REFERENCES: usize = 200;
/// Fields of the header, and characters of one.
const MOST_HEADERS: usize = 200;
const MOST_HEADER: usize = 4_000;
/// Characters of a subject, a file's name, an id.
const MOST_LINE: usize = 2_000;
/// Characters of an address, and of the name with it: 64 and 255 with an @ between them are the most that mail knows (RFC 3696).
const MOST_ADDRESS: usize = 320;

/// The fields of a message; unless it is `whole`, those of its header alone.
pub(super) fn fields(bytes: &[u8], whole: bool) -> Value {
    let mut fields = Value::Object(mailbox::Message::empty().fields);
    let parser =
        MessageParser::new().with_mime_headers().with_date_headers().with_address_headers().with_message_ids().default_header_text();
    let Some(message) = (if whole { parser.parse(bytes) } else { parser.parse_headers(bytes) }) else { return fields };
    fields["message_id"] = json!(message.message_id().map(line));
    fields["subject"] = json!(message.subject().map(line).unwrap_or_default());
    let from = addresses(message.from());
    fields["from"] = from.first().cloned().unwrap_or_default();
    for (name, found) in [("to", message.to()), ("cc", message.cc()), ("bcc", message.bcc()), ("reply_to", message.reply_to())] {
        fields[name] = Value::Array(addresses(found));
    }
    let date = message.date().filter(|date| date.is_valid()).and_then(|date| Timestamp::from_second(date.to_timestamp()).ok());
    fields["date"] = json!(date.map(|date| date.to_string()));
    fields["in_reply_to"] = ids(message.in_reply_to()).into_iter().next().map_or(Value::Null, Value::String);
    fields["references"] = json!(ids(message.references()));
    fields["headers"] = Value::Object(headers(&message));
    if whole {
        let cut = body(&message, &mut fields);
        if let Some(what) = cut {
            fields["body_error"] = json!({"code": "MESSAGE_TOO_LARGE", "message": format!("the {what} of the message is longer than a run is given; this is its beginning")});
        }
        let found: Vec<&MessagePart<'_>> = message.attachments().take(MOST_ATTACHMENTS + 1).collect();
        if found.len() > MOST_ATTACHMENTS {
            let text = format!("the message has more than {MOST_ATTACHMENTS} attachments; these are the first");
            fields["attachments_error"] = json!({"code": "LIMIT_EXCEEDED", "message": text});
        }
        let kept = found.iter().take(MOST_ATTACHMENTS).enumerate().map(|(place, part)| attachment(&message, part, place));
        fields["attachments"] = kept.collect();
    }
    fields
}

/// The text and the page; which of them is cut.
fn body(message: &Message<'_>, fields: &mut Value) -> Option<&'static str> {
    let (mut text, mut made_of_html) = (String::new(), String::new());
    for part in message.text_bodies() {
        match &part.body {
            PartType::Text(found) => add(&mut text, found, MOST_TEXT + 4),
            PartType::Html(found) => add(&mut made_of_html, found, MOST_PARSED),
            _ => {}
        }
    }
    if text.trim().is_empty() && !made_of_html.is_empty() {
        text = text_of_html(&made_of_html);
    }
    let mut html = String::new();
    for part in message.html_bodies() {
        if let PartType::Html(found) = &part.body {
            add(&mut html, found, MOST_HTML + 4);
        }
    }
    let cut = match (text.len() > MOST_TEXT, html.len() > MOST_HTML) {
        (true, _) => Some("text"),
        (_, true) => Some("HTML"),
        _ => None,
    };
    fields["text"] = json!(plain(upto(&text, MOST_TEXT).trim_end()).replace("\r\n", "\n"));
    if !html.is_empty() {
        fields["html"] = json!(plain(upto(&html, MOST_HTML)));
    }
    cut
}

fn add(text: &mut String, more: &str, most: usize) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(upto(more, most.saturating_sub(text.len())));
}

/// The bytes of an attachment are those that were sent: text keeps its charset.
fn attachment(message: &Message<'_>, part: &MessagePart<'_>, place: usize) -> Value {
    let raw = || message.raw_message.get(part.offset_body as usize..part.offset_end as usize).unwrap_or_default();
    let bytes = match &part.body {
        PartType::Text(_) | PartType::Html(_) => match part.encoding {
            Encoding::Base64 => base64_decode(raw()),
            Encoding::QuotedPrintable => quoted_printable_decode(raw()),
            Encoding::None => Some(raw().to_vec()),
        },
        _ => None,
    };
    let bytes = bytes.unwrap_or_else(|| part.contents().to_vec());
    let kind = part.content_type().map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("octet-stream")));
    let name = match (part.attachment_name(), part.message()) {
        (Some(name), _) => line(name),
        (None, Some(inner)) => {
            format!("{}.eml", inner.subject().map(line).filter(|subject| !subject.is_empty()).unwrap_or_else(|| "message".to_owned()))
        }
        (None, None) => format!("attachment-{}{}", place + 1, ending(kind.as_deref())),
    };
    json!({"name": name, "media_type": kind, "base64": STANDARD.encode(bytes)})
}

/// For what came without a name.
fn ending(kind: Option<&str>) -> &'static str {
    match kind.unwrap_or_default() {
        "application/pdf" => ".pdf",
        "image/gif" => ".gif",
        "image/jpeg" => ".jpg",
        "image/png" => ".png",
        "text/calendar" => ".ics",
        "text/csv" => ".csv",
        "text/html" => ".html",
        "text/plain" => ".txt",
        "message/delivery-status" => ".txt",
        _ => "",
    }
}

fn addresses(found: Option<&Address<'_>>) -> Vec<Value> {
    let Some(found) = found else { return Vec::new() };
    let one = |address: &mail_parser::Addr<'_>| {
        let text = |text: Option<&str>| text.map(|text| short(text, MOST_ADDRESS)).filter(|text| !text.is_empty());
        match (text(address.name()), text(address.address())) {
            (None, None) => None,
            (name, address) => Some(json!({"name": name, "address": address})),
        }
    };
    found.iter().filter_map(one).take(MOST_ADDRESSES).collect()
}

fn ids(value: &HeaderValue<'_>) -> Vec<String> {
    match value {
        HeaderValue::Text(id) => vec![line(id)],
        HeaderValue::TextList(ids) => ids.iter().take(MOST_REFERENCES).map(|id| line(id)).collect(),
        _ => Vec::new(),
    }
}

/// By name in lower case; what comes several times stands in as many lines.
fn headers(message: &Message<'_>) -> Map<String, Value> {
    let mut found: Map<String, Value> = Map::new();
    for header in message.headers().iter().take(MOST_HEADERS) {
        let value = match &header.value {
            HeaderValue::Text(text) => text.to_string(),
            _ => {
                let raw = message.raw_message.get(header.offset_start as usize..header.offset_end as usize).unwrap_or_default();
                String::from_utf8_lossy(raw).into_owned()
            }
        };
        let value: String = value.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MOST_HEADER).collect();
        let name = line(header.name()).to_ascii_lowercase();
        match found.get_mut(&name) {
            Some(Value::String(before)) => {
                before.push('\n');
                before.push_str(&plain(&value));
            }
            _ => {
                found.insert(name, json!(plain(&value)));
            }
        }
    }
    found
}

/// One line of a header, without what no store keeps.
fn line(text: &str) -> String {
    short(text, MOST_LINE)
}

fn short(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect::<String>().trim().to_owned()
}

/// PostgreSQL keeps no zero character.
fn plain(text: &str) -> String {
    text.replace('\0', "")
}

fn upto(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
