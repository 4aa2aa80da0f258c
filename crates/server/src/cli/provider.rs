//! `mainspring provider`: what steps can do, and what each action is given.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::api::{Api, part};
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Cx, yaml};
use super::place;
use super::provider_pages::{self, Pages};
use super::table::Rows;
use super::terminal::Style;
use super::text::plain;

#[derive(Subcommand, Debug)]
pub(crate) enum ProviderCommand {
    /// List the providers that plans can use.
    #[command(after_help = "\
Examples:
  mainspring provider list
  mainspring provider list -o json")]
    List,
    /// Show a provider's actions, or one action with its params and an example.
    #[command(after_help = "\
Examples:
  mainspring provider show http
  mainspring provider show logic.switch
  mainspring provider show openai -o json")]
    Show(Show),
    /// Write reference pages in Markdown: a page for each provider, one for triggers, and an index.
    #[command(after_help = "\
Examples:
  mainspring provider pages docs/reference
  mainspring provider pages docs/reference --plans plans   # with links to the plans that use each action")]
    Pages(Pages),
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// A provider, or an action as plans write it: `http`, `http.request`.
    #[arg(value_name = "PROVIDER[.ACTION]")]
    name: String,
}

pub(crate) async fn run(cx: &Cx, command: &ProviderCommand) -> Result<Exit, Failure> {
    let api = place::api(cx).await?;
    let done = match command {
        ProviderCommand::List => show_list(cx, &api).await,
        ProviderCommand::Show(asked) => show(cx, &api, &asked.name).await,
        ProviderCommand::Pages(pages) => provider_pages::write(cx, &api, pages).await,
    };
    api.close().await;
    done
}

async fn show_list(cx: &Cx, api: &Api) -> Result<Exit, Failure> {
    let answer = api.get("/api/providers", &[("detail", "true".to_owned())]).await?;
    cx.show(&answer, |style, width| list(&answer, style, width))
}

async fn show(cx: &Cx, api: &Api, name: &str) -> Result<Exit, Failure> {
    let (provider, action) = name.split_once('.').map_or((name, None), |(provider, action)| (provider, Some(action)));
    let found = api.get(&format!("/api/providers/{}", part(provider)), &[]).await;
    let answer = found.map_err(|failure| {
        if failure.exit == Exit::NotFound { failure.next("`mainspring provider list` shows which there are") } else { failure }
    })?;
    // The provider stands in the answer as itself or under its noun.
    let provider = answer.get("provider").filter(|inner| inner.is_object()).unwrap_or(&answer);
    match action {
        None => cx.show(provider, |style, width| overview(provider, style, width)),
        Some(action) => {
            let action = find(provider, action)?;
            cx.show(action, |style, width| one(name, action, style, width))
        }
    }
}

fn find<'a>(provider: &'a Value, name: &str) -> Result<&'a Value, Failure> {
    let actions = provider["actions"].as_array().map(Vec::as_slice).unwrap_or_default();
    actions.iter().find(|action| action["name"] == name).ok_or_else(|| {
        let names: Vec<&str> = actions.iter().filter_map(|action| action["name"].as_str()).collect();
        let near = mainspring_model::problem::nearest(name, names.iter().copied())
            .map(|near| format!("did you mean {near}? "))
            .unwrap_or_default();
        Failure::new(Exit::NotFound, "UNKNOWN_ACTION", format!("there is no action \"{name}\""))
            .next(format!("{near}there are: {}", names.join(", ")))
    })
}

fn list(answer: &Value, style: Style, width: usize) -> String {
    let mut rows = Rows::new(["name", "category", "actions", "description"], "there is no provider");
    for provider in answer["providers"].as_array().into_iter().flatten() {
        let text = |field: &str| provider[field].as_str().unwrap_or_default().to_owned();
        let actions = provider["actions"].as_array().map_or(0, Vec::len).to_string();
        rows.add([text("name"), text("category"), actions, text("description")]);
    }
    rows.render(width, style)
}

