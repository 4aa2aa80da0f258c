//! `mainspring org invite` and `resend`: links that let somebody in, and whether they were mailed.

use ::http::Method;
use clap::Args;
use serde_json::{Value, json};

use super::api::{Api, part};
use super::exit::Exit;
use super::failure::Failure;
use super::org::Which;
use super::output::Cx;

#[derive(Args, Debug)]
pub(crate) struct Invite {
    #[command(flatten)]
    which: Which,
    /// viewer, member, admin or owner.
    #[arg(long, value_name = "ROLE", default_value = "member")]
    role: String,
    /// Only whoever has this address may accept.
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// How long the link works.
    #[arg(long, value_name = "DURATION", default_value = "7d")]
    expires: String,
}

#[derive(Args, Debug)]
pub(crate) struct Resend {
    #[command(flatten)]
    which: Which,
    /// The invitation's id, as `org invitations` shows it.
    #[arg(value_name = "INVITATION")]
    invitation: String,
    /// How long the new link works.
    #[arg(long, value_name = "DURATION", default_value = "7d")]
    expires: String,
}

pub(crate) async fn invite(cx: &Cx, api: &Api, invite: &Invite) -> Result<Exit, Failure> {
    let body = json!({ "role": invite.role, "email": invite.email, "expires_in": invite.expires });
    let answer = api.send(Method::POST, &format!("{}/invitations", invite.which.path()), &body).await?;
    show(cx, &answer)
}

pub(crate) async fn resend(cx: &Cx, api: &Api, resend: &Resend) -> Result<Exit, Failure> {
    let path = format!("{}/invitations/{}/resend", resend.which.path(), part(&resend.invitation));
    let answer = api.send(Method::POST, &path, &json!({ "expires_in": resend.expires })).await?;
    show(cx, &answer)
}

fn show(cx: &Cx, answer: &Value) -> Result<Exit, Failure> {
    let email = answer["invitation"]["email"].as_str().unwrap_or_default();
    match answer["not_mailed"].as_str() {
        None => cx.note(&format!("A mail with the link is on its way to {email}.")),
        Some("no_mail_server") => cx.note("No mail was sent, because no mail server is set (smtp.url): hand the token over yourself."),
        Some(_) => cx.note("No mail was sent, because no address was given: hand the token over yourself."),
    }
    cx.note("This token is shown once; whoever has it can accept the invitation.");
    // The token alone on standard output, so that `$(…)` takes it.
    cx.show(answer, |_, _| format!("{}\n", answer["token"].as_str().unwrap_or_default()))
}
