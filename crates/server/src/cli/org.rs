//! `mainspring org`: organizations, their members, invitations and variables.

use ::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::api::{Api, part};
use super::exit::Exit;
use super::failure::Failure;
use super::invitation::{self, Invite, Resend};
use super::output::Cx;
use super::table::Rows;
use super::text::{moment_of, plain};
use super::{place, prompt};

#[derive(Subcommand, Debug)]
pub(crate) enum OrgCommand {
    /// List the organizations that you are a member of.
    #[command(after_help = "\
Example:
  mainspring org list")]
    List,
    /// Make an organization; you are its owner.
    #[command(after_help = "\
Example:
  mainspring org create 'North Wind'")]
    Create {
        /// Its name; the slug follows from it.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Show who is what in an organization.
    #[command(after_help = "\
Example:
  mainspring org members north-wind")]
    Members(Which),
    /// Give a member another role.
    #[command(after_help = "\
Example:
  mainspring org role north-wind 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10 admin")]
    Role {
        #[command(flatten)]
        which: Which,
        /// The member's user id, as `org members` shows it.
        #[arg(value_name = "USER")]
        user: String,
        /// viewer, member, admin or owner.
        #[arg(value_name = "ROLE")]
        role: String,
    },
    /// Remove a member; their plans go on as yours.
    #[command(after_help = "\
Example:
  mainspring org remove north-wind 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10")]
    Remove {
        #[command(flatten)]
        which: Which,
        /// The member's user id, as `org members` shows it.
        #[arg(value_name = "USER")]
        user: String,
    },
    /// Make the link that lets somebody in; it is shown once, and mailed to the address when the installation has a mail server.
    #[command(after_help = "\
Examples:
  mainspring org invite north-wind --role viewer
  mainspring org invite north-wind --email ada@example.com --expires 3d")]
    Invite(Invite),
    /// Show the invitations.
    #[command(after_help = "\
Example:
  mainspring org invitations north-wind")]
    Invitations(Which),
    /// Make a new link for an invitation and mail it again; the one before works no longer.
    #[command(after_help = "\
Example:
  mainspring org resend north-wind 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10")]
    Resend(Resend),
    /// Take an invitation back.
    #[command(after_help = "\
Example:
  mainspring org revoke north-wind 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10")]
    Revoke {
        #[command(flatten)]
        which: Which,
        /// The invitation's id, as `org invitations` shows it.
        #[arg(value_name = "INVITATION")]
        invitation: String,
    },
    /// Show the variables that plans read as `org.NAME`.
    #[command(after_help = "\
Example:
  mainspring org variables north-wind")]
    Variables(Which),
    /// Write a variable.
    #[command(after_help = "\
Examples:
  mainspring org set north-wind REGION eu-central
  mainspring org set north-wind API_TOKEN --secret")]
    Set(Set),
    /// Delete a variable.
    #[command(after_help = "\
Example:
  mainspring org unset north-wind REGION")]
    Unset {
        #[command(flatten)]
        which: Which,
        /// The variable's name.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Show or set how many runs of an organization may be at work.
    #[command(after_help = "\
Examples:
  mainspring org limit north-wind
  mainspring org limit north-wind --runs 8
  mainspring org limit north-wind --none")]
    Limit {
        #[command(flatten)]
        which: Which,
        /// At most so many; the rest stays queued.
        #[arg(long, value_name = "RUNS")]
        runs: Option<u32>,
        /// Take the organization's own limit away.
        #[arg(long, conflicts_with = "runs")]
        none: bool,
    },
    /// Delete an organization with everything in it.
    #[command(after_help = "\
Example:
  mainspring org delete north-wind --confirm north-wind")]
    Delete {
        #[command(flatten)]
        which: Which,
        /// Its slug once more.
        #[arg(long, value_name = "SLUG")]
        confirm: String,
    },
    /// Keep an organization that was deleted and is not removed yet.
    #[command(after_help = "\
Example:
  mainspring org restore north-wind")]
    Restore(Which),
}

#[derive(Args, Debug)]
pub(crate) struct Which {
    /// Its slug or id; `current` is the one that you act in.
    #[arg(value_name = "ORGANIZATION")]
    organization: String,
}

impl Which {
    pub(super) fn path(&self) -> String {
        format!("/api/organizations/{}", part(&self.organization))
    }
}

#[derive(Args, Debug)]
pub(crate) struct Set {
    #[command(flatten)]
    which: Which,
    /// A letter or _ followed by letters, digits and _.
    #[arg(value_name = "NAME")]
    name: String,
    /// Text, or JSON with --as-json. Not for secrets, which are asked for.
    #[arg(value_name = "VALUE", required_unless_present = "secret", conflicts_with = "secret")]
    value: Option<String>,
    /// Seal it; the value is asked for, or read from standard input.
    #[arg(long)]
    secret: bool,
    /// The value is JSON.
    #[arg(long)]
    as_json: bool,
}

pub(crate) async fn run(cx: &Cx, command: &OrgCommand) -> Result<Exit, Failure> {
    let api = place::api(cx).await?;
    let done = perform(cx, &api, command).await;
    api.close().await;
    done
}

async fn perform(cx: &Cx, api: &Api, command: &OrgCommand) -> Result<Exit, Failure> {
    match command {
        OrgCommand::List => {
            let answer = api.get("/api/organizations", &[]).await?;
            let columns = ["slug", "name", "role", "id"];
            table(cx, &answer, "organizations", columns, "you are a member of no organization")
        }
        OrgCommand::Create { name } => {
            let answer = api.send(Method::POST, "/api/organizations", &json!({ "name": name })).await?;
            said(cx, &answer, &format!("made the organization {}", answer["organization"]["slug"].as_str().unwrap_or_default()))
        }
        OrgCommand::Members(which) => {
            let answer = api.get(&format!("{}/members", which.path()), &[]).await?;
            table(cx, &answer, "members", ["user_id", "email", "role", "since"], "nobody is a member")
        }
        OrgCommand::Role { which, user, role } => {
            let path = format!("{}/members/{}", which.path(), part(user));
            let answer = api.send(Method::PUT, &path, &json!({ "role": role })).await?;
            said(cx, &answer, &format!("{user} is {role} now"))
        }
        OrgCommand::Remove { which, user } => {
            let answer = api.delete(&format!("{}/members/{}", which.path(), part(user)), &[]).await?;
            said(cx, &answer, &format!("removed {user}; {} plans of theirs are yours", answer["plans"]))
        }
        OrgCommand::Invite(invite) => invitation::invite(cx, api, invite).await,
        OrgCommand::Invitations(which) => {
            let answer = api.get(&format!("{}/invitations", which.path()), &[]).await?;
            table(cx, &answer, "invitations", ["id", "email", "role", "state", "expires_at"], "nobody was invited")
        }
        OrgCommand::Resend(resend) => invitation::resend(cx, api, resend).await,
        OrgCommand::Revoke { which, invitation } => {
            api.delete(&format!("{}/invitations/{}", which.path(), part(invitation)), &[]).await?;
            said(cx, &json!({ "revoked": invitation }), &format!("revoked {invitation}"))
        }
        OrgCommand::Variables(which) => variables(cx, api, which).await,
        OrgCommand::Set(set) => {
            let value = match &set.value {
                Some(text) if set.as_json => {
                    serde_json::from_str(text).map_err(|error| Failure::usage(format!("VALUE is no JSON: {error}")))?
                }
                Some(text) => Value::String(text.clone()),
                None => Value::String(prompt::ask(&format!("value of {}", set.name), true)?.expose().to_owned()),
            };
            let path = format!("{}/variables/{}", set.which.path(), part(&set.name));
            let answer = api.send(Method::PUT, &path, &json!({ "value": value, "secret": set.secret })).await?;
            said(cx, &answer, &format!("wrote {}", set.name))
        }
        OrgCommand::Unset { which, name } => {
            api.delete(&format!("{}/variables/{}", which.path(), part(name)), &[]).await?;
            said(cx, &json!({ "deleted": name }), &format!("deleted {name}"))
        }
        OrgCommand::Limit { which, runs, none } => limit(cx, api, which, *runs, *none).await,
        OrgCommand::Delete { which, confirm } => {
            let answer = api.delete(&which.path(), &[("confirm", confirm.clone())]).await?;
            let at = moment_of(&answer["organization"]["erase_at"]);
            said(cx, &answer, &format!("deleted {confirm}; everything in it is removed from {at} on"))
        }
        OrgCommand::Restore(which) => {
            let answer = api.send(Method::POST, &format!("{}/restore", which.path()), &json!({})).await?;
            said(cx, &answer, &format!("{} stays", which.organization))
        }
    }
}

async fn limit(cx: &Cx, api: &Api, which: &Which, runs: Option<u32>, none: bool) -> Result<Exit, Failure> {
    let path = format!("{}/limits", which.path());
    let answer = if runs.is_some() || none {
        api.send(Method::PUT, &path, &json!({ "runs_at_work": runs })).await?
    } else {
        api.get(&path, &[]).await?
    };
    let limits = &answer["limits"];
    let text = match (limits["in_force"].as_u64(), limits["runs_at_work"].is_null()) {
        (Some(most), true) => format!("{most} runs may be at work; the operator lets every organization have so many"),
        (Some(most), false) => format!("{most} runs may be at work"),
        (None, _) => "any number of runs may be at work".to_owned(),
    };
    said(cx, &answer, &text)
}

async fn variables(cx: &Cx, api: &Api, which: &Which) -> Result<Exit, Failure> {
    let answer = api.get(&format!("{}/variables", which.path()), &[]).await?;
    cx.show(&answer, |style, width| {
        let mut rows = Rows::new(["name", "value", "updated"], "there is no variable; `mainspring org set` writes one");
        for one in answer["variables"].as_array().into_iter().flatten() {
            let value = if one["secret"] == true { "(secret)".to_owned() } else { one["value"].to_string() };
            rows.add([one["name"].as_str().unwrap_or_default().to_owned(), value, moment_of(&one["updated_at"])]);
        }
        rows.render(width, style)
    })
}

fn table<const N: usize>(cx: &Cx, answer: &Value, items: &str, columns: [&'static str; N], none: &'static str) -> Result<Exit, Failure> {
    cx.show(answer, |style, width| {
        let mut rows = Rows::new(columns, none);
        for one in answer[items].as_array().into_iter().flatten() {
            rows.add(columns.map(|column| match &one[column] {
                at if ["since", "expires_at"].contains(&column) => moment_of(at),
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                other => other.to_string(),
            }));
        }
        rows.render(width, style)
    })
}

fn said(cx: &Cx, answer: &Value, text: &str) -> Result<Exit, Failure> {
    cx.show(answer, |style, _| format!("{} {}\n", style.green("✓"), plain(text)))
}
