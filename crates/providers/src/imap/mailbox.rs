//! An open mailbox: its state, lists of its messages, and each of them for a run.

use std::fmt::Write;

use async_trait::async_trait;
use mainspring_model::file::Files;
use mainspring_model::mailbox::{Listed, Mailbox, MailboxState, Message};
use mainspring_model::{Class, Code, Fault};

use super::fetched::{LIST, body, listed, uids};
use super::item::{Item, items};
use super::name;
use super::session::{End, Session, code_and_text, first_line, refused};
use super::wire::{Part, Room, broken};
use crate::apart::Apart;
use crate::mail;

/// Mailboxes that are told of when one does not exist.
const SHOWN: usize = 20;
/// Bytes of a `Message-ID` that a list keeps, so that a thousand hostile ones have their room; what exceeds them is read past.
const ID: usize = 2 << 10;

pub(super) struct Opened {
    session: Session,
    state: MailboxState,
    /// Messages that are there.
    count: u32,
    apart: Apart,
}

impl Opened {
    pub(super) async fn open(mut session: Session, mailbox: &str, marks: bool, apart: Apart) -> Result<Opened, Fault> {
        let verb = if marks { "SELECT" } else { "EXAMINE" };
        let answer = session.command(&format!("{verb} {}", name::written(mailbox)), &["OK", "EXISTS"]).await?;
        if answer.end != End::Ok {
            return Err(not_opened(&mut session, mailbox, &answer.text).await);
        }
        if marks && answer.code.starts_with("READ-ONLY") {
            let text = format!(
                "the mailbox \"{mailbox}\" may only be read with this credential, so nothing can be marked as seen; leave mark_seen out"
            );
            return Err(Fault::new(Code::other("MAILBOX_READ_ONLY"), text).class(Class::Auth));
        }
        let (mut count, mut validity, mut next) = (0, None, None);
        for line in answer.untagged.iter().map(|parts| first_line(parts)) {
            let rest = line.strip_prefix("* ").unwrap_or_default();
            if let Some((number, _)) = rest.split_once(' ').filter(|(_, word)| word.eq_ignore_ascii_case("EXISTS")) {
                count = number.parse().map_err(|_| broken("it counts more messages than there can be"))?;
            } else if let Some((_, rest)) = rest.split_once(' ') {
                let (code, _) = code_and_text(rest);
                match code.split_once(' ') {
                    Some(("UIDVALIDITY", number)) => validity = number.parse().ok().filter(|number| *number > 0),
                    Some(("UIDNEXT", number)) => next = number.parse().ok().filter(|number| *number > 0),
                    _ => {}
                }
            }
        }
        let Some(uid_validity) = validity else {
            return Err(broken("it does not say by what its messages are known (UIDVALIDITY)"));
        };
        Ok(Opened { session, state: MailboxState { uid_validity, uid_next: next }, count, apart })
    }

    async fn fetch(&mut self, command: &str, what: &str, room: Room) -> Result<Vec<Vec<Part>>, Fault> {
        let within = self.session.limits.message;
        Ok(self.session.command_in(command, &["FETCH"], room, within).await?.done(what)?.untagged)
    }

    /// The UIDs of what fits.
    async fn search(&mut self, what: &str) -> Result<Vec<u32>, Fault> {
        let room = Room { line: self.session.limits.search, ..self.session.room() };
        let within = self.session.limits.command;
        let answer = self.session.command_in(&format!("UID SEARCH {what}"), &["SEARCH"], room, within).await?;
        Ok(uids(&answer.done("look for messages")?.untagged))
    }

    /// What a list says of these messages: `FETCH` and a set, or `UID FETCH` and one.
    async fn listed(&mut self, these: &str) -> Result<Vec<Listed>, Fault> {
        let room = Room { literal: ID, ..self.session.room() };
        listed(self.fetch(&format!("{these} {LIST}"), "list messages", room).await?)
    }

    /// What a list says of each; one by one where the server refuses all of them, as it does for a single one that is damaged. What is
    /// refused even so is listed by its UID alone: reading it fails and is counted, and it holds up no other.
    async fn listed_each(&mut self, uids: &[u32]) -> Result<Vec<Listed>, Fault> {
        let set = uids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let refused = match self.listed(&format!("UID FETCH {set}")).await {
            Err(fault) if fault.code == Code::PROVIDER_ERROR => fault,
            done => return done,
        };
        let bare = |uid: u32| Listed { uid, size: 0, received_at: None, seen: false, message_id: String::new() };
        if let [uid] = uids {
            return Ok(vec![bare(*uid)]);
        }
        let (mut found, mut any) = (Vec::new(), false);
        for uid in uids {
            match self.listed(&format!("UID FETCH {uid}")).await {
                Ok(one) => {
                    any = true;
                    found.extend(one.into_iter().filter(|one| one.uid == *uid));
                }
                Err(fault) if fault.code == Code::PROVIDER_ERROR => found.push(bare(*uid)),
                Err(fault) => return Err(fault),
            }
        }
        // It is the server, and none of them.
        if any { Ok(found) } else { Err(refused) }
    }
}

