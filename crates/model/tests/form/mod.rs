//! Forms: what stands on the page, and what is understood of what was typed.

use mainspring_model::form::{Button, FormPage, Typed, Widget, fields, notice, read};
use mainspring_model::plan::InputSpec;
use serde_json::{Value, json};

fn spec(inputs: Value) -> InputSpec {
    InputSpec::of(inputs.as_object().unwrap()).unwrap()
}

fn typed(pairs: &[(&str, &str)]) -> Typed {
    Typed::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn page(spec: &InputSpec, typed: &Typed, wrong: &[(Option<String>, String)]) -> String {
    let fields = fields(spec);
    let buttons = [Button { sends: None, label: "Send <it>", unchecked: false }];
    FormPage {
        title: "A \"title\" & more",
        text: "Two\nlines",
        fields: &fields,
        typed,
        wrong,
        hidden: &[("token", "t\"x".to_owned())],
        buttons: &buttons,
        trap: Some("website"),
    }
    .html()
}

#[test]
fn each_type_has_its_widget() {
    let spec = spec(json!({
        "name": {"type": "string", "required": true, "maxLength": 80}, "why": {"type": "string", "maxLength": 2000},
        "when": {"type": "string", "format": "date"}, "at": {"type": "string", "format": "date-time"},
        "mail": {"type": "string", "format": "email"}, "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "price": {"type": "number"}, "sure": {"type": "boolean"}, "size": {"enum": ["s", "m", 3]},
        "tags": {"type": "array", "items": {"type": "string"}}, "days": {"type": "array", "items": {"enum": ["mon", "tue"]}},
        "more": {"type": "object"}, "any": {},
        "photo": {"type": "object", "format": "file"}, "papers": {"type": "array", "items": {"type": "object", "format": "file"}},
    }));
    let line = |kind, attributes: Vec<(&'static str, String)>| Widget::Line { kind, attributes };
    let found: Vec<Widget> = fields(&spec).into_iter().map(|field| field.widget).collect();
    let expected = vec![
        line("text", vec![("maxlength", "80".to_owned())]),
        Widget::Text { most: Some(2000) },
        line("date", vec![]),
        line("datetime-local", vec![]),
        line("email", vec![]),
        Widget::Number { whole: true, least: Some("1".to_owned()), most: Some("9".to_owned()) },
        Widget::Number { whole: false, least: None, most: None },
        Widget::Checkbox,
        Widget::Select(vec![json!("s"), json!("m"), json!(3)]),
        Widget::Lines,
        Widget::Several(vec![json!("mon"), json!("tue")]),
        Widget::Json,
        line("text", vec![]),
        Widget::File { several: false },
        Widget::File { several: true },
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_was_typed_becomes_values_of_the_declared_types() {
    let spec = spec(json!({
        "name": {"type": "string", "required": true}, "count": {"type": "integer"}, "price": {"type": "number"}, "sure": {"type": "boolean"},
        "size": {"enum": ["s", 3]}, "tags": {"type": "array", "items": {"type": "string"}},
        "days": {"type": "array", "items": {"enum": ["mon", "tue"]}}, "at": {"type": "string", "format": "date-time"}, "more": {"type": "object"},
        "empty": {"type": "string"},
    }));
    let sent = typed(&[
        ("name", " Ada \r\n"),
        ("count", "7"),
        ("price", "1.5"),
        ("sure", "true"),
        ("size", "3"),
        ("tags", "a\r\n\r\n b "),
        ("days", "mon"),
        ("days", "tue"),
        ("at", "2026-01-31T09:30"),
        ("more", "{\"a\": 1}"),
        ("empty", "  "),
        ("unknown", "x"),
    ]);
    let values = Value::Object(read(&fields(&spec), &sent));
    let expected = json!({"name": "Ada", "count": 7, "price": 1.5, "sure": true, "size": 3, "tags": ["a", "b"], "days": ["mon", "tue"],
        "at": "2026-01-31T09:30:00Z", "more": {"a": 1}});
    assert_eq!(values, expected);
    assert_eq!(spec.accept(&values).unwrap(), expected);
    // What cannot be read is told of by the check of the inputs, and an unticked box is no.
    let wrong = Value::Object(read(&fields(&spec), &typed(&[("count", "many"), ("size", "xl")])));
    assert_eq!(wrong, json!({"count": "many", "size": "xl", "sure": false}));
    let pointers: Vec<String> = spec.accept(&wrong).unwrap_err().into_iter().map(|problem| problem.pointer).collect();
    assert!(pointers.contains(&"/inputs/count".to_owned()) && pointers.contains(&"/inputs/size".to_owned()), "{pointers:?}");
}

#[test]
fn a_page_keeps_what_was_typed_and_names_what_is_wrong() {
    let spec = spec(json!({
        "name": {"type": "string", "required": true, "description": "As on the <invoice>"},
        "size": {"enum": ["s", "m"], "default": "m"}, "sure": {"type": "boolean", "title": "I am sure"},
    }));
    let fresh = page(&spec, &Typed::defaults(&fields(&spec)), &[]);
    assert!(fresh.contains("<label for=\"f-name\">Name</label><input type=\"text\" id=\"f-name\" name=\"name\" aria-describedby=\"h-name\" required value=\"\">"), "{fresh}");
    assert!(fresh.contains("As on the &lt;invoice&gt;") && fresh.contains("<option value=\"m\" selected>m</option>"), "{fresh}");
    assert!(
        fresh.contains("Size (optional)") && fresh.contains("I am sure") && fresh.contains("name=\"website\" tabindex=\"-1\""),
        "{fresh}"
    );
    assert!(!fresh.contains("role=\"alert\""));
    let again = page(&spec, &typed(&[("name", "<x>"), ("sure", "true")]), &[(Some("name".to_owned()), "is \"bad\"".to_owned())]);
    assert!(
        again.contains("value=\"&lt;x&gt;\"") && again.contains("aria-invalid=\"true\"") && again.contains(" checked>I am sure"),
        "{again}"
    );
    assert!(again.contains("<a href=\"#f-name\">Name</a>: is &quot;bad&quot;") && again.contains("id=\"e-name\""), "{again}");
}

/// Whatever stands in a plan or was typed, the page has no element or attribute of it.
#[test]
fn hostile_texts_stay_text() {
    for text in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onfocus='alert(1)",
        "</textarea><script>x</script>",
        "</style><b>",
        "\0\u{202E}",
    ] {
        let mut inputs = serde_json::Map::new();
        inputs.insert(text.to_owned(), json!({"type": "string", "title": text, "description": text, "default": text}));
        inputs.insert("long".to_owned(), json!({"type": "string", "maxLength": 900, "default": text}));
        inputs.insert("choice".to_owned(), json!({"enum": [text]}));
        inputs.insert("list".to_owned(), json!({"type": "array", "items": {"enum": [text]}}));
        let spec = InputSpec::of(&inputs).unwrap();
        let wrong = [(Some(text.to_owned()), text.to_owned()), (None, text.to_owned())];
        for html in [page(&spec, &Typed::defaults(&fields(&spec)), &wrong), notice(text, text)] {
            for bad in ["<script", "<img", "<b>", "onfocus='", "\0"] {
                assert!(!html.contains(bad), "{bad} of {text:?} in {html}");
            }
            assert_eq!(html.matches("</style>").count(), 1);
            assert_eq!(html.matches("<textarea").count(), html.matches("</textarea>").count());
        }
    }
}

#[test]
fn files_are_taken_as_files_alone() {
    let spec = spec(
        json!({"photo": {"type": "object", "format": "file", "required": true}, "papers": {"type": "array", "items": {"format": "file"}}}),
    );
    let fresh = page(&spec, &Typed::default(), &[]);
    assert!(fresh.contains("<form method=\"post\" accept-charset=\"utf-8\" enctype=\"multipart/form-data\">"), "{fresh}");
    assert!(fresh.contains("<input type=\"file\" id=\"f-photo\" name=\"photo\" required>"), "{fresh}");
    assert!(fresh.contains("<input type=\"file\" id=\"f-papers\" name=\"papers\" multiple>"), "{fresh}");
    assert!(fresh.find(".token").or(fresh.find("token")) < fresh.find("f-photo"), "what is hidden stands first");
    let fields = fields(&spec);
    let forged = typed(&[("photo", "{\"file\": \"0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10\"}"), ("papers", "[]")]);
    assert!(read(&fields, &forged).is_empty(), "a text is no file");
    let mut sent = Typed::default();
    for name in ["photo", "papers", "papers"] {
        sent.add_file(name.to_owned(), json!({"file": name}));
    }
    let values = Value::Object(read(&fields, &sent));
    assert_eq!(values, json!({"photo": {"file": "photo"}, "papers": [{"file": "papers"}, {"file": "papers"}]}));
}
