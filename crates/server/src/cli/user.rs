//! `mainspring owner` and `mainspring user`: the accounts of an installation, by whoever can open its data.

use std::io::IsTerminal;

use clap::{Args, Subcommand};
use mainspring_model::id::UserId;
use mainspring_model::store::{Paging, UserRecord};
use mainspring_vault::Secret;
use serde_json::{Value, json};

use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::table::Rows;
use super::text::{moment_of, plain};
use super::user_delete::{self, Delete};
use super::{place, prompt};
use crate::app::App;
use crate::identity::accounts::{AccountError, NewAccount};
use crate::identity::links::Purpose;
use crate::identity::policy;
use crate::identity::terms::FIRST_OWNER;

#[derive(Subcommand, Debug)]
pub(crate) enum OwnerCommand {
    /// Make the first owner of the installation, whose is all that was made on this machine before.
    #[command(after_help = "\
Examples:
  mainspring owner create --email ada@example.org --data /var/lib/mainspring
  mainspring owner create --email ada@example.org < password.txt
  mainspring owner create --link")]
    Create(CreateOwner),
}

#[derive(Args, Debug)]
pub(crate) struct CreateOwner {
    /// The owner's e-mail address.
    #[arg(long, value_name = "ADDRESS", required_unless_present = "link")]
    email: Option<String>,
    /// The owner's name.
    #[arg(long, value_name = "NAME", default_value = "")]
    name: String,
    /// Print a token that makes the owner once, within 24 hours, and ask for nothing.
    #[arg(long, conflicts_with = "email")]
    link: bool,
}

#[derive(Subcommand, Debug)]
pub(crate) enum UserCommand {
    /// List the accounts.
    #[command(after_help = "\
Example:
  mainspring user list -o json")]
    List,
    /// Make an account, with an organization of its own.
    #[command(after_help = "\
Examples:
  mainspring user create --email bob@example.org
  mainspring user create --email bob@example.org --operator < password.txt")]
    Create(CreateUser),
    /// Keep an account from being used; its sessions end, its API keys stop working.
    #[command(after_help = "\
Examples:
  mainspring user disable bob@example.org
  mainspring user disable bob@example.org --undo")]
    Disable(Disable),
    /// Set a new password; all sessions of the account end.
    #[command(after_help = "\
Examples:
  mainspring user reset-password bob@example.org
  mainspring user reset-password bob@example.org --without-second-factor < password.txt")]
    ResetPassword(ResetPassword),
    /// Delete an account for good, with all that is its own. Without --confirm it says what would go, and does nothing.
    #[command(after_help = "\
Examples:
  mainspring user delete bob@example.org
  mainspring user delete bob@example.org --confirm bob@example.org --delete-organization bob")]
    Delete(Delete),
}

