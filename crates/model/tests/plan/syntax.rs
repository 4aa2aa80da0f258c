//! Malformed JSON and YAML: the code, the place, and a sentence that helps.

use mainspring_model::plan::{Format, parse};
use serde_json::{Value, json};

use super::{all, lines, problems};

#[test]
fn malformed_json() {
    all(&[
        (r#"{"name": "A", "steps": [}"#, r#"1:25 SYNTAX: expected a value, found "}""#),
        (r#"{"name": "A" "steps": []}"#, r#"1:14 SYNTAX: expected "," or "}" after a field, found "\"""#),
        ("{\"name\": \"A\",\n \"steps\": [1 2]}", r#"2:14 SYNTAX: expected "," or "]" after a list's value, found "2""#),
        (r#"{"name": "A"#, r#"1:10 SYNTAX: this text has no closing ""#),
        (r#"{"name": "A\q", "steps": []}"#, "1:13 SYNTAX: this text cannot be read: invalid escape"),
        (r#"{"name": tru, "steps": 01}"#, r#"1:10 SYNTAX: expected a value, found "t""#),
        (r#"{"name": "A", "steps": []} x"#, "1:28 SYNTAX: there is more text after the end of the document"),
        (r#"{"name": "A", "steps": [1e]}"#, r#"1:25 SYNTAX: "1e" is no JSON number"#),
        (r#"{"na": "A", "na": 2, "steps": []}"#, r#"1:13 /na DUPLICATE_KEY: "na" is written twice in this object"#),
        ("", "1:1 SYNTAX: the document is empty"),
        ("[", "1:2 SYNTAX: expected a value, found the end of the text"),
    ]);
    let strict = parse("{\"a\": [1,]}", Format::Json).unwrap_err();
    assert_eq!(lines(&strict), "1:10 SYNTAX: there is a comma before the closing bracket; JSON has none there");
    let broken = parse("{\"a\": \"x\ny\"}", Format::Json).unwrap_err();
    assert_eq!(lines(&broken), "1:9 SYNTAX: a line break stands inside a text; write it as \\n");
}

#[test]
fn malformed_yaml() {
    all(&[
        (
            "name: A\nsteps:\n  - action: test.read\n   id: x\n",
            "4:4 SYNTAX: this is no YAML: while parsing a block collection, did not find expected '-' indicator",
        ),
        ("name: A\nsteps:\n\t- action: test.read\n", "3:2 SYNTAX: a tab stands where YAML wants spaces"),
        ("name: A\nname: B\nsteps: []\n", "2:1 /name DUPLICATE_KEY: \"name\" is written twice in this object"),
        ("name: A\nsteps: []\n---\nname: B\n", "3:1 UNSUPPORTED_YAML: a second document begins here; a plan is one document"),
        ("name: A\nsteps: *nowhere\n", "2:8 SYNTAX: YAML reads the leading * of this value as a sign of its own (write put it in quotes)"),
        ("name: A\nsteps: [a, b\n", "2:8 SYNTAX: this \"[\" is never closed"),
        ("name: \"A\nsteps: []\n", "2:1 SYNTAX: a text in quotes goes on here; is its closing quote missing?"),
        ("name: \"A", "1:7 SYNTAX: this text has no closing quote"),
    ]);
}

#[test]
fn values_that_yaml_breaks_at_their_first_sign() {
    let quotes = |line: &str| {
        let text = format!("name: A\nsteps:\n  - action: test.read\n    {line}\n");
        let found = super::loaded(&text).unwrap_err();
        assert_eq!(found.len(), 1, "{line}: {}", lines(&found));
        assert_eq!(found[0].fix.as_deref(), Some("put it in quotes"), "{line}: {}", lines(&found));
        assert_eq!(found[0].line, Some(4), "{line}");
        (found[0].code.clone(), found[0].column.unwrap())
    };
    for (line, column) in [
        ("if: !inputs.done", 9),
        ("if: ! inputs.done", 9),
        ("if: &x && y", 9),
        ("if: *x", 9),
        ("if: %x", 9),
        ("if: @x", 9),
        ("if: `a` == x", 9),
        ("for_each: [1, 2].concat(inputs.x)", 15),
        ("for_each: {a: 1}.a", 15),
        ("if: 'a' == inputs.x", 9),
        ("if: \"a\" == inputs.x", 9),
        ("if: inputs.a ? inputs.b : inputs.c", 9),
        ("params: {url: ${inputs.a}}", 19),
        ("params: {a: 1, if: !x}", 24),
    ] {
        let (code, found) = quotes(line);
        assert!(code == "SYNTAX" || code == "UNSUPPORTED_YAML", "{line}: {code}");
        assert_eq!(found, column, "{line}");
    }
    let braces = super::loaded("name: A\nsteps:\n  - {action: test.read, params: {x: {{inputs.a}}}}\n").unwrap_err();
    assert_eq!(
        lines(&braces),
        "3:38 /steps/0/params/x UNSUPPORTED_YAML: YAML reads this as an object that names a field (write put it in quotes)"
    );
}

#[test]
fn yaml_means_what_its_core_schema_says() {
    let source = "a: yes\nb: on\nc: true\nd: 007\ne: 0x1F\nf: 1.50\ng: ~\nh: 12:30\ni: 1_000\nj: +5\nk: -0\nl: 'true'\nm: 2026-01-01\n\
                  n: 18446744073709551615\no: -9223372036854775808\np: 1e3\nq: null\nr: .5\ns: 0\nt: 0.5\nu: Off\nv: |\n  two\n  lines\n";
    let value = parse(source, Format::Auto).unwrap().value;
    let expected = json!({
        "a": "yes", "b": "on", "c": true, "d": "007", "e": "0x1F", "f": 1.5, "g": null, "h": "12:30", "i": "1_000", "j": 5, "k": 0, "l": "true",
        "m": "2026-01-01", "n": 18_446_744_073_709_551_615_u64, "o": -9_223_372_036_854_775_808_i64, "p": 1000.0, "q": null, "r": 0.5, "s": 0,
        "t": 0.5, "u": "Off", "v": "two\nlines\n",
    });
    assert_eq!(value, expected);
}

#[test]
fn numbers_are_exact_or_refused() {
    for text in ["18446744073709551616", "-9223372036854775809", "1e999", "-99999999999999999999999"] {
        for (document, format) in [(format!("{{\"a\": {text}}}"), Format::Json), (format!("a: {text}"), Format::Yaml)] {
            let problems = parse(&document, format).unwrap_err();
            assert_eq!(problems[0].code, "NUMBER_RANGE", "{document}");
            assert_eq!(problems[0].pointer, "/a");
            assert!(problems[0].message.contains(text), "{document}");
        }
    }
    assert_eq!(
        parse(r#"{"a": 18446744073709551615, "b": -0, "c": 1.5e3}"#, Format::Json).unwrap().value,
        json!({"a": u64::MAX, "b": 0, "c": 1500.0})
    );
    assert_eq!(
        problems("name: A\nsteps: [{action: test.read, params: {x: .inf}}]\n"),
        "2:41 /steps/0/params/x NUMBER_RANGE: the number .inf does not fit in 64 bits; write it as text (write \".inf\")"
    );
}

#[test]
fn both_spellings_mean_the_same() {
    let json =
        r#"{"name": "A", "steps": [{"id": "a", "action": "test.read", "params": {"x": [1, "two", null, true, 2.5, {"é\n": "\u00e9"}]}}]}"#;
    let yaml = "name: A\nsteps:\n  - id: a\n    action: test.read\n    params:\n      x: [1, two, null, true, 2.5, {\"é\\n\": é}]\n";
    let value = |text: &str| parse(text, Format::Auto).unwrap().value;
    assert_eq!(value(json), value(yaml));
    assert_eq!(parse(json, Format::Yaml).unwrap().value, value(json), "JSON is YAML");
    assert_eq!(parse(json, Format::Auto).unwrap().format, Format::Json);
    assert_eq!(parse("{name: A, steps: [],}", Format::Auto).unwrap().format, Format::Yaml);
    assert_eq!(value("\u{feff}{\"a\": 1}"), json!({"a": 1}));
}

#[test]
fn aliases_are_read_and_tags_are_not() {
    let value = parse("base: &base {a: 1}\nuse: *base\nlist: [*base, &x text, *x]\n", Format::Yaml).unwrap().value;
    assert_eq!(value, json!({"base": {"a": 1}, "use": {"a": 1}, "list": [{"a": 1}, "text", "text"]}));
    let problems = parse("a: !!str 5\nb: !mine [1]\n", Format::Yaml).unwrap_err();
    assert_eq!(
        lines(&problems),
        "1:4 /a UNSUPPORTED_YAML: YAML reads \"!!str\" as a tag, and a plan has none (write put it in quotes)\n\
         2:4 /b UNSUPPORTED_YAML: YAML reads \"!mine\" as a tag, and a plan has none (write put it in quotes)"
    );
    let inside = parse("a: &a [*a]\n", Format::Yaml).unwrap_err();
    assert_eq!(lines(&inside), "1:8 /a/0 UNSUPPORTED_YAML: this alias stands inside what it repeats");
    assert_eq!(parse("? [a]\n: 1\n", Format::Yaml).unwrap_err()[0].code, "UNSUPPORTED_YAML");
    assert!(
        matches!(parse("1: a\ntrue: b\n", Format::Yaml).unwrap().value, Value::Object(fields) if fields.contains_key("1") && fields.contains_key("true"))
    );
}
