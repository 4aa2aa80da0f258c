//! `mainspring credential`: the keys to other services; values go in and never come out.

use ::http::Method;
use clap::{Args, Subcommand};
use mainspring_model::credential::Secret;
use serde_json::{Map, Value, json};

use super::api::{Api, part};
use super::credential_import::{self, Import};
use super::document::Stdin;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::table::Rows;
use super::text::{moment_of, plain, text_list};
use super::{place, prompt, terminal};

#[derive(Subcommand, Debug)]
pub(crate) enum CredentialCommand {
    /// Store a credential; one of the same name is replaced.
    ///
    /// Without --field, fields are asked for at the terminal, unseen where they are secret. When standard input is no
    /// terminal it is read: a JSON object of fields, lines of name=value, or the bare value of the only required field.
    #[command(after_help = "\
Examples:
  mainspring credential set openai
  mainspring credential set openai --field api_key=@key.txt --field base_url=http://127.0.0.1:8000/v1
  pass show openai | mainspring credential set openai
  mainspring credential set http --name crm --organization --host api.example.com -f token=@token.txt
  echo '{\"api_key\": \"…\"}' | mainspring credential set groq --name team")]
    Set(Set),
    /// List credentials without their values.
    #[command(after_help = "\
Examples:
  mainspring credential list
  mainspring credential list openai -o json")]
    List(List),
    /// Try a credential at its service. Exit code 1 when it is refused or the service cannot be asked.
    #[command(after_help = "\
Examples:
  mainspring credential test 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10
  mainspring credential test 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10 --url https://api.example.com/me")]
    Test(Test),
    /// Take over the credentials of an earlier system, which its Fernet key opens. Exit code 1 when a row was refused.
    ///
    /// Rows have `user_id`, `provider` (or `integration_id`), `type`, `encrypted_value`, and may have `name` and `expires_at`. They become
    /// credentials of the caller; those of one user at a time. What is opened is never shown.
    #[command(after_help = "\
Examples:
  mainspring credential import rows.csv --fernet-key @old.key --dry-run
  mainspring credential import dump.sql --fernet-key @old.key --user 7f0c… --replace
  FERNET_KEY=… mainspring credential import rows.json -o json")]
    Import(Import),
    /// Delete a provider's credential.
    #[command(after_help = "\
Examples:
  mainspring credential delete openai --name team
  mainspring credential delete openai --all")]
    Delete(Delete),
}

#[derive(Args, Debug)]
pub(crate) struct Set {
    /// The provider it is for.
    #[arg(value_name = "PROVIDER")]
    provider: String,
    /// What steps call it in `credential`.
    #[arg(long, value_name = "NAME", default_value = "default")]
    name: String,
    /// A field: `name=value`, or `name=@file` (`@-`: standard input), which keeps the value off the command line.
    #[arg(long, short = 'f', value_name = "NAME=VALUE", value_parser = hidden)]
    field: Vec<Secret>,
    /// For every member of the organization, not for yourself alone.
    #[arg(long)]
    organization: bool,
    /// A host that it may be sent to (api.example.com, localhost:8080, *.example.org, or * for all); may be given several times.
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// After this moment (RFC 3339) it counts as absent.
    #[arg(long, value_name = "TIME")]
    expires_at: Option<jiff::Timestamp>,
}