#[derive(Args, Debug)]
pub(crate) struct CreateUser {
    /// The e-mail address.
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// The name.
    #[arg(long, value_name = "NAME", default_value = "")]
    name: String,
    /// May administer the whole installation.
    #[arg(long)]
    operator: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Disable {
    /// The account's e-mail address.
    #[arg(value_name = "ADDRESS")]
    email: String,
    /// Let it be used again.
    #[arg(long)]
    undo: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ResetPassword {
    /// The account's e-mail address.
    #[arg(value_name = "ADDRESS")]
    email: String,
    /// Remove its second factor too, for who lost it with all recovery codes.
    #[arg(long)]
    without_second_factor: bool,
}

pub(crate) async fn run_owner(cx: &Cx, command: &OwnerCommand) -> Result<Exit, Failure> {
    let app = folder(cx).await?;
    let OwnerCommand::Create(create) = command;
    let done = create_owner(cx, &app, create).await;
    app.store.close().await;
    done
}

pub(crate) async fn run(cx: &Cx, command: &UserCommand) -> Result<Exit, Failure> {
    let app = folder(cx).await?;
    let done = match command {
        UserCommand::List => list(cx, &app).await,
        UserCommand::Create(create) => self::create(cx, &app, create).await,
        UserCommand::Disable(disable) => self::disable(cx, &app, disable).await,
        UserCommand::ResetPassword(reset) => reset_password(cx, &app, reset).await,
        UserCommand::Delete(delete) => user_delete::run(cx, &app, delete).await,
    };
    app.store.close().await;
    done
}

async fn folder(cx: &Cx) -> Result<std::sync::Arc<App>, Failure> {
    if place::server(cx)?.is_some() {
        let failure = Failure::usage("accounts are kept on the server's own machine, not over its address");
        return Err(failure.next("run this on the server's machine with --data DIR, and without --server or MAINSPRING_URL"));
    }
    place::folder(cx).await
}

async fn create_owner(cx: &Cx, app: &App, create: &CreateOwner) -> Result<Exit, Failure> {
    if app.store.user(UserId::LOCAL).await?.is_some() {
        let failure = Failure::new(Exit::Invalid, "CONFLICT", "this installation has its owner already");
        return Err(failure.next("`mainspring user list` shows the accounts; `mainspring user create --operator` makes another operator"));
    }
    let Some(email) = &create.email else {
        let made = app.one_time(None, Purpose::FirstOwner, FIRST_OWNER, Value::Null).await;
        let token = made.map_err(|error| Failure::internal(error.to_string()))?;
        return cx.show(&json!({ "token": token.expose(), "path": "/first-owner" }), |_, _| format!("{}\n", token.expose()));
    };
    let password_hash = Some(hashed(app, email).await?);
    let new = NewAccount { email: email.clone(), name: create.name.clone(), password_hash, operator: true, verified: true };
    let user = app.make_first_owner(new).await.map_err(refused)?;
    show_made(cx, &user)
}

async fn create(cx: &Cx, app: &App, create: &CreateUser) -> Result<Exit, Failure> {
    let password_hash = Some(hashed(app, &create.email).await?);
    let new = NewAccount {
        email: create.email.clone(),
        name: create.name.clone(),
        password_hash,
        operator: create.operator,
        // Whoever makes accounts by hand knows whose they are.
        verified: true,
    };
    let user = app.make_account(new).await.map_err(refused)?;
    show_made(cx, &user)
}

fn show_made(cx: &Cx, user: &UserRecord) -> Result<Exit, Failure> {
    let value = shown(user);
    cx.show(&value, |style, _| format!("{} made the account {} ({})\n", style.green("✓"), plain(&user.email), user.id))
}

async fn list(cx: &Cx, app: &App) -> Result<Exit, Failure> {
    let mut users = Vec::new();
    let mut paging = Paging { limit: 200, cursor: None };
    loop {
        let page = app.store.list_users(&paging).await?;
        users.extend(page.items.iter().map(shown));
        paging.cursor = page.next_cursor;
        if paging.cursor.is_none() {
            break;
        }
    }
    cx.show(&json!({ "users": users }), |style, width| {
        let mut rows = Rows::new(
            ["id", "email", "name", "operator", "created", "disabled"],
            "there is no account; `mainspring owner create` makes the first",
        );
        for user in &users {
            let text = |field: &str| user[field].as_str().unwrap_or_default().to_owned();
            let operator = if user["operator"] == true { "yes" } else { "" };
            let (created, disabled) = (moment_of(&user["created_at"]), moment_of(&user["disabled_at"]));
            rows.add([text("id"), text("email"), text("name"), operator.to_owned(), created, disabled]);
        }
        rows.render(width, style)
    })
}

async fn disable(cx: &Cx, app: &App, disable: &Disable) -> Result<Exit, Failure> {
    let user = found(app, &disable.email).await?;
    let now = app.clock.now();
    let user = UserRecord { disabled_at: (!disable.undo).then_some(now), updated_at: now, ..user };
    app.store.put_user(&user).await?;
    app.store.end_sessions(user.id, None).await?;
    let what = if disable.undo { "enabled" } else { "disabled" };
    cx.show(&shown(&user), |style, _| format!("{} {what} {}\n", style.green("✓"), plain(&user.email)))
}

async fn reset_password(cx: &Cx, app: &App, reset: &ResetPassword) -> Result<Exit, Failure> {
    let user = found(app, &reset.email).await?;
    let hash = hashed(app, &user.email).await?;
    if !app.store.replace_password(user.id, user.password_hash.as_deref(), &hash).await? {
        return Err(Failure::new(Exit::Invalid, "CONFLICT", "the password was changed at the same time").next("try again"));
    }
    app.store.drop_one_time(Some(user.id), Purpose::ResetPassword.as_str()).await?;
    app.store.end_sessions(user.id, None).await?;
    if reset.without_second_factor {
        app.store.delete_second_factor(user.id).await?;
    }
    cx.show(&shown(&user), |style, _| format!("{} set a new password for {}\n", style.green("✓"), plain(&user.email)))
}

pub(super) async fn found(app: &App, email: &str) -> Result<UserRecord, Failure> {
    let user = app.store.user_by_email(email).await?;
    user.ok_or_else(|| Failure::not_found(format_args!("the account {email}")).next("`mainspring user list` shows the accounts"))
}

/// The password that is typed, or stands on standard input, hashed.
async fn hashed(app: &App, email: &str) -> Result<String, Failure> {
    let password = if std::io::stdin().is_terminal() {
        let password = prompt::ask("Password", true)?;
        if prompt::ask("Once more", true)?.expose() != password.expose() {
            return Err(Failure::usage("the two passwords differ"));
        }
        password
    } else {
        Secret::new(prompt::read_all()?.expose().trim_end_matches(['\n', '\r']))
    };
    if let Some(reason) = policy::weakness(password.expose(), email) {
        let failure = Failure::new(Exit::Invalid, "WEAK_PASSWORD", format!("this password is easily guessed: {reason}"));
        return Err(failure.next("take at least 10 characters that nobody else would"));
    }
    app.identity.hasher.hash(&password).await.map_err(|error| Failure::internal(error.to_string()))
}

fn refused(error: AccountError) -> Failure {
    match error {
        AccountError::Taken => Failure::new(Exit::Invalid, "CONFLICT", error.to_string()),
        AccountError::Email(_) => Failure::usage(error.to_string()),
        AccountError::Store(error) => error.into(),
        AccountError::Key(_) => Failure::internal(error.to_string()),
    }
}

/// An account without its password.
fn shown(user: &UserRecord) -> Value {
    let moment = |at: i64| jiff::Timestamp::from_millisecond(at).map(|at| at.to_string()).ok();
    json!({
        "id": user.id, "email": user.email, "name": user.name, "operator": user.operator,
        "email_verified": user.verified_at.is_some(), "created_at": moment(user.created_at),
        "disabled_at": user.disabled_at.and_then(moment),
    })
}
