//! What the operator says of the mail server, by one address or piece by piece.

use std::fmt;
use std::str::FromStr;

use lettre::message::Mailbox;
use mainspring_model::credential::Secret;
use url::Url;

/// How the way to the mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// Plain at first, then turned into TLS before anything is said; a server that does not offer it is refused.
    #[default]
    StartTls,
    /// From the first byte.
    Wrapped,
    /// Not at all: a server on this machine.
    Plain,
}

impl FromStr for Tls {
    type Err = String;

    fn from_str(text: &str) -> Result<Tls, String> {
        match text {
            "starttls" => Ok(Tls::StartTls),
            "tls" => Ok(Tls::Wrapped),
            "none" => Ok(Tls::Plain),
            other => Err(format!("\"{other}\" is not starttls, tls or none")),
        }
    }
}

impl fmt::Display for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tls::StartTls => "starttls",
            Tls::Wrapped => "tls",
            Tls::Plain => "none",
        })
    }
}

/// As the settings say it.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    pub url: Option<Secret>,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub password: Option<Secret>,
    pub from: Option<String>,
    pub tls: Option<Tls>,
}

/// Where mails go.
#[derive(Clone, Debug)]
pub struct Server {
    pub host: String,
    pub port: u16,
    pub login: Option<(String, Secret)>,
    pub from: Mailbox,
    pub tls: Tls,
}

impl Terms {
    /// The server; `None` when none is named.
    ///
    /// # Errors
    /// What is missing, by its setting.
    pub fn server(&self) -> Result<Option<Server>, String> {
        let named = self.url.as_ref().map(|url| server(url.expose())).transpose()?;
        let Some(host) = self.host.clone().or_else(|| named.as_ref().map(|named| named.host.clone())) else { return Ok(None) };
        let tls = self.tls.or(named.as_ref().map(|named| named.tls)).unwrap_or_default();
        let usual = match tls {
            Tls::StartTls => 587,
            Tls::Wrapped => 465,
            Tls::Plain => 25,
        };
        let port = self.port.or(named.as_ref().and_then(|named| named.port)).unwrap_or(usual);
        let login = named.and_then(|named| named.login);
        let user = self.user.clone().or_else(|| login.as_ref().map(|(user, _)| user.clone()));
        let password = self.password.clone().or_else(|| login.map(|(_, password)| password));
        let login = match (user, password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            (Some(_), None) => return Err("smtp.user is set, and smtp.password is not".to_owned()),
            (None, Some(_)) => return Err("smtp.password is set, and smtp.user is not".to_owned()),
        };
        let from = self.from.as_deref().ok_or("smtp.from is not set: say whom mails are from, such as mainspring@example.com")?;
        Ok(Some(Server { host, port, login, from: sender(from)?, tls }))
    }
}

/// What an address of a mail server says.
pub struct Named {
    host: String,
    port: Option<u16>,
    login: Option<(String, Secret)>,
    tls: Tls,
}

/// Reads `smtp://user:password@host:587` (STARTTLS), `smtps://…` (TLS from the first byte), `smtp://…?tls=none`.
///
/// # Errors
/// What to write instead; never a part of the address, which may hold a password.
pub fn server(text: &str) -> Result<Named, String> {
    const FORM: &str = "it is no address of a mail server; write smtp://user:password@host:587, or smtps://… for TLS from the first byte";
    let url = Url::parse(text).map_err(|_| FORM)?;
    let mut tls = match url.scheme() {
        "smtp" => Tls::StartTls,
        "smtps" => Tls::Wrapped,
        _ => return Err(FORM.to_owned()),
    };
    for (name, value) in url.query_pairs() {
        match &*name {
            "tls" => tls = value.parse()?,
            other => return Err(format!("\"{other}\" is no parameter of a mail server's address; there is tls=starttls|tls|none")),
        }
    }
    let plain = |text: &str| percent_decoded(text).ok_or("user and password are UTF-8, with %XX for what an address cannot hold");
    let login = match (url.username(), url.password()) {
        ("", _) => None,
        (user, password) => Some((plain(user)?, Secret::new(plain(password.unwrap_or_default())?))),
    };
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(FORM)?.to_owned();
    Ok(Named { host, port: url.port(), login, tls })
}

fn percent_decoded(text: &str) -> Option<String> {
    // A form's pair is the one decoder at hand; there "+" means a space, here it means itself.
    let pair = format!("x={}", text.replace('+', "%2B"));
    let (_, value) = url::form_urlencoded::parse(pair.as_bytes()).next()?;
    (!value.contains(char::REPLACEMENT_CHARACTER)).then(|| value.into_owned())
}

/// Reads whom mails are from.
///
/// # Errors
/// What to write instead.
pub fn sender(text: &str) -> Result<Mailbox, String> {
    text.parse().map_err(|_| format!("\"{text}\" is no sender; write mainspring@example.com or Mainspring <mainspring@example.com>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(url: &str) -> Terms {
        Terms { url: Some(Secret::new(url)), from: Some("Mainspring <m@example.com>".to_owned()), ..Terms::default() }
    }

    fn said(terms: &Terms) -> String {
        match terms.server() {
            Ok(None) => "none".to_owned(),
            Ok(Some(server)) => {
                let login = server.login.map(|(user, password)| format!("{user}:{}@", password.expose())).unwrap_or_default();
                format!("{login}{}:{} {} from {}", server.host, server.port, server.tls, server.from)
            }
            Err(reason) => reason,
        }
    }

    #[test]
    fn an_address_or_its_pieces_name_the_server() {
        assert_eq!(said(&Terms::default()), "none");
        assert_eq!(said(&terms("smtp://mail.example")), "mail.example:587 starttls from Mainspring <m@example.com>");
        assert_eq!(said(&terms("smtps://a%40b:p%2B+w@mail.example")), "a@b:p++w@mail.example:465 tls from Mainspring <m@example.com>");
        assert_eq!(said(&terms("smtp://localhost:2525?tls=none")), "localhost:2525 none from Mainspring <m@example.com>");
        let pieces = Terms { host: Some("other".to_owned()), port: Some(2), tls: Some(Tls::Wrapped), ..terms("smtp://u:p@mail.example:9") };
        assert_eq!(said(&pieces), "u:p@other:2 tls from Mainspring <m@example.com>", "a piece wins over the address");
    }

    #[test]
    fn what_is_missing_or_wrong_is_said_without_the_password() {
        let no_sender = Terms { from: None, ..terms("smtp://mail.example") };
        assert!(said(&no_sender).starts_with("smtp.from is not set"), "{}", said(&no_sender));
        let half = Terms { user: Some("u".to_owned()), ..terms("smtp://mail.example") };
        assert_eq!(said(&half), "smtp.user is set, and smtp.password is not");
        for url in ["http://u:hunter2@mail", "hunter2", "smtp://", "smtp://u:hunter2@mail?tls=maybe", "smtp://u:hunter2@mail?x=1"] {
            let reason = said(&terms(url));
            assert!(terms(url).server().is_err() && !reason.contains("hunter2"), "{url}: {reason}");
        }
    }
}
