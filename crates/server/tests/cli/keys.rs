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