fn overview(provider: &Value, style: Style, width: usize) -> String {
    let name = provider["name"].as_str().or(provider["id"].as_str()).unwrap_or_default();
    let mut text = format!("{}  {}\n", style.bold(&plain(name)), plain(provider["description"].as_str().unwrap_or_default()));
    let fields = ["credential", "credential_fields"].into_iter().find_map(|field| provider[field].as_array());
    if let Some(fields) = fields.filter(|fields| !fields.is_empty()) {
        let mut rows = Rows::new(["credential field", "required", "help"], "");
        for field in fields {
            let required = if field["required"] == true { "yes" } else { "" };
            let help = field["help"].as_str().or(field["title"].as_str()).unwrap_or_default();
            rows.add([field["name"].as_str().unwrap_or_default().to_owned(), required.to_owned(), help.to_owned()]);
        }
        text.push_str(&format!("\n{}", rows.render(width, style)));
    }
    let mut rows = Rows::new(["action", "effect", "description"], "it has no action");
    for action in provider["actions"].as_array().into_iter().flatten() {
        let text = |field: &str| action[field].as_str().unwrap_or_default().to_owned();
        rows.add([format!("{name}.{}", text("name")), text("effect"), text("description")]);
    }
    text.push_str(&format!("\n{}", rows.render(width, style)));
    text
}

fn one(name: &str, action: &Value, style: Style, width: usize) -> String {
    let mut text = format!("{}  {}\n", style.bold(&plain(name)), plain(action["description"].as_str().unwrap_or_default()));
    if let Some(effect) = action["effect"].as_str() {
        text.push_str(&format!("effect: {}\n", plain(effect)));
    }
    let required: Vec<&str> = action["params"]["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut rows = Rows::new(["param", "type", "required", "description"], "it takes no params");
    for (param, schema) in action["params"]["properties"].as_object().into_iter().flatten() {
        let needed = if required.contains(&param.as_str()) { "yes" } else { "" };
        rows.add([
            param.clone(),
            type_of(schema, &action["params"]["$defs"]),
            needed.to_owned(),
            schema["description"].as_str().unwrap_or_default().to_owned(),
        ]);
    }
    text.push_str(&format!("\n{}", rows.render(width, style)));
    let example = json!([{ "action": name, "params": action["example"] }]);
    if let Ok(example) = yaml(&json!({ "steps": example })) {
        text.push_str(&format!("\n{}\n{example}", style.bold("Example")));
    }
    text
}

/// A schema's type in a word or two: its types, or the values that it names.
pub(super) fn type_of(schema: &Value, defs: &Value) -> String {
    let mut words = Vec::new();
    collect(schema, defs, 0, &mut words);
    words.retain(|word| word != "null");
    let mut seen: Vec<String> = Vec::new();
    for word in words {
        if !seen.contains(&word) {
            seen.push(word);
        }
    }
    if seen.is_empty() { "any".to_owned() } else { seen.join(" | ") }
}

fn collect(schema: &Value, defs: &Value, depth: usize, words: &mut Vec<String>) {
    // A schema may refer to itself.
    if depth > 4 {
        return;
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        collect(&defs[name], defs, depth + 1, words);
    }
    if let Some(values) = schema["enum"].as_array() {
        return words.extend(values.iter().map(text));
    }
    if !schema["const"].is_null() {
        return words.push(text(&schema["const"]));
    }
    match &schema["type"] {
        Value::String(word) => words.push(word.clone()),
        Value::Array(list) => words.extend(list.iter().map(text)),
        _ => {}
    }
    for inner in ["anyOf", "oneOf", "allOf"].iter().flat_map(|word| schema[*word].as_array().into_iter().flatten()) {
        collect(inner, defs, depth + 1, words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_read_in_a_word() {
        let defs = json!({"Kind": {"oneOf": [{"const": "json", "type": "string"}, {"const": "form", "type": "string"}]}, "Ring": {"anyOf": [{"$ref": "#/$defs/Ring"}]}});
        let of = |schema: Value| type_of(&schema, &defs);
        assert_eq!(of(json!({"anyOf": [{"$ref": "#/$defs/Kind"}, {"type": "null"}]})), "json | form");
        assert_eq!(of(json!({"$ref": "#/$defs/Ring"})), "any");
        assert_eq!(of(json!({"type": "string"})), "string");
        assert_eq!(of(json!({"type": ["integer", "null"]})), "integer");
        assert_eq!(of(json!({"anyOf": [{"type": "string"}, {"type": "null"}, {"type": "object"}]})), "string | object");
        assert_eq!(of(json!({"type": "string", "enum": ["asc", "desc"]})), "asc | desc");
        assert_eq!(of(json!({})), "any");
    }

    #[test]
    fn an_unknown_action_names_its_neighbour() {
        let provider = json!({"actions": [{"name": "request"}, {"name": "get"}]});
        let failure = find(&provider, "requst").unwrap_err();
        assert_eq!((failure.exit as u8, failure.next.unwrap()), (5, "did you mean request? there are: request, get".to_owned()));
    }
}
