//! A run's inputs from the command line: `-i name=value`, `-i name=@file` and `--inputs FILE`.

use mainspring_model::plan::{self, Format};
use mainspring_model::value::type_name;
use serde_json::{Map, Value};

use super::document::Stdin;
use super::failure::Failure;

/// All inputs as one object. Single ones win over those of the file.
pub(crate) fn gather(file: Option<&str>, single: &[String], stdin: &mut Stdin) -> Result<Value, Failure> {
    let mut inputs = match file {
        Some(file) => from_file(file, stdin)?,
        None => Map::new(),
    };
    let mut seen: Vec<&str> = Vec::new();
    for text in single {
        let (name, value) = split(text)?;
        if seen.contains(&name) {
            return Err(Failure::usage(format!("the input \"{name}\" is given twice; a list is written `-i {name}='[1, 2]'`")));
        }
        seen.push(name);
        let value = match value.strip_prefix('@') {
            Some(path) => read_value(&stdin.read(path, &format!("-i {name}=@{path}"))?.text),
            None => read_value(value),
        };
        inputs.insert(name.to_owned(), value);
    }
    Ok(Value::Object(inputs))
}

fn split(text: &str) -> Result<(&str, &str), Failure> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim(), value)),
        _ => Err(Failure::usage(format!("-i {text:?} is no input; write `-i name=value`, or `-i name=@file`"))),
    }
}

/// JSON when the text is JSON, and text otherwise: `3` is a number, `three` is text, `"3"` is text again.
pub(crate) fn read_value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn from_file(file: &str, stdin: &mut Stdin) -> Result<Map<String, Value>, Failure> {
    let document = stdin.read(file, "--inputs")?;
    match plan::parse(&document.text, Format::Auto) {
        Ok(source) => match source.value {
            Value::Object(inputs) => Ok(inputs),
            other => {
                Err(Failure::usage(format!("{} holds a {}; inputs are an object of name and value", document.name, type_name(&other))))
            }
        },
        Err(problems) => Err(Failure::invalid(document, problems)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn gathered(file: Option<&str>, single: &[&str]) -> Result<Value, (u8, String)> {
        let single: Vec<String> = single.iter().map(|text| (*text).to_owned()).collect();
        gather(file, &single, &mut Stdin::default()).map_err(|failure| (failure.exit as u8, failure.message))
    }

    #[test]
    fn values_are_json_when_they_read_as_json() {
        let given = ["n=3", "big=9007199254740993", "t=three", "q=\"3\"", "b=true", "l=[1, {\"a\": null}]", "empty=", "eq=a=b", " s =x"];
        let expected = json!({"n": 3, "big": 9_007_199_254_740_993_i64, "t": "three", "q": "3", "b": true, "l": [1, {"a": null}], "empty": "", "eq": "a=b", "s": "x"});
        assert_eq!(gathered(None, &given), Ok(expected));
    }

    #[test]
    fn files_give_one_input_or_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("body.txt"), "two\nlines").unwrap();
        std::fs::write(path("all.yaml"), "a: 1\nb: from file\n").unwrap();
        let body = format!("text=@{}", path("body.txt"));
        let given = gathered(Some(&path("all.yaml")), &[&body, "b=wins"]);
        assert_eq!(given, Ok(json!({"a": 1, "b": "wins", "text": "two\nlines"})));
        std::fs::write(path("list.json"), "[1]").unwrap();
        assert_eq!(gathered(Some(&path("list.json")), &[]).unwrap_err().0, 2);
        std::fs::write(path("bad.json"), "{\"a\": }").unwrap();
        assert_eq!(gathered(Some(&path("bad.json")), &[]).unwrap_err().0, 3);
        assert_eq!(gathered(None, &["x=@nowhere.txt"]), Err((5, "nowhere.txt does not exist".to_owned())));
    }

    #[test]
    fn wrong_forms_are_usage_errors() {
        assert_eq!(gathered(None, &["name"]), Err((2, "-i \"name\" is no input; write `-i name=value`, or `-i name=@file`".to_owned())));
        assert_eq!(gathered(None, &["=3"]).unwrap_err().0, 2);
        assert_eq!(gathered(None, &["a=1", "a=2"]).unwrap_err().1, "the input \"a\" is given twice; a list is written `-i a='[1, 2]'`");
    }
}
