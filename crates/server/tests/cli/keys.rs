//! Credentials and API keys: values go in by every way and come out by none.

use serde_json::json;

use super::program::Place;

const VALUE: &str = "sk-do-not-show-4711";

#[test]
fn credentials_go_in_by_every_way() {
    let place = Place::new();
    place.write("key.txt", &format!("{VALUE}\n"));
    let ways: [(&str, Vec<&str>, &str); 4] = [
        ("file", vec!["--field", "api_key=@key.txt"], ""),
        ("bare", vec![], VALUE),
        ("lines", vec![], &format!("api_key={VALUE}\nbase_url=http://127.0.0.1:9/v1\n")),
        ("json", vec![], &json!({ "api_key": VALUE }).to_string()),
    ]
    .map(|(name, args, text)| (name, args, &*Box::leak(text.to_owned().into_boxed_str())));
    for (name, args, text) in ways {
        let args = [&["credential", "set", "openai", "--name", name][..], &args].concat();
        let done = place.feed(&args, text).expect(0);
        assert!(!done.out.contains(VALUE) && !done.err.contains(VALUE), "{}{}", done.out, done.err);
    }
    let list = place.run(&["credential", "list", "-o", "json"]).expect(0);
    assert!(!list.out.contains(VALUE));
    let names: Vec<serde_json::Value> = list.json()["credentials"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert!(["file", "bare", "lines", "json"].iter().all(|name| names.contains(&json!(name))), "{names:?}");
    for entry in std::fs::read_dir(place.data()).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(VALUE.len()).any(|part| part == VALUE.as_bytes()), "{} holds the value", entry.path().display());
    }
    place.run(&["credential", "delete", "openai", "--name", "file"]).expect(0);
    place.run(&["credential", "delete", "openai", "--name", "file"]).expect(5);
    place.run(&["credential", "delete", "openai", "--all"]).expect(0);
}

#[test]
fn a_wrong_credential_is_refused_without_its_value() {
    let place = Place::new();
    let done = place.run(&["credential", "set", "openai", "--field", &format!("api_kye={VALUE}")]).expect(3);
    assert!(done.err.contains("api_kye") && done.err.contains("did you mean \"api_key\"") && !done.err.contains(VALUE), "{}", done.err);
    let done = place.run(&["credential", "set", "openai", "--field", VALUE]).expect(2);
    assert!(!done.err.contains(VALUE), "{}", done.err);
    place.run(&["credential", "set", "opnai", "--field", "api_key=x"]).expect(5);
}

