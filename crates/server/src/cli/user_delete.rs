//! `mainspring user delete`: an account goes for good, after saying what goes with it.

use clap::Args;
use mainspring_model::store::{Erasure, email_key};
use serde_json::json;

use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::text::plain;
use super::user;
use crate::app::App;

/// Rows of one transaction.
const BATCH: u32 = 500;

#[derive(Args, Debug)]
pub(crate) struct Delete {
    /// The account's e-mail address.
    #[arg(value_name = "ADDRESS")]
    email: String,
    /// The address once more: nothing brings the account back.
    #[arg(long, value_name = "ADDRESS")]
    confirm: Option<String>,
    /// An organization that nobody else is in, which goes with the account; for each such organization once.
    #[arg(long, value_name = "SLUG")]
    delete_organization: Vec<String>,
}

pub(crate) async fn run(cx: &Cx, app: &App, delete: &Delete) -> Result<Exit, Failure> {
    let user = user::found(app, &delete.email).await?;
    let deletion = app.look_at_deletion(&user).await?;
    if !deletion.in_the_way.is_empty() {
        // Written for the person themselves.
        let reason = deletion.in_the_way.join("; ");
        return Err(Failure::new(Exit::Invalid, "CONFLICT", format!("{} cannot be deleted: {reason}", plain(&user.email))));
    }
    let slugs: Vec<&str> = deletion.alone.iter().map(|org| org.slug.as_str()).collect();
    let left: Vec<&str> = deletion.left.iter().map(|(org, _)| org.slug.as_str()).collect();
    if delete.confirm.as_deref().map(email_key) != Some(email_key(&user.email)) {
        let said = format!(
            "nothing was done: this cannot be undone. It takes the account with its API keys, personal credentials and sessions, the organizations \
             [{}] with everything in them, and the membership in [{}]",
            slugs.join(", "),
            left.join(", ")
        );
        let again: String = slugs.iter().map(|slug| format!(" --delete-organization {slug}")).collect();
        return Err(Failure::usage(said).next(format!("mainspring user delete {0} --confirm {0}{again}", plain(&user.email))));
    }
    if let Some(slug) = slugs.iter().find(|slug| !delete.delete_organization.iter().any(|named| named == *slug)) {
        let failure = Failure::usage(format!("nobody else is in {slug}: it is deleted with everything in it"));
        return Err(failure.next(format!("add --delete-organization {slug} to agree")));
    }
    app.delete_account(&user, &deletion).await?;
    for org in &deletion.alone {
        // What a server still runs is removed by it when the runs have ended.
        while let Erasure::Removed(_) = app.store.erase(org.id, BATCH).await? {}
    }
    let value = json!({ "id": user.id, "left": left, "deleted": slugs });
    cx.show(&value, |style, _| format!("{} deleted the account {}\n", style.green("✓"), user.id))
}
