//! `mainspring key`: the keys that seal what is stored; which are in use, and new ones for old.

use clap::{Args, Subcommand};
use mainspring_engine::{DataKeysRotated, KeyReport};
use serde_json::{Value, json};

use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::place;
use super::table::Rows;
use crate::app::App;

#[derive(Subcommand, Debug)]
pub(crate) enum KeyCommand {
    /// Show which keys are in use, by how much, and which old one may go.
    #[command(after_help = "\
Examples:
  mainspring key report
  mainspring key report -o json")]
    Report,
    /// Put new keys in the place of old ones, while servers go on working.
    ///
    /// Every data key is wrapped by the first key of ENCRYPTION_KEY or of the key file, and the old key may go. Give every
    /// server the new key first: as the second of the list, then as the first with the old one behind it.
    #[command(after_help = "\
Examples:
  ENCRYPTION_KEY=NEW,OLD mainspring key rotate
  mainspring key rotate --data-keys")]
    Rotate(Rotate),
}

#[derive(Args, Debug)]
pub(crate) struct Rotate {
    /// Also give each organization a new data key, and seal every stored value by it. It can be interrupted and run again.
    #[arg(long)]
    data_keys: bool,
}

pub(crate) async fn run(cx: &Cx, command: &KeyCommand) -> Result<Exit, Failure> {
    if place::server(cx)?.is_some() {
        let failure = Failure::usage("keys are changed on the server's data, not over its address");
        return Err(failure.next("run this where ENCRYPTION_KEY or the key file is, without --server or MAINSPRING_URL"));
    }
    let app = place::folder(cx).await?;
    let done = match command {
        KeyCommand::Report => report(cx, &app).await,
        KeyCommand::Rotate(rotate) => self::rotate(cx, &app, rotate).await,
    };
    app.store.close().await;
    done
}

async fn report(cx: &Cx, app: &App) -> Result<Exit, Failure> {
    let report = app.engine.credentials().key_report().await?;
    cx.show(&shown(&report), |style, width| {
        let mut ring = Rows::new(["key", "use", "data keys", "may go"], "there is no key");
        for key in &report.ring {
            let what = match (key.given, key.seals) {
                (false, _) => "MISSING from the keys given",
                (_, true) => "seals",
                (_, false) => "opens",
            };
            let go = if key.may_go() { "yes" } else { "no" };
            ring.add([key.id.clone(), what.to_owned(), key.data_keys.to_string(), go.to_owned()]);
        }
        let mut data = Rows::new(["organization", "version", "use", "wrapped by", "rows"], "no data key was made yet");
        for key in &report.data_keys {
            let what = if key.newest { "seals" } else { "opens" };
            data.add([key.org.to_string(), key.version.to_string(), what.to_owned(), key.kek_id.clone(), key.rows.to_string()]);
        }
        let old = report.rows_under_old_keys();
        let advice = match (old, report.damaged) {
            (0, 0) => String::new(),
            (old, 0) => format!("\n{old} rows are sealed by older data keys; `mainspring key rotate --data-keys` seals them anew\n"),
            (_, damaged) => format!("\n{damaged} rows hold a value that no key of theirs can have sealed; restore them from a backup\n"),
        };
        format!("{}\n{}{advice}", ring.render(width, style), data.render(width, style))
    })
}

fn shown(report: &KeyReport) -> Value {
    let ring: Vec<Value> = report
        .ring
        .iter()
        .map(|key| {
            json!({
                "id": key.id, "given": key.given, "seals": key.seals, "data_keys": key.data_keys, "canary": key.canary,
                "may_go": key.may_go(),
            })
        })
        .collect();
    let data: Vec<Value> = report
        .data_keys
        .iter()
        .map(|key| json!({ "organization": key.org, "version": key.version, "newest": key.newest, "wrapped_by": key.kek_id, "rows": key.rows }))
        .collect();
    json!({ "ring": ring, "data_keys": data, "rows_under_old_keys": report.rows_under_old_keys(), "damaged": report.damaged })
}

async fn rotate(cx: &Cx, app: &App, rotate: &Rotate) -> Result<Exit, Failure> {
    let credentials = app.engine.credentials();
    let ring = credentials.rotate_ring().await?;
    let mut value = json!({ "key": ring.key.to_string(), "rewrapped": ring.rewrapped, "new_canary": ring.canary });
    let mut text = format!("{} data keys wrapped by {}; it wraps all of them now\n", ring.rewrapped, ring.key);
    if rotate.data_keys {
        let mut last = 0;
        let done = credentials
            .rotate_data_keys(&mut |org, done: DataKeysRotated| {
                if done.rows >= last + 1_000 {
                    last = done.rows;
                    cx.note(&format!("{} rows sealed anew; organization {org}", done.rows));
                }
            })
            .await?;
        value["data_keys"] =
            json!({ "organizations": done.organizations, "resumed": done.resumed, "rows": done.rows, "unopened": done.unopened });
        text.push_str(&format!("{} rows of {} organizations sealed by new data keys\n", done.rows, done.organizations));
        if done.resumed > 0 {
            text.push_str(&format!(
                "{} of them had an unfinished rotation, which was finished; run this again for a new key there\n",
                done.resumed
            ));
        }
        if done.unopened > 0 {
            text.push_str(&format!("{} rows do not open and were left as they are; the log names them\n", done.unopened));
        }
    }
    cx.show(&value, |style, _| format!("{} {text}", style.green("✓")))
}