#[test]
fn api_keys_are_shown_once() {
    let place = Place::new();
    let made = place.run(&["api-key", "create", "--name", "ci", "--expires", "30d"]).expect(0);
    let key = made.out.trim().to_owned();
    assert!(key.starts_with("msk_") && made.out.lines().count() == 1, "{}", made.out);
    let list = place.run(&["api-key", "list", "-o", "json"]).expect(0);
    assert!(!list.out.contains(&key));
    let id = list.json()["api_keys"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(list.json()["api_keys"][0]["name"], "ci");
    place.run(&["api-key", "delete", &id]).expect(0);
    place.run(&["api-key", "delete", &id]).expect(5);
    place.run(&["api-key", "delete", &key]).expect(2);
    assert!(place.run(&["api-key", "list"]).expect(0).out.contains("there is no key"));
}

/// Made by another program with the key of the Fernet specification.
const EARLIER_KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const EARLIER: [&str; 4] = [
    "gAAAAABlU_EBAQEBAQEBAQEBAQEBAQEBAfqDWcxyQ4l1C2io1ZXrM3hp8dd0fJOOgeR7BfT6Jtcd8LeRpx_l5gygoKKClxsb3A==",
    "gAAAAABlU_ECAgICAgICAgICAgICAgICAqHRdybAeJ6tM1V1vd9DeVtLygokXsjYIIGMZdC-nYfzmdRJjerZGjBBdcfunCa6MXItxyrby7BXxcJw4wGErvg=",
    "gAAAAABlU_EDAwMDAwMDAwMDAwMDAwMDAysTkHwfqONiyH_ly0UxI0-QiY0clq2FCCGnqIv7l2qkYEu0aYiVT8vLjVqVFrdXKR2GWAeQLAfUP0mzS35C9c4=",
    "gAAAAABlU_EEBAQEBAQEBAQEBAQEBAQEBOPhxFkecBrDDHRIqVuQZy-OYqXLHwTvLF_uqydbZMBK6Gzlp5w00YGWCzWvUr84Mw==",
];

#[test]
fn credentials_of_an_earlier_system_are_taken_over() {
    let place = Place::new();
    place.write("old.key", EARLIER_KEY);
    let row = |user: &str, provider: &str, kind: &str, token: &str| json!({ "user_id": user, "provider": provider, "type": kind, "encrypted_value": token });
    let mut oauth = row("a", "http", "oauth_token", EARLIER[1]);
    oauth["token_expires_at"] = json!("2099-03-01 08:00:00+00");
    let rows = json!([
        row("a", "openai", "api_key", EARLIER[0]),
        oauth,
        row("a", "http", "oauth_refresh_token", EARLIER[2]),
        row("a", "salesforce", "api_key", EARLIER[3]),
        row("a", "groq", "api_key", &EARLIER[0].replace("AQEBAQ", "AQEBAA")),
        row("b", "openai", "api_key", EARLIER[3]),
    ]);
    place.write("rows.json", &rows.to_string());
    let import = |more: &[&str]| {
        let done = place.run(&[&["credential", "import", "rows.json", "--fernet-key", "@old.key", "-o", "json"][..], more].concat());
        assert!(!done.out.contains("earlier-4711") && !done.err.contains("earlier-4711"), "{}{}", done.out, done.err);
        done
    };
    let several = import(&[]).expect(2);
    assert!(several.err.contains("--user"), "{}", several.err);
    let stored = || place.run(&["credential", "list", "-o", "json"]).expect(0).json()["credentials"].as_array().unwrap().clone();
    let states = |told: &serde_json::Value| {
        let rows = told["rows"].as_array().unwrap().clone();
        rows.iter().map(|row| format!("{} {}", row["row"], row["status"].as_str().unwrap())).collect::<Vec<_>>().join(", ")
    };
    let dry = import(&["--user", "a", "--dry-run"]).expect(1).json();
    assert_eq!(states(&dry), "1 would import, 2 would import, 3 refused, 4 refused, 5 refused", "{dry}");
    assert!(stored().is_empty());
    let done = import(&["--user", "a"]).expect(1).json();
    assert_eq!(states(&done), "1 imported, 2 imported, 3 refused, 4 refused, 5 refused", "{done}");
    for (row, reason) in [(2, "token_url"), (3, "salesforce"), (4, "another key")] {
        assert!(done["rows"][row]["reason"].as_str().unwrap().contains(reason), "{done}");
    }
    let fields: Vec<String> = stored().iter().map(|one| format!("{} {}", one["provider"], one["fields"])).collect();
    assert_eq!(fields, [r#""http" ["access_token","expires_at"]"#, r#""openai" ["api_key"]"#]);
    assert_eq!(states(&import(&["--user", "b"]).expect(0).json()), "6 kept");
    assert_eq!(states(&import(&["--user", "b", "--replace"]).expect(0).json()), "6 imported");
    // What stands in the folder is sealed by the program's own key.
    for entry in std::fs::read_dir(place.data()).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(12).any(|part| part == b"earlier-4711" || part == b"gAAAAABlU_EB"), "{}", entry.path().display());
    }
    place.run(&["credential", "import", "rows.json", "--fernet-key", "short"]).expect(2);
    place.run(&["credential", "import", "old.key", "--fernet-key", "@old.key"]).expect(2);
}
