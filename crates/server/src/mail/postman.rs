//! The postman: hands one mail to the mail server, and says whether a refusal is for good.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::AsyncSmtpTransport;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls as Protection, TlsParameters};
use lettre::{AsyncTransport, Tokio1Executor};
use thiserror::Error;

use super::Mail;
use super::terms::{Server, Tls};

/// Longer than a mail server takes that greets slowly on purpose.
const PATIENCE: Duration = Duration::from_secs(30);

/// Codes by which a server says that this mail will never do; whatever else it refuses may be mended on either side.
const FOR_GOOD: [u16; 5] = [501, 550, 551, 553, 554];

/// Why a mail was not taken. No text of the mail is in it.
#[derive(Debug, Error)]
#[error("{reason}")]
pub struct Refused {
    pub for_good: bool,
    pub reason: String,
}

/// A mail server, and the way to it.
pub struct Postman {
    way: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    place: String,
}

impl Postman {
    /// Connects to nobody yet.
    ///
    /// # Errors
    /// The TLS of this machine cannot be set up.
    pub fn new(server: &Server) -> Result<Postman, String> {
        let protection = || TlsParameters::new(server.host.clone()).map_err(|error| format!("TLS could not be set up: {error}"));
        let tls = match server.tls {
            Tls::StartTls => Protection::Required(protection()?),
            Tls::Wrapped => Protection::Wrapper(protection()?),
            Tls::Plain => Protection::None,
        };
        let mut way =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host).port(server.port).tls(tls).timeout(Some(PATIENCE));
        if let Some((user, password)) = &server.login {
            way = way.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        Ok(Postman { way: way.build(), from: server.from.clone(), place: format!("{}:{}", server.host, server.port) })
    }

    /// Host and port.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Connects, greets, protects the way and logs in, and sends nothing.
    ///
    /// # Errors
    /// What did not work.
    pub async fn greet(&self) -> Result<(), String> {
        match self.way.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("it closed the connection".to_owned()),
            Err(error) => Err(plain(&error)),
        }
    }

    /// Sends a mail. Its `Message-ID` is made of `id`, so that one which is sent twice can be told.
    ///
    /// # Errors
    /// [`Refused`]
    pub async fn send(&self, id: &str, mail: &Mail) -> Result<(), Refused> {
        let wrong = |reason: String| Refused { for_good: true, reason };
        let to: Mailbox = mail.to.parse().map_err(|_| wrong("the address is none".to_owned()))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(mail.subject.replace(['\r', '\n'], " "))
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN)
            .body(mail.text.clone())
            .map_err(|error| wrong(error.to_string()))?;
        match self.way.send(message).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let for_good = error.status().is_some_and(|code| FOR_GOOD.contains(&u16::from(code)));
                Err(Refused { for_good, reason: plain(&error) })
            }
        }
    }
}

/// In one line, short: a server's answer may be long.
fn plain(error: &lettre::transport::smtp::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}
