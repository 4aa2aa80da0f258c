//! `mainspring retention`: what is removed by age and number, before it is.

use clap::Args;
use mainspring_model::store::{SIGNAL_KEPT, VERSIONS_KEPT};
use serde_json::{Value, json};

use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::place;
use super::table::Rows;
use super::text::moment_of;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  mainspring retention
  MAINSPRING_KEEP_RUNS_FOR=30d mainspring retention -o json | jq '.kinds[] | select(.kind == \"runs\")'
  mainspring retention --apply

A server does the same by itself once a minute, in small batches. Of each plan the last 100 published versions stay.")]
pub(crate) struct Retention {
    /// Remove it now instead of showing it.
    #[arg(long)]
    apply: bool,
}

/// Removed in one transaction.
const BATCH: u32 = 200;

pub(crate) async fn run(cx: &Cx, retention: &Retention) -> Result<Exit, Failure> {
    if place::server(cx)?.is_some() {
        let failure = Failure::usage("retention is looked at where the data lies, not over a server's address");
        return Err(failure.next("run this on the server's machine with --data DIR, and without --server or MAINSPRING_URL"));
    }
    let keep = place::settings(cx)?.retention;
    let app = place::folder(cx).await?;
    let shown = async {
        let found = app.store.prunable(&keep).await?;
        let mut removed = 0;
        if retention.apply {
            loop {
                match app.store.prune(&keep, BATCH).await? {
                    0 => break,
                    some => removed += some,
                }
            }
            while app.store.prune_signals(app.clock.now() - SIGNAL_KEPT, BATCH).await? > 0 {}
        }
        Ok::<_, Failure>((found, removed))
    };
    let shown = shown.await;
    app.store.close().await;
    let (found, removed) = shown?;
    let moment = |at| jiff::Timestamp::from_millisecond(at).map(|at| at.to_string()).ok();
    let kinds: Vec<Value> =
        found.iter().map(|one| json!({"kind": one.kind, "rows": one.rows, "oldest": one.oldest.and_then(moment)})).collect();
    let value = json!({"applied": retention.apply, "removed_runs": removed, "keep_runs_for_s": keep.max_age.as_secs(),
        "keep_runs": keep.max_runs, "keep_versions": VERSIONS_KEPT, "kinds": kinds});
    cx.show(&value, |style, width| {
        let heading = if retention.apply { "removed" } else { "would be removed" };
        let mut rows = Rows::new(["kind", heading, "oldest"], "");
        for kind in &kinds {
            rows.add([kind["kind"].as_str().unwrap_or_default().to_owned(), kind["rows"].to_string(), moment_of(&kind["oldest"])]);
        }
        let kept = format!("of each plan the last {VERSIONS_KEPT} published versions stay, and those that runs need");
        format!("{}{}\n", rows.render(width, style), style.dim(&kept))
    })
}
