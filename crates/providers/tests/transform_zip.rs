//! Provider `transform`: ZIP archives, also those that hold a thousand times what they weigh, or climb out of their folder.

use std::io::{Cursor, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::logic_fake::*;

fn archive(entries: &[(&str, &[u8])]) -> String {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    STANDARD.encode(writer.finish().unwrap().into_inner())
}

#[test]
fn archives_are_packed_and_unpacked() {
    let entries = json!([
        {"name": "a.txt", "text": "Grüße"},
        {"name": "folder/b.bin", "base64": "/wA="},
        {"name": "empty", "text": ""},
    ]);
    let packed = value("transform.zip_pack", json!({"entries": entries}));
    assert_eq!(packed["media_type"], "application/zip");
    assert_eq!(packed, value("transform.zip_pack", json!({"entries": entries})), "the same each time");
    let unpack = |more: Value| {
        let mut params = json!({"archive": packed});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        value("transform.zip_unpack", params)
    };
    assert_eq!(
        unpack(json!({})),
        json!([
            {"name": "a.txt", "size": 7, "text": "Grüße"},
            {"name": "folder/b.bin", "size": 2, "base64": "/wA="},
            {"name": "empty", "size": 0, "text": ""},
        ])
    );
    assert_eq!(unpack(json!({"ending": ".txt", "content": false})), json!([{"name": "a.txt", "size": 7}]));
    assert_eq!(value("transform.zip_unpack", json!({"archive": packed["base64"]})), unpack(json!({})));
    for (entry, message) in [
        (json!({"name": "b"}), "\"b\" needs \"text\" or \"base64\", and not both"),
        (json!({"name": "b", "text": "", "base64": ""}), "\"b\" needs \"text\" or \"base64\", and not both"),
        (json!({"name": "b", "base64": "!"}), "its base64 cannot be read: Invalid symbol 33, offset 0."),
        (json!({"name": "a", "text": ""}), "there are two entries with the name \"a\""),
        (json!({"name": "../b", "text": ""}), "\"../b\" is no name for an entry: folders by /, without .. and : and \\"),
        (json!({"name": "/etc/b", "text": ""}), "\"/etc/b\" is no name for an entry: folders by /, without .. and : and \\"),
        (json!({"name": "c:b", "text": ""}), "\"c:b\" is no name for an entry: folders by /, without .. and : and \\"),
    ] {
        let got = error("transform.zip_pack", json!({"entries": [{"name": "a", "text": ""}, entry]}));
        assert_eq!(got, format!("INVALID_INPUT: item 1: {message}"));
    }
}

#[test]
fn archives_that_do_harm_are_refused() {
    let unpack = |archive: &str| error("transform.zip_unpack", json!({"archive": archive}));
    for name in ["../../etc/passwd", "a/../../b", "/etc/passwd", "..\\b", "C:\\b", "a\u{0}b", "a//b", "./a"] {
        let message = unpack(&archive(&[("fine", b"x"), (name, b"x")]));
        assert!(message.starts_with("INVALID_INPUT: item 1: ") && message.contains("is no name for an entry"), "{name}: {message}");
    }
    // 32 MiB of nothing in 32 KiB, and a thousand of them in one.
    let nothing = vec![0; 32 << 20];
    let bomb = archive(&[("a", &nothing)]);
    assert!(bomb.len() < 50_000);
    assert_eq!(unpack(&bomb), "LIMIT_EXCEEDED: item 0: the output is larger than 16 MiB; keep fewer items or fewer fields");
    let parts = archive(
        &(0..12)
            .map(|_| ("x", &nothing[..2 << 20]))
            .enumerate()
            .map(|(n, (_, bytes))| (["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"][n], bytes))
            .collect::<Vec<_>>(),
    );
    assert_eq!(unpack(&parts), "LIMIT_EXCEEDED: item 8: the output is larger than 16 MiB; keep fewer items or fewer fields");
    let names: Vec<String> = (0..10_001).map(|number| number.to_string()).collect();
    let many = archive(&names.iter().map(|name| (name.as_str(), &b""[..])).collect::<Vec<_>>());
    assert_eq!(unpack(&many), "LIMIT_EXCEEDED: the archive has 10001 entries; 10000 are unpacked at most");
    // Cut off, turned over, or nothing at all.
    let good = STANDARD.decode(archive(&[("a", b"some text that is long enough to be packed, some text that is long enough")])).unwrap();
    for end in 0..good.len() {
        let message = unpack(&STANDARD.encode(&good[..end]));
        assert!(message.starts_with("INVALID_INPUT: "), "{end}: {message}");
    }
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 0x55;
        // Some bytes matter to nobody; none may bring it down.
        drop(outcome("transform.zip_unpack", json!({"archive": STANDARD.encode(changed)})));
    }
    assert_eq!(
        error("transform.zip_unpack", json!({"archive": 7})),
        "INVALID_PARAMS: \"archive\" must be a file, base64 text or an object with it as \"base64\""
    );
    assert!(unpack("!").starts_with("INVALID_INPUT: the base64 cannot be read"));
}
