//! From a credential to a session that is logged in: never a password in the clear but within this machine.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mainspring_model::credential::Credential;
use mainspring_model::fault::Class;
use mainspring_model::id::OrgId;
use mainspring_model::{Code, Effected, Fault};
use tokio::time::timeout;

use super::limits::Limits;
use super::session::{Answer, End, Session, late, refused};
use super::wire::{Wire, broken, said};
use crate::egress::Egress;

/// Where the mailboxes are, and how it is spoken to.
struct Server<'c> {
    host: &'c str,
    port: u16,
    security: Security,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Security {
    Tls,
    StartTls,
    None,
}

/// Who logs in, and how they prove it.
enum Proof<'c> {
    Password(&'c str, &'c str),
    Token(&'c str, &'c str),
}

/// Connects and logs in.
pub(super) async fn log_in(egress: &Egress, org: OrgId, credential: &Credential, limits: &Limits) -> Result<Session, Fault> {
    let server = server(credential)?;
    let proof = proof(credential)?;
    let mut session = connect(egress, org, credential, &server, limits).await?;
    session.ask_capabilities().await?;
    let answer = match &proof {
        Proof::Token(user, token) => authenticate(&mut session, "XOAUTH2", &format!("user={user}\x01auth=Bearer {token}\x01\x01")).await?,
        Proof::Password(user, password) if session.can("AUTH=PLAIN") || !(quotable(user) && quotable(password)) => {
            authenticate(&mut session, "PLAIN", &format!("\0{user}\0{password}")).await?
        }
        Proof::Password(..) if session.can("LOGINDISABLED") => {
            return Err(refused("let anybody log in with a password here", "LOGINDISABLED"));
        }
        Proof::Password(user, password) => session.command(&format!("LOGIN {} {}", quoted(user), quoted(password)), &[]).await?,
    };
    match answer.end {
        End::Ok => Ok(session),
        // It says that it cannot tell now, and not that it is wrong.
        End::No if matches!(answer.code.as_str(), "UNAVAILABLE" | "INUSE" | "LIMIT") => {
            Err(refused("log anybody in at the moment", &answer.text))
        }
        _ => Err(login_refused(credential, &answer)),
    }
}

fn login_refused(credential: &Credential, answer: &Answer) -> Fault {
    let words = said(&answer.text);
    let text = format!(
        "the mail server does not take the credential \"{}\": \"{words}\"; check username and password, many servers want a password made for apps",
        credential.name
    );
    Fault::new(Code::other("LOGIN_REFUSED"), text).class(Class::Auth).effect(Effected::Sent)
}

async fn connect(egress: &Egress, org: OrgId, credential: &Credential, server: &Server<'_>, limits: &Limits) -> Result<Session, Fault> {
    let Server { host, port, security } = *server;
    let dialled = egress.dial(org, host, port, credential).await?;
    match security {
        Security::Tls => {
            let stream = egress.secure(host, port, dialled.stream).await?;
            let mut session = Session::new(Wire::new(Box::new(stream)), limits.clone());
            session.greeting().await?;
            Ok(session)
        }
        Security::StartTls => {
            let mut session = Session::new(Wire::new(Box::new(dialled.stream)), limits.clone());
            session.greeting().await?;
            session.ask_capabilities().await?;
            if !session.can("STARTTLS") {
                let text =
                    format!("{host}:{port}: the mail server does not offer STARTTLS here; with security: tls it is port 993 as a rule");
                return Err(Fault::new(Code::TLS_FAILED, text));
            }
            session.command("STARTTLS", &[]).await?.done("begin TLS")?;
            let stream = egress.secure(host, port, session.wire.bare()?).await?;
            Ok(Session::new(Wire::new(Box::new(stream)), limits.clone()))
        }
        Security::None if dialled.local => {
            let mut session = Session::new(Wire::new(Box::new(dialled.stream)), limits.clone());
            session.greeting().await?;
            Ok(session)
        }
        Security::None => {
            let text = format!(
                "{host}:{port}: with security: none the password would be readable on its way; use tls or starttls (none is for this machine only)"
            );
            Err(Fault::new(Code::TLS_FAILED, text))
        }
    }
}

/// SASL: the response goes with the command where the server takes it so, else when it asks for it.
async fn authenticate(session: &mut Session, how: &str, response: &str) -> Result<Answer, Fault> {
    let within = session.limits.command;
    let work = async {
        let (room, encoded) = (session.room(), STANDARD.encode(response));
        let mut owed = Some(encoded);
        let command = match owed.take_if(|_| session.can("SASL-IR")) {
            Some(encoded) => format!("AUTHENTICATE {how} {encoded}"),
            None => format!("AUTHENTICATE {how}"),
        };
        let tag = session.begin(&command).await?;
        // It asks for the response, and once more to say why it does not take it.
        for _ in 0..3 {
            if let Some(answer) = session.until_end(&tag, &[], room).await? {
                return Ok(answer);
            }
            session.wire.send(&owed.take().unwrap_or_default()).await?;
        }
        Err(broken("it asks for ever while somebody logs in"))
    };
    timeout(within, work).await.unwrap_or_else(|_| Err(late("logging in", within)))
}

fn server(credential: &Credential) -> Result<Server<'_>, Fault> {
    let host = credential.field("host").map(str::trim).filter(|host| !host.is_empty()).ok_or_else(|| missing(credential, "host"))?;
    let wrong = |field: &str, expected: &str| {
        let text = format!("the {field} of the credential \"{}\" is {expected}", credential.name);
        Fault::new(Code::MISSING_CREDENTIALS, text)
    };
    let security = match credential.field("security").map(|word| word.trim().to_ascii_lowercase()).as_deref() {
        None | Some("tls" | "ssl") => Security::Tls,
        Some("starttls") => Security::StartTls,
        Some("none") => Security::None,
        Some(_) => return Err(wrong("security", "tls, starttls or none")),
    };
    let port = match credential.field("port").map(str::trim) {
        None if security == Security::Tls => 993,
        None => 143,
        Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or_else(|| wrong("port", "a number from 1 to 65535"))?,
    };
    Ok(Server { host, port, security })
}

fn proof(credential: &Credential) -> Result<Proof<'_>, Fault> {
    let user = credential.field("username").ok_or_else(|| missing(credential, "username"))?;
    let proof = match (credential.field("password"), credential.field("access_token")) {
        (_, Some(token)) => Proof::Token(user, token),
        (Some(password), None) => Proof::Password(user, password),
        (None, None) => return Err(missing(credential, "password")),
    };
    let (Proof::Password(_, secret) | Proof::Token(_, secret)) = &proof;
    // They would end the line that they stand in.
    if [user, secret].iter().any(|text| text.contains(['\r', '\n', '\0', '\x01'])) {
        let text = format!("the credential \"{}\" has control characters in its username or password; store it anew", credential.name);
        return Err(Fault::new(Code::MISSING_CREDENTIALS, text));
    }
    Ok(proof)
}

fn missing(credential: &Credential, field: &str) -> Fault {
    let text = format!("the credential \"{}\" of {} has no {field}", credential.name, credential.provider);
    Fault::new(Code::MISSING_CREDENTIALS, text)
}

fn quotable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
