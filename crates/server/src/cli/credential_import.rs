//! `mainspring credential import`: credentials of an earlier system, opened by its Fernet key and sealed anew. No value is shown.

use std::collections::{BTreeMap, BTreeSet};

use ::http::Method;
use clap::Args;
use mainspring_model::credential::Secret;
use mainspring_vault::FernetKey;
use serde_json::{Map, Value, json};

use super::api::{Api, part};
use super::document::Stdin;
use super::earlier_rows::{self, Row};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::table::Rows;
use super::text::plain;

#[derive(Args, Debug)]
pub(crate) struct Import {
    /// The rows: JSON, JSON Lines, CSV with a header, or a dump by pg_dump; `-` for standard input.
    #[arg(value_name = "FILE")]
    file: String,
    /// The earlier system's key: `@file`, which keeps it off the command line, or the key itself.
    #[arg(long, value_name = "KEY", env = "FERNET_KEY", hide_env_values = true, value_parser = hidden)]
    fernet_key: Secret,
    /// Whose rows are taken, by their `user_id`; they become the caller's own. Needed when there are several users.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Replace what is stored under the same name.
    #[arg(long)]
    replace: bool,
    /// Open and check everything, store nothing.
    #[arg(long)]
    dry_run: bool,
}

/// So that no debug print of the arguments can show it.
fn hidden(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// What became of a row.
struct Told {
    /// From 1, in the order of the file.
    row: usize,
    provider: String,
    name: String,
    field: String,
    status: &'static str,
    reason: String,
}

/// A credential that comes together from rows.
#[derive(Default)]
struct Together {
    fields: BTreeMap<String, Secret>,
    expires_at: Option<String>,
    rows: Vec<(usize, String)>,
}

pub(super) async fn import(cx: &Cx, api: &Api, import: &Import) -> Result<Exit, Failure> {
    let mut stdin = Stdin::default();
    let key = match import.fernet_key.expose().strip_prefix('@') {
        Some(file) => Secret::new(stdin.read(file, "--fernet-key")?.text),
        None => import.fernet_key.clone(),
    };
    let key = FernetKey::parse(key.expose()).map_err(|error| Failure::usage(format!("--fernet-key: {error}")))?;
    let text = stdin.read(&import.file, "FILE")?.text;
    let rows = earlier_rows::read(&text).map_err(|wrong| Failure::usage(format!("{}: {wrong}", import.file)))?;
    let users: BTreeSet<String> = rows.iter().map(|row| cell(row, "user_id").to_owned()).collect();
    if import.user.is_none() && users.len() > 1 {
        let users: Vec<String> = users.iter().take(10).map(|user| plain(user).into_owned()).collect();
        let text = format!("the rows are of several users; choose one with --user ({})", users.join(", "));
        return Err(Failure::usage(text));
    }
    let mut told = Vec::new();
    let mut together: BTreeMap<(String, String), Together> = BTreeMap::new();
    for (row, cells) in rows.iter().enumerate().filter(|(_, cells)| import.user.as_ref().is_none_or(|user| cell(cells, "user_id") == user))
    {
        let (provider, name, field) = (provider_of(cells), name_of(cells), field_of(cells));
        let opened = key.open(cell(cells, "encrypted_value")).map_err(|error| error.to_string());
        let value =
            opened.and_then(|plain| std::str::from_utf8(&plain).map(Secret::new).map_err(|_| "what it holds is no text".to_owned()));
        match value {
            Err(reason) => told.push(Told { row: row + 1, provider, name, field, status: "refused", reason }),
            Ok(value) => {
                let credential = together.entry((provider, name)).or_default();
                let ends = [cell(cells, "expires_at"), cell(cells, "token_expires_at")].into_iter().find(|text| !text.is_empty());
                match ends {
                    Some(ends) if field == "access_token" => {
                        drop(credential.fields.insert("expires_at".to_owned(), Secret::new(moment(ends))))
                    }
                    Some(ends) if credential.expires_at.as_ref().is_none_or(|known| moment(ends) < *known) => {
                        credential.expires_at = Some(moment(ends));
                    }
                    _ => {}
                }
                credential.rows.push((row + 1, field.clone()));
                credential.fields.insert(field, value);
            }
        }
    }
    if told.is_empty() && together.is_empty() {
        return Err(Failure::usage("no row is of that user"));
    }
    for ((provider, name), credential) in together {
        store(api, import, provider, name, credential, &mut told).await?;
    }
    told.sort_by_key(|told| told.row);
    show(cx, import, &told)
}

async fn store(
    api: &Api,
    import: &Import,
    provider: String,
    name: String,
    mut credential: Together,
    told: &mut Vec<Told>,
) -> Result<(), Failure> {
    let say = |row: usize, field: String, status, reason: &str| Told {
        row,
        provider: provider.clone(),
        name: name.clone(),
        field,
        status,
        reason: reason.to_owned(),
    };
    // The earlier system kept no address for it.
    if credential.fields.contains_key("refresh_token") && !credential.fields.contains_key("token_url") {
        credential.fields.remove("refresh_token");
        let (left, taken): (Vec<_>, Vec<_>) = credential.rows.into_iter().partition(|(_, field)| field == "refresh_token");
        let reason = "a refresh token needs the token_url that renews it; connect it again";
        told.extend(left.into_iter().map(|(row, field)| say(row, field, "refused", reason)));
        credential.rows = taken;
    }
    if credential.rows.is_empty() {
        return Ok(());
    }
    let (status, reason) = match checked(api, import, &provider, &name, &credential).await {
        Ok(Some(reason)) => ("kept", reason),
        Ok(None) if import.dry_run => ("would import", String::new()),
        Ok(None) => {
            let fields: Map<String, Value> =
                credential.fields.iter().map(|(field, value)| (field.clone(), Value::String(value.expose().to_owned()))).collect();
            let mut body = json!({ "provider": provider, "name": name, "credentials": fields });
            if let Some(at) = &credential.expires_at {
                body["expires_at"] = json!(at);
            }
            match api.send(Method::POST, "/api/credentials", &body).await {
                Ok(_) => ("imported", String::new()),
                Err(failure) => ("refused", refusal(failure)?),
            }
        }
        Err(failure) => ("refused", refusal(failure)?),
    };
    told.extend(credential.rows.into_iter().map(|(row, field)| say(row, field, status, &reason)));
    Ok(())
}

/// Whether it can be stored; the reason why what is there is kept.
async fn checked(api: &Api, import: &Import, provider: &str, name: &str, credential: &Together) -> Result<Option<String>, Failure> {
    let known = api.get(&format!("/api/providers/{}", part(provider)), &[]).await?;
    let fields: Vec<&str> =
        known["credential_fields"].as_array().into_iter().flatten().filter_map(|field| field["name"].as_str()).collect();
    let takes = |field: &&String| fields.contains(&field.as_str()) || mainspring_model::oauth::FIELDS.contains(&field.as_str());
    if let Some(field) = credential.fields.keys().find(|field| !takes(field)) {
        let text = format!("a credential of {provider} has no field \"{}\"; it has {}", plain(field), fields.join(", "));
        return Err(Failure::usage(text));
    }
    let stored = api.get("/api/credentials", &[("provider", provider.to_owned())]).await?;
    let mut own = stored["credentials"].as_array().into_iter().flatten().filter(|one| one["access"] == "own");
    let taken = !import.replace && own.any(|one| one["name"] == name);
    Ok(taken.then(|| "one of that name is stored; --replace replaces it".to_owned()))
}

/// What concerns one row is told with it; that the server is away or refuses the caller ends the command.
fn refusal(failure: Failure) -> Result<String, Failure> {
    match failure.exit {
        Exit::NotFound | Exit::Invalid | Exit::Usage => Ok(failure.message),
        _ => Err(failure),
    }
}

fn show(cx: &Cx, import: &Import, told: &[Told]) -> Result<Exit, Failure> {
    let count = |status: &str| told.iter().filter(|told| told.status == status).count();
    let rows: Vec<Value> = told
        .iter()
        .map(|told| json!({ "row": told.row, "provider": told.provider, "name": told.name, "field": told.field, "status": told.status, "reason": told.reason }))
        .collect();
    let refused = count("refused");
    let value =
        json!({ "dry_run": import.dry_run, "imported": count("imported"), "kept": count("kept"), "refused": refused, "rows": rows });
    let shown = cx.show(&value, |style, width| {
        let mut table = Rows::new(["row", "provider", "name", "field", "status", "reason"], "there is no row");
        for told in told {
            let text = |text: &str| plain(text).into_owned();
            table.add([
                told.row.to_string(),
                text(&told.provider),
                text(&told.name),
                text(&told.field),
                told.status.to_owned(),
                text(&told.reason),
            ]);
        }
        table.render(width, style)
    })?;
    Ok(if refused > 0 { Exit::RunFailed } else { shown })
}

fn cell<'a>(row: &'a Row, column: &str) -> &'a str {
    row.get(column).and_then(Value::as_str).unwrap_or_default()
}

