//! `{{path}}` of a pattern as an expression: a missing member is null, and a step into null is an error.

use serde_json::Value;

use super::Known;
use crate::Problem;
use crate::plan::code;
use crate::plan::problems::Problems;

/// Replaces every `{{path}}` inside of a value; one that is all of a text keeps its type.
pub(super) fn fill(value: &mut Value, pointer: &str, known: &mut Known, problems: &mut Problems<'_>) {
    match value {
        Value::String(text) => match template(text, known) {
            Ok(filled) => *text = filled,
            Err(message) => problems.push(Problem::new(code::UNKNOWN_STEP, pointer, message)),
        },
        Value::Array(items) => {
            for (place, item) in items.iter_mut().enumerate() {
                fill(item, &format!("{pointer}/{place}"), known, problems);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                fill(field, &format!("{pointer}/{name}"), known, problems);
            }
        }
        _ => {}
    }
}

fn template(text: &str, known: &mut Known) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((path, behind)) = after.split_once("}}") else { break };
        filled.push_str(&before.replace("${", "$${"));
        filled.push_str(&format!("${{{}}}", expression(path, known)?));
        rest = behind;
    }
    filled.push_str(&rest.replace("${", "$${"));
    Ok(filled)
}

/// The expression of a path.
pub(super) fn expression(path: &str, known: &mut Known) -> Result<String, String> {
    let (root, members) = read(path, known)?;
    let members: Vec<String> = members.iter().map(|member| member_of(member)).collect();
    if members.is_empty() {
        return Ok(root);
    }
    // Each member is looked for in what the one before gave; null has none and says so.
    let steps: String = members.iter().map(|member| format!(".map(v => {member})")).collect();
    Ok(format!("[{root}]{steps}[0]"))
}

fn member_of(member: &str) -> String {
    match member.parse::<u32>() {
        Ok(place) => format!("v[{place}]"),
        Err(_) => {
            let name = Value::from(member).to_string();
            format!("{name} in v ? v[{name}] : null")
        }
    }
}

/// The expression of a path in a condition, where nothing that is missing is an error.
pub(super) fn lenient(path: &str, known: &mut Known) -> Result<String, String> {
    let (root, members) = read(path, known)?;
    let mut text = root;
    for member in &members {
        match (member.parse::<u32>(), member.as_str()) {
            (Ok(place), _) => text.push_str(&format!("?.[{place}]")),
            (_, "length") => text.push_str("?.length"),
            _ => text.push_str(&format!("?.[{}]", Value::from(member.as_str()))),
        }
    }
    Ok(if members.is_empty() { text } else { format!("({text} ?? null)") })
}

/// A path's root as an expression, and the members behind it. Notes what is read of the context.
fn read(path: &str, known: &mut Known) -> Result<(String, Vec<String>), String> {
    let path = path.trim();
    let mut members = path.split('.').map(str::trim);
    let name = members.next().unwrap_or_default();
    let members: Vec<String> = members.map(str::to_owned).collect();
    let is_name = |text: &String| !text.is_empty() && text.chars().all(|character| character.is_alphanumeric() || "_-".contains(character));
    if name.is_empty() || !members.iter().all(is_name) {
        return Err(format!("{{{{{path}}}}} is no path, such as {{{{inputs.portfolio_id}}}}"));
    }
    let root = known.root(name).ok_or_else(|| {
        format!("{{{{{path}}}}}: no earlier step leaves \"{name}\"; a step reads what stands before it, \"inputs\" and \"ctx\"")
    })?;
    match (name, members.first()) {
        ("ctx", Some(member)) => drop(known.context.insert(member.clone())),
        ("inputs", Some(member)) if !known.inputs.contains(member) => {
            return Err(format!("{{{{{path}}}}}: the pattern has no input \"{member}\""));
        }
        _ => {}
    }
    Ok((root, members))
}
