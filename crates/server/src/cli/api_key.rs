//! `mainspring api-key`: the keys by which programs call the server.

use std::time::Duration;

use clap::{Args, Subcommand};
use mainspring_model::clock::Millis;
use mainspring_model::duration;
use mainspring_model::id::{ApiKeyId, Owner};
use mainspring_model::role::Permission;
use mainspring_model::scope::Scope;
use mainspring_model::store::ApiKeyRecord;
use mainspring_vault::Token;
use serde_json::{Value, json};

use super::exit::Exit;
use super::failure::Failure;
use super::output::{Cx, Format};
use super::place;
use super::table::Rows;
use super::text::{moment_of, plain};
use crate::app::App;

#[derive(Subcommand, Debug)]
pub(crate) enum ApiKeyCommand {
    /// Make a key. It is printed once and cannot be read again.
    #[command(after_help = "\
Examples:
  mainspring api-key create --name ci --data /var/lib/mainspring
  mainspring api-key create --name watch --scope read
  MAINSPRING_API_KEY=$(mainspring api-key create -q --name laptop --expires 90d)")]
    Create(Create),
    /// List the keys, without the keys themselves.
    #[command(after_help = "\
Example:
  mainspring api-key list")]
    List,
    /// Delete a key; it stops working within seconds.
    #[command(after_help = "\
Example:
  mainspring api-key delete 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10")]
    Delete(Delete),
}

#[derive(Args, Debug)]
pub(crate) struct Create {
    /// What it is for, to tell keys apart.
    #[arg(long, value_name = "NAME", default_value = "api key")]
    name: String,
    /// How long it works (30d, 12h); for ever unless written.
    #[arg(long, value_name = "DURATION", value_parser = expiry)]
    expires: Option<Duration>,
    /// What it may do: a permission such as plan:view, or read, or write; several times for several. All unless written.
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
    scopes: Vec<String>,
}

fn scope(text: &str) -> Result<String, String> {
    let known = || Permission::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
    Scope::of([text]).map(|_| text.to_owned()).map_err(|_| format!("there are read, write, {}", known()))
}

fn expiry(text: &str) -> Result<Duration, String> {
    let expires = duration::parse_text(text)?;
    if expires.is_zero() { Err("a key that has expired already is of no use".to_owned()) } else { Ok(expires) }
}

#[derive(Args, Debug)]
pub(crate) struct Delete {
    /// The key's id, as `api-key list` shows it.
    #[arg(value_name = "ID")]
    id: String,
}

pub(crate) async fn run(cx: &Cx, command: &ApiKeyCommand) -> Result<Exit, Failure> {
    if place::server(cx)?.is_some() {
        let failure = Failure::usage("keys are made on the server's data folder, not over its address");
        return Err(failure.next("run this on the server's machine with --data DIR, and without --server or MAINSPRING_URL"));
    }
    let app = place::folder(cx).await?;
    let done = match command {
        ApiKeyCommand::Create(create) => self::create(cx, &app, create).await,
        ApiKeyCommand::List => list(cx, &app).await,
        ApiKeyCommand::Delete(delete) => self::delete(cx, &app, delete).await,
    };
    app.store.close().await;
    done
}

async fn create(cx: &Cx, app: &App, create: &Create) -> Result<Exit, Failure> {
    let name = create.name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Failure::usage("--name is text of 1 to 100 characters"));
    }
    let token = Token::generate(Token::API_KEY, app.vault.entropy())?;
    let now = app.clock.now();
    let expires_at = create.expires.map(|expires| now.saturating_add(Millis::try_from(expires.as_millis()).unwrap_or(Millis::MAX)));
    let record = ApiKeyRecord {
        id: ApiKeyId(app.engine.new_id()),
        owner: Owner::LOCAL,
        name: name.to_owned(),
        hash: token.hash().0.to_vec(),
        created_at: now,
        expires_at,
        last_used_at: None,
        scopes: (!create.scopes.is_empty()).then(|| create.scopes.clone()),
    };
    app.store.put_api_key(&record).await?;
    let mut value = shown(&record);
    value["key"] = json!(token.expose());
    if cx.format == Format::Table {
        cx.note(&format!("This key is shown once. Keep it where secrets are kept; {} names it for `api-key delete`.", record.id));
    }
    // The key alone on standard output, so that `$(…)` takes it.
    cx.show(&value, |_, _| format!("{}\n", token.expose()))
}

async fn list(cx: &Cx, app: &App) -> Result<Exit, Failure> {
    let keys: Vec<Value> = app.store.list_api_keys(Owner::LOCAL.org).await?.iter().map(shown).collect();
    cx.show(&json!({ "api_keys": keys }), |style, width| {
        let mut rows =
            Rows::new(["id", "name", "created", "expires", "last used"], "there is no key; `mainspring api-key create` makes one");
        for key in &keys {
            let text = |field: &str| key[field].as_str().unwrap_or_default().to_owned();
            let expires = moment_of(&key["expires_at"]);
            let expires = if expires.is_empty() { "never".to_owned() } else { expires };
            rows.add([text("id"), text("name"), moment_of(&key["created_at"]), expires, moment_of(&key["last_used_at"])]);
        }
        rows.render(width, style)
    })
}

async fn delete(cx: &Cx, app: &App, delete: &Delete) -> Result<Exit, Failure> {
    let hint = "`mainspring api-key list` shows ids";
    let wrong = |_| Failure::usage("this is no key's id; the key itself is not stored and cannot be looked up").next(hint);
    let id: ApiKeyId = delete.id.parse().map_err(wrong)?;
    if !app.store.delete_api_key(Owner::LOCAL.org, id).await? {
        return Err(Failure::not_found(format_args!("API key {id}")).next(hint));
    }
    cx.show(&json!({ "deleted": id }), |style, _| format!("{} deleted key {}\n", style.green("✓"), plain(&delete.id)))
}

/// A key's record without its hash.
fn shown(record: &ApiKeyRecord) -> Value {
    let moment = |at: Millis| jiff::Timestamp::from_millisecond(at).map(|at| at.to_string()).ok();
    json!({
        "id": record.id, "name": record.name, "scopes": record.scopes, "created_at": moment(record.created_at),
        "expires_at": record.expires_at.and_then(moment), "last_used_at": record.last_used_at.and_then(moment),
    })
}
