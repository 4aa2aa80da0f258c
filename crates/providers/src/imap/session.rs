//! A conversation with a mail server: a command goes, its answer comes, and what stands in between is kept only where it was asked for.

use std::time::Duration;

use mainspring_model::{Code, Effected, Fault};
use tokio::time::timeout;

use super::limits::Limits;
use super::wire::{Part, Room, Wire, broken, said};

/// Kept of the answer to one command beyond what one response may have.
const KEPT: usize = 6 << 20;

pub(super) struct Session {
    pub wire: Wire,
    pub limits: Limits,
    /// Upper case; as the server said last.
    pub capabilities: Vec<String>,
    tag: u32,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Ok,
    No,
    Bad,
}

/// The last line of an answer, and what came before it.
#[derive(Debug)]
pub(super) struct Answer {
    pub end: End,
    /// What stands in brackets, in upper case; empty without.
    pub code: String,
    /// The server's words.
    pub text: String,
    pub untagged: Vec<Vec<Part>>,
}

impl Answer {
    /// # Errors
    /// The server did not do it.
    pub(super) fn done(self, what: &str) -> Result<Answer, Fault> {
        match self.end {
            End::Ok => Ok(self),
            _ => Err(refused(what, &self.text)),
        }
    }
}

/// The server would not, for reasons of its own.
pub(super) fn refused(what: &str, text: &str) -> Fault {
    let text = format!("the mail server does not {what}: \"{}\"", said(text));
    let mut fault = Fault::new(Code::PROVIDER_ERROR, text).effect(Effected::Sent);
    fault.retryable = true;
    fault
}

impl Session {
    pub(super) fn new(wire: Wire, limits: Limits) -> Session {
        Session { wire, limits, capabilities: Vec::new(), tag: 0 }
    }

    pub(super) fn room(&self) -> Room {
        Room { line: self.limits.line, literal: self.limits.line, discarded: self.limits.discarded }
    }

    /// Sends a command and reads up to its end. Of the other responses those of these `kinds` are kept.
    pub(super) async fn command(&mut self, command: &str, kinds: &[&str]) -> Result<Answer, Fault> {
        let (room, within) = (self.room(), self.limits.command);
        self.command_in(command, kinds, room, within).await
    }

    pub(super) async fn command_in(&mut self, command: &str, kinds: &[&str], room: Room, within: Duration) -> Result<Answer, Fault> {
        let word = command.split(' ').next().unwrap_or_default().to_owned();
        let work = async {
            let tag = self.begin(command).await?;
            match self.until_end(&tag, kinds, room).await? {
                Some(answer) => Ok(answer),
                None => Err(broken("it asks for more than a command has")),
            }
        };
        timeout(within, work).await.unwrap_or_else(|_| Err(late(&word, within)))
    }

    /// Sends a command that the server may ask questions about; its tag.
    pub(super) async fn begin(&mut self, command: &str) -> Result<String, Fault> {
        self.tag += 1;
        let tag = format!("A{}", self.tag);
        self.wire.send(&format!("{tag} {command}")).await?;
        Ok(tag)
    }

    /// Reads up to the end of a command; `None`: the server asks for more first.
    pub(super) async fn until_end(&mut self, tag: &str, kinds: &[&str], room: Room) -> Result<Option<Answer>, Fault> {
        let (mut untagged, mut kept) = (Vec::new(), 0);
        for _ in 0..self.limits.responses {
            let parts = self.wire.response(room).await?;
            let line = first_line(&parts);
            if line == "+" || line.starts_with("+ ") {
                return Ok(None);
            }
            if let Some(rest) = line.strip_prefix("* ") {
                let kind = kind(rest);
                if kind == "BYE" && !kinds.contains(&"BYE") {
                    return Err(goodbye(rest));
                }
                if kinds.contains(&kind.as_str()) {
                    kept += parts.iter().map(weight).sum::<usize>();
                    if kept > room.line + room.literal + KEPT {
                        return Err(broken("its answer to one command is too large"));
                    }
                    untagged.push(parts);
                }
                continue;
            }
            let Some(rest) = line.strip_prefix(tag).and_then(|rest| rest.strip_prefix(' ')) else {
                return Err(broken(&format!("it sent \"{}\", which answers nothing that was asked", said(&line))));
            };
            let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            let end = match word.to_ascii_uppercase().as_str() {
                "OK" => End::Ok,
                "NO" => End::No,
                "BAD" => End::Bad,
                _ => return Err(broken(&format!("it ended a command with \"{}\"", said(word)))),
            };
            let (code, text) = code_and_text(rest);
            return Ok(Some(Answer { end, code, text, untagged }));
        }
        Err(broken(&format!("it answered one command with more than {} lines", self.limits.responses)))
    }

    /// What the server says first.
    pub(super) async fn greeting(&mut self) -> Result<(), Fault> {
        let (room, within) = (self.room(), self.limits.command);
        let parts = timeout(within, self.wire.response(room)).await.map_err(|_| late("the greeting", within))??;
        let line = first_line(&parts);
        let rest = line.strip_prefix("* ").unwrap_or_default();
        match kind(rest).as_str() {
            "OK" => Ok(()),
            "BYE" => Err(goodbye(rest)),
            // Whoever sits in between could say so, and keep TLS from being begun.
            "PREAUTH" => Err(broken("it says that somebody is logged in already")),
            _ => Err(broken(&format!("it is greeted with \"{}\"; check host and port", said(&line)))),
        }
    }

    pub(super) async fn ask_capabilities(&mut self) -> Result<(), Fault> {
        let answer = self.command("CAPABILITY", &["CAPABILITY"]).await?.done("say what it can")?;
        let lines = answer.untagged.iter().map(|parts| first_line(parts).to_ascii_uppercase());
        self.capabilities = lines.flat_map(|line| line.split(' ').skip(2).map(str::to_owned).collect::<Vec<_>>()).collect();
        Ok(())
    }

    pub(super) fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|known| known == capability)
    }

    pub(super) async fn goodbye(mut self) {
        let within = self.limits.goodbye;
        let room = self.room();
        drop(self.command_in("LOGOUT", &["BYE"], room, within).await);
    }
}

pub(super) fn late(what: &str, within: Duration) -> Fault {
    let within = mainspring_model::duration::format(within);
    Fault::new(Code::TIMEOUT, format!("the mail server did not answer within {within} ({what})"))
}

fn goodbye(rest: &str) -> Fault {
    let words = rest.split_once(' ').map_or("", |(_, words)| words);
    Fault::new(Code::CONNECTION_FAILED, format!("the mail server ended the connection: \"{}\"", said(words)))
}

pub(super) fn first_line(parts: &[Part]) -> String {
    match parts.first() {
        Some(Part::Text(text)) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    }
}

/// `FETCH` of `12 FETCH (…`, `OK` of `OK [UIDNEXT 7]`.
fn kind(rest: &str) -> String {
    let mut words = rest.split(' ');
    let first = words.next().unwrap_or_default();
    let word = if first.bytes().all(|byte| byte.is_ascii_digit()) { words.next().unwrap_or_default() } else { first };
    word.to_ascii_uppercase()
}

/// `[CODE more] words`.
pub(super) fn code_and_text(rest: &str) -> (String, String) {
    match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((code, text)) => (code.to_ascii_uppercase(), text.trim().to_owned()),
        None => (String::new(), rest.trim().to_owned()),
    }
}

/// Bytes of memory; many small parts take more than what is in them.
fn weight(part: &Part) -> usize {
    let (Part::Text(bytes) | Part::Literal { bytes, .. }) = part;
    size_of::<Part>() + 16 + bytes.len()
}