/// So that no debug print of the arguments can show it.
fn hidden(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only this provider's.
    #[arg(value_name = "PROVIDER")]
    provider: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Test {
    /// Its id, as `credential list` shows it.
    #[arg(value_name = "ID")]
    id: String,
    /// For providers without a test of their own: an address that answers only to who is logged in.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Delete {
    /// The provider it is for.
    #[arg(value_name = "PROVIDER")]
    provider: String,
    /// Which one.
    #[arg(long, value_name = "NAME", default_value = "default", conflicts_with = "all")]
    name: String,
    /// All of the provider's.
    #[arg(long)]
    all: bool,
}

pub(crate) async fn run(cx: &Cx, command: &CredentialCommand) -> Result<Exit, Failure> {
    let api = place::api(cx).await?;
    let done = match command {
        CredentialCommand::Set(set) => self::set(cx, &api, set).await,
        CredentialCommand::List(list) => self::list(cx, &api, list).await,
        CredentialCommand::Test(test) => self::test(cx, &api, test).await,
        CredentialCommand::Import(import) => credential_import::import(cx, &api, import).await,
        CredentialCommand::Delete(delete) => self::delete(cx, &api, delete).await,
    };
    api.close().await;
    done
}

async fn set(cx: &Cx, api: &Api, set: &Set) -> Result<Exit, Failure> {
    let provider = api.get(&format!("/api/providers/{}", part(&set.provider)), &[]).await?;
    let known: Vec<&Value> = provider["credential_fields"].as_array().into_iter().flatten().collect();
    let values = if !set.field.is_empty() {
        from_arguments(&set.field)?
    } else if terminal::stdin_is_terminal() {
        from_questions(&known)?
    } else {
        from_text(prompt::read_all()?.expose(), &known)?
    };
    let mut body = json!({ "credentials": values, "name": set.name });
    if let Some(at) = set.expires_at {
        body["expires_at"] = json!(at.to_string());
    }
    if set.organization {
        body["scope"] = json!("organization");
    }
    if !set.host.is_empty() {
        body["hosts"] = json!(set.host);
    }
    body["provider"] = json!(set.provider);
    let answer = api.send(Method::POST, "/api/credentials", &body).await?;
    cx.show(&answer, |style, _| format!("{} stored credential {} of {}\n", style.green("✓"), plain(&set.name), plain(&set.provider)))
}

fn from_arguments(fields: &[Secret]) -> Result<Map<String, Value>, Failure> {
    let mut stdin = Stdin::default();
    let mut values = Map::new();
    for field in fields {
        // The text is not told: what stands there may be a value whose name was forgotten.
        let wrong = || Failure::usage("a --field is no NAME=VALUE; write --field api_key=@file");
        let (name, value) = field.expose().split_once('=').ok_or_else(wrong)?;
        let value = match value.strip_prefix('@') {
            Some(file) => stdin.read(file, &format!("--field {name}"))?.text.trim_end_matches(['\n', '\r']).to_owned(),
            None => value.to_owned(),
        };
        values.insert(name.trim().to_owned(), Value::String(value));
    }
    Ok(values)
}

fn from_questions(known: &[&Value]) -> Result<Map<String, Value>, Failure> {
    let mut values = Map::new();
    for field in known {
        let name = field["name"].as_str().unwrap_or_default();
        let title = plain(field["title"].as_str().unwrap_or(name)).into_owned();
        let optional = if field["required"] == true { "" } else { " (may stay empty)" };
        let value = prompt::ask(&format!("{title}{optional}"), field["secret"] == true)?;
        if !value.expose().is_empty() {
            values.insert(name.to_owned(), Value::String(value.expose().to_owned()));
        }
    }
    Ok(values)
}

/// Fields from standard input, in the simplest form that fits.
fn from_text(text: &str, known: &[&Value]) -> Result<Map<String, Value>, Failure> {
    if let Ok(Value::Object(fields)) = serde_json::from_str(text) {
        return Ok(fields);
    }
    let names: Vec<&str> = known.iter().filter_map(|field| field["name"].as_str()).collect();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let named = |line: &&str| {
        line.split_once('=')
            .map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
            .filter(|(name, _)| names.contains(&name.as_str()))
    };
    let pairs: Vec<(String, String)> = lines.iter().filter_map(named).collect();
    if !pairs.is_empty() && pairs.len() == lines.len() {
        return Ok(pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect());
    }
    let required: Vec<&str> = known.iter().filter(|field| field["required"] == true).filter_map(|field| field["name"].as_str()).collect();
    match required.as_slice() {
        [only] if !lines.is_empty() => {
            Ok(Map::from_iter([((*only).to_owned(), Value::String(text.trim_end_matches(['\n', '\r']).to_owned()))]))
        }
        _ => Err(Failure::usage(format!(
            "standard input holds no fields; write a JSON object or lines of name=value, with {}",
            names.join(", ")
        ))),
    }
}

async fn list(cx: &Cx, api: &Api, list: &List) -> Result<Exit, Failure> {
    let query: Vec<(&str, String)> = list.provider.iter().map(|provider| ("provider", provider.clone())).collect();
    let answer = api.get("/api/credentials", &query).await?;
    cx.show(&answer, |style, width| {
        let mut rows = Rows::new(
            ["id", "provider", "name", "whose", "valid", "expires", "last used", "fields"],
            "no credential is stored; `mainspring credential set PROVIDER` stores one",
        );
        for credential in answer["credentials"].as_array().into_iter().flatten() {
            let text = |field: &str| credential[field].as_str().unwrap_or_default().to_owned();
            let fields = text_list(credential["fields"].as_array().into_iter().flatten().filter_map(Value::as_str));
            let valid = match (&credential["needs_reconnect"], &credential["valid"]) {
                (Value::String(_), _) => "connect again",
                (_, Value::Bool(true)) => "yes",
                _ => "no",
            };
            rows.add([
                text("id"),
                text("provider"),
                text("name"),
                text("access"),
                valid.to_owned(),
                moment_of(&credential["expires_at"]),
                moment_of(&credential["last_used_at"]),
                fields,
            ]);
        }
        rows.render(width, style)
    })
}

async fn test(cx: &Cx, api: &Api, test: &Test) -> Result<Exit, Failure> {
    let answer = api.send(Method::POST, &format!("/api/credentials/{}/test", part(&test.id)), &json!({ "url": test.url })).await?;
    let status = answer["status"].as_str().unwrap_or_default();
    let shown = cx.show(&answer, |_, _| format!("{}: {}\n", plain(status), plain(answer["message"].as_str().unwrap_or_default())))?;
    Ok(if matches!(status, "refused" | "failed") { Exit::RunFailed } else { shown })
}

async fn delete(cx: &Cx, api: &Api, delete: &Delete) -> Result<Exit, Failure> {
    let query: Vec<(&str, String)> = if delete.all { Vec::new() } else { vec![("name", delete.name.clone())] };
    let answer = api.delete(&format!("/api/provider-credentials/{}", part(&delete.provider)), &query).await;
    let answer = answer.map_err(|failure| {
        if failure.exit == Exit::NotFound { failure.next("`mainspring credential list` shows which there are") } else { failure }
    })?;
    cx.show(&answer, |style, _| {
        let what = if delete.all { "all credentials".to_owned() } else { format!("credential {}", plain(&delete.name)) };
        format!("{} deleted {what} of {}\n", style.green("✓"), plain(&delete.provider))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Value {
        json!([{"name": "api_key", "required": true, "secret": true}, {"name": "base_url", "required": false, "secret": false}])
    }

    fn read(text: &str) -> Result<Value, String> {
        let known = known();
        let fields: Vec<&Value> = known.as_array().unwrap().iter().collect();
        from_text(text, &fields).map(Value::Object).map_err(|failure| failure.message)
    }

    #[test]
    fn standard_input_is_read_in_the_form_that_fits() {
        assert_eq!(read("{\"api_key\": \"a=b\"}\n"), Ok(json!({"api_key": "a=b"})));
        assert_eq!(read("api_key=sk-1=\nbase_url=http://x\n"), Ok(json!({"api_key": "sk-1=", "base_url": "http://x"})));
        assert_eq!(read("sk-abc==\n"), Ok(json!({"api_key": "sk-abc=="})));
        assert_eq!(read("-----BEGIN-----\nabc=\n-----END-----\n"), Ok(json!({"api_key": "-----BEGIN-----\nabc=\n-----END-----"})));
        let refused = read("\n").unwrap_err();
        assert!(refused.contains("api_key, base_url"), "{refused}");
    }

    #[test]
    fn no_message_repeats_a_value() {
        let failure = from_arguments(&[Secret::new("hunter2")]).unwrap_err();
        assert!(!format!("{failure:?}").contains("hunter2"));
        let set = Set {
            provider: "openai".into(),
            name: "default".into(),
            field: vec![Secret::new("api_key=hunter2")],
            organization: false,
            host: vec![],
            expires_at: None,
        };
        assert!(!format!("{set:?}").contains("hunter2"));
    }
}