/// The mailboxes that are there, or why this one is not opened.
async fn not_opened(session: &mut Session, mailbox: &str, said: &str) -> Fault {
    let Ok(answer) = session.command("LIST \"\" \"*\"", &["LIST"]).await else {
        return refused(&format!("open the mailbox \"{mailbox}\""), said);
    };
    let (mut known, mut is_there): (Vec<String>, bool) = (Vec::new(), false);
    for parts in answer.untagged {
        let Ok(found) = items(parts) else { continue };
        let opens = match found.get(2) {
            Some(Item::List(flags)) => !flags.iter().any(|flag| flag.word().is_some_and(|flag| flag.eq_ignore_ascii_case("\\noselect"))),
            _ => true,
        };
        if let Some((raw, _)) = found.get(4).and_then(Item::text).filter(|_| opens) {
            let name = name::read(raw);
            is_there |= name == mailbox;
            known.push(super::wire::said(&name));
        }
    }
    if known.is_empty() || is_there {
        return refused(&format!("open the mailbox \"{mailbox}\""), said);
    }
    let more = known.len().saturating_sub(SHOWN);
    known.truncate(SHOWN);
    let mut text = format!("there is no mailbox \"{mailbox}\"; there are {}", known.join(", "));
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
    Fault::new(Code::other("MAILBOX_NOT_FOUND"), text)
}

#[async_trait]
impl Mailbox for Opened {
    fn state(&self) -> MailboxState {
        self.state
    }

    async fn list(&mut self, after: u32, most: usize) -> Result<Vec<Listed>, Fault> {
        let Some(from) = after.checked_add(1) else { return Ok(Vec::new()) };
        if self.count == 0 || self.state.uid_next.is_some_and(|next| next <= from) {
            return Ok(Vec::new());
        }
        // A range of which nothing is there names its last message all the same.
        let mut found = self.search(&format!("UID {from}:*")).await?;
        found.retain(|uid| *uid > after);
        // A chunk whose messages all went meanwhile says nothing of those behind.
        for some in found.chunks(most) {
            let mut messages = self.listed_each(some).await?;
            messages.retain(|message| some.binary_search(&message.uid).is_ok());
            if !messages.is_empty() {
                return Ok(messages);
            }
        }
        Ok(Vec::new())
    }

    async fn last(&mut self, most: usize) -> Result<Vec<Listed>, Fault> {
        if self.count == 0 {
            return Ok(Vec::new());
        }
        let from = self.count.saturating_sub(u32::try_from(most).unwrap_or(u32::MAX)).saturating_add(1);
        let mut messages = match self.listed(&format!("FETCH {from}:*")).await {
            // One of them is damaged, perhaps.
            Err(fault) if fault.code == Code::PROVIDER_ERROR => {
                let found = self.search(&format!("{from}:*")).await?;
                if found.is_empty() {
                    return Err(fault);
                }
                self.listed_each(&found[found.len().saturating_sub(most)..]).await?
            }
            done => done?,
        };
        messages.drain(..messages.len().saturating_sub(most));
        Ok(messages)
    }

    async fn read(&mut self, one: &Listed, into: &dyn Files, keep_ms: u64) -> Result<Option<Message>, Fault> {
        let limits = self.session.limits.clone();
        let small = one.size <= limits.largest as u64;
        let (what, literal) = if small { ("", limits.largest) } else { ("HEADER", limits.header) };
        let room = Room { literal, ..self.session.room() };
        let found = self.fetch(&format!("UID FETCH {} (UID BODY.PEEK[{what}])", one.uid), "give a message", room).await?;
        let Some((mut bytes, sent)) = body(found, one.uid)? else { return Ok(None) };
        let whole = small && sent == bytes.len() as u64;
        if !whole {
            bytes.truncate(limits.header);
        }
        let size = if small { sent } else { one.size };
        let too_large = (!whole).then(|| {
            let most = limits.largest >> 20;
            Fault::new(
                Code::other("MESSAGE_TOO_LARGE"),
                format!("the message has {size} bytes; of more than {most} MiB only the header is read"),
            )
        });
        mail::read(&self.apart, bytes, too_large, into, keep_ms).await.map(Some)
    }

    async fn mark_seen(&mut self, uids: &[u32]) -> Result<(), Fault> {
        let set = uids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        self.session.command(&format!("UID STORE {set} +FLAGS.SILENT (\\Seen)"), &[]).await?.done("mark messages as seen")?;
        Ok(())
    }

    async fn close(self: Box<Self>) {
        self.session.goodbye().await;
    }
}