fn provider_of(row: &Row) -> String {
    match (cell(row, "provider"), cell(row, "integration_id")) {
        ("", "") => String::new(),
        ("", integration) => format!("custom_{integration}"),
        (provider, _) => provider.to_owned(),
    }
}

fn name_of(row: &Row) -> String {
    Some(cell(row, "name")).filter(|name| !name.is_empty()).unwrap_or("default").to_owned()
}

/// What the earlier system called a type is a field here.
fn field_of(row: &Row) -> String {
    let kind = [cell(row, "type"), cell(row, "credential_type")].into_iter().find(|kind| !kind.is_empty()).unwrap_or("api_key");
    match kind {
        "oauth_token" => "access_token".to_owned(),
        "oauth_refresh_token" => "refresh_token".to_owned(),
        other => other.to_owned(),
    }
}

/// A moment of PostgreSQL, `2026-03-01 08:00:00+00`, as RFC 3339 has it.
fn moment(text: &str) -> String {
    let mut text = text.trim().replacen(' ', "T", 1);
    let zone = text.get(10..).and_then(|time| time.rfind(['+', '-', 'Z', 'z'])).map(|at| text.len() - (at + 10));
    match zone {
        None => text.push('Z'),
        Some(3) => text.push_str(":00"),
        Some(_) => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_a_dump_are_rfc_3339() {
        for (text, expected) in [
            ("2026-03-01 08:00:00+00", "2026-03-01T08:00:00+00:00"),
            ("2026-03-01 08:00:00.5+02:00", "2026-03-01T08:00:00.5+02:00"),
            ("2026-03-01T08:00:00", "2026-03-01T08:00:00Z"),
            ("2026-03-01T08:00:00Z", "2026-03-01T08:00:00Z"),
        ] {
            assert_eq!(moment(text), expected);
        }
    }
}
