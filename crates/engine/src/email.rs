//! Watching a mailbox: each message that comes in starts its one run.

use mainspring_model::clock::Millis;
use mainspring_model::credential::Credential;
use mainspring_model::fault::{Code, Fault};
use mainspring_model::file::Files;
use mainspring_model::mailbox::{Listed, Mailbox, Message};
use mainspring_model::plan::trigger::Email;
use mainspring_model::store::StoreError;
use serde_json::{Value, json};

use crate::attempt::missing_credential;
use crate::engine::Engine;
use crate::folder::hash_of;
use crate::looks::{Begun, Find, Look, Looked};
use crate::mail_seen::{KNOWN, Seen};
use crate::run::rfc3339;

/// The provider whose credential opens the mailbox.
const PROVIDER: &str = "imap";
/// Messages that are listed at once; what was seen is noted after each such page.
const PAGE: usize = 20;
/// Messages of one look; the next one follows at once.
const MOST: usize = 500;
/// After this a look ends at the next message, and goes on when it found a place anew: slow servers leave some to the others.
const LOOK: Millis = 5 * 60_000;
const BREAK: Millis = 1_000;
/// Time to connect and open the mailbox, for a list, and for one message.
const OPENING: Millis = 5 * 60_000;
const LISTING: Millis = 15 * 60_000;
const READING: Millis = 30 * 60_000;
/// A message that cannot be read starts its run without its content after so many looks.
const TRIES: u32 = 5;

impl Engine {
    /// `again`: when to look before it is due, as there is more.
    pub(crate) async fn read_mail(&self, look: &Look<'_>, email: &Email, again: &mut Option<Millis>) -> Result<Looked, StoreError> {
        let inner = &self.0;
        let owner = look.record.owner;
        let Some(provider) = inner.catalog.provider(&owner, PROVIDER) else {
            return Ok(Err(Fault::new(Code::UNKNOWN_PROVIDER, format!("there is no provider \"{PROVIDER}\""))));
        };
        let credential = match inner.credentials.open(&owner, &provider, look.trigger.credential.as_deref()).await {
            Ok(Some(credential)) => credential,
            Ok(None) => return Ok(Err(missing_credential(&provider))),
            Err(fault) => return Ok(Err(fault)),
        };
        let opening = inner.settings.mailboxes.0.open(owner.org, &credential, &email.mailbox, email.mark_seen);
        let mut mailbox = match self.in_time(OPENING, "opening the mailbox", opening).await {
            Ok(mailbox) => mailbox,
            Err(fault) => return Ok(Err(self.without_secrets(&credential, fault))),
        };
        let taken = self.take_mail(look, email, of(&credential, &email.mailbox), &mut *mailbox, again).await?;
        mailbox.close().await;
        Ok(taken.map_err(|fault| self.without_secrets(&credential, fault)))
    }

    async fn take_mail(
        &self,
        look: &Look<'_>,
        email: &Email,
        of: String,
        mailbox: &mut dyn Mailbox,
        again: &mut Option<Millis>,
    ) -> Result<Looked, StoreError> {
        let began = self.0.clock.now();
        let until = began.saturating_add(LOOK);
        let state = mailbox.state();
        let before = match &look.before.seen {
            Value::Null => None,
            // None where it is of another kind of trigger that had this id.
            kept => serde_json::from_value::<Seen>(kept.clone()).ok().filter(|seen| seen.of == of),
        };
        let mut seen = match before {
            Some(seen) if seen.uid_validity == state.uid_validity => seen,
            before => {
                let there = match self.in_time(LISTING, "listing messages", mailbox.last(KNOWN)).await {
                    Ok(there) => there,
                    Err(fault) => return Ok(Err(fault)),
                };
                let seen = match before {
                    Some(mut seen) => {
                        tracing::warn!(plan = %look.record.plan, trigger = look.trigger.id, mailbox = email.mailbox, "the mailbox was made anew: what is in it is known by Message-ID");
                        seen.begin_anew(state, &there);
                        seen
                    }
                    None => Seen::first(of, state, &there, email.first, began),
                };
                self.note(look, seen.value()).await?;
                seen
            }
        };
        if email.mark_seen
            && !seen.marks.is_empty()
            && let Some(fault) = self.mark(mailbox, &mut seen).await
        {
            self.note(look, seen.value()).await?;
            return Ok(Err(fault));
        }
        let mut count = 0;
        loop {
            let page = match self.in_time(LISTING, "listing messages", mailbox.list(seen.last, PAGE)).await {
                Ok(page) => page,
                Err(fault) => return Ok(Err(fault)),
            };
            if page.is_empty() {
                seen.reached = began;
                seen.recheck = None;
                return Ok(Ok(seen.value()));
            }
            count += page.len();
            if let Some(fault) = self.start_page(look, email, mailbox, &page, &mut seen, until).await? {
                return Ok(Err(fault));
            }
            let now = self.0.clock.now();
            if now >= until {
                *again = Some(now + BREAK);
                return Ok(Ok(seen.value()));
            }
            if count >= MOST {
                *again = Some(now);
                return Ok(Ok(seen.value()));
            }
        }
    }

    /// Starts the runs of a page and notes that they are there; what kept it from its end. It stops behind a message when its time is
    /// over, so that each look gets further by one at least.
    async fn start_page(
        &self,
        look: &Look<'_>,
        email: &Email,
        mailbox: &mut dyn Mailbox,
        page: &[Listed],
        seen: &mut Seen,
        until: Millis,
    ) -> Result<Option<Fault>, StoreError> {
        let mut failed = None;
        for one in page {
            if !seen.had(one) {
                match self.start_mail(look, email, mailbox, one, seen).await? {
                    Ok(true) if email.mark_seen && !one.seen => seen.marks.push(one.uid),
                    Ok(_) => {}
                    Err(fault) => {
                        if is_of_the_message(&fault) {
                            seen.failed = Some((one.uid, seen.failures(one.uid).saturating_add(1)));
                        }
                        failed = Some(fault);
                        break;
                    }
                }
            }
            seen.done(one);
            if self.0.clock.now() >= until {
                break;
            }
        }
        // What else failed may have left the connection in the middle of an answer: the marks are for the next look then.
        let in_order = failed.as_ref().is_none_or(|fault| fault.code == Code::PROVIDER_ERROR);
        // Before it is noted: whoever comes after a crash finds the runs, and marks again.
        if in_order && !seen.marks.is_empty() {
            let fault = self.mark(mailbox, seen).await;
            failed = failed.or(fault);
        }
        self.note(look, seen.value()).await?;
        Ok(failed)
    }

    /// Marks what has its run; why it was not done. What a server will not mark is not asked of it again.
    async fn mark(&self, mailbox: &mut dyn Mailbox, seen: &mut Seen) -> Option<Fault> {
        let done = self.in_time(LISTING, "marking messages as seen", mailbox.mark_seen(&seen.marks)).await;
        if done.as_ref().err().is_none_or(|fault| fault.code == Code::PROVIDER_ERROR) {
            seen.marks.clear();
        }
        done.err()
    }

    /// `false`: it starts no run, or is gone.
    async fn start_mail(
        &self,
        look: &Look<'_>,
        email: &Email,
        mailbox: &mut dyn Mailbox,
        one: &Listed,
        seen: &Seen,
    ) -> Result<Result<bool, Fault>, StoreError> {
        let files = self.files(look.record.owner);
        let keep = u64::try_from(self.0.settings.files.kept.as_millis()).unwrap_or(u64::MAX);
        let message = if seen.failures(one.uid) >= TRIES {
            let text = format!("the message could not be read, {TRIES} times in a row; its run starts without what it says");
            Message::unread(&Fault::new(Code::other("MESSAGE_UNREADABLE"), text))
        } else {
            match self.in_time(READING, "reading the message", mailbox.read(one, &files, keep)).await {
                Ok(Some(message)) => message,
                Ok(None) => return Ok(Ok(false)),
                Err(fault) => return Ok(Err(fault)),
            }
        };
        let mut trigger = json!({
            "id": look.trigger.id, "type": "email", "mailbox": email.mailbox, "uid": one.uid, "size": one.size, "seen": one.seen,
            "received_at": one.received_at.map(rfc3339),
        });
        trigger.as_object_mut().expect("it is written as an object").extend(message.fields);
        let (validity, uid) = (seen.uid_validity.to_be_bytes(), one.uid.to_be_bytes());
        let key = hash_of(&[seen.of.as_bytes(), &validity, &uid]);
        let begun = self.start_find(look, Find { key, seen: trigger }).await?;
        if begun != Begun::Made {
            // What this does not reach expires.
            for file in message.files {
                drop(files.delete(file).await);
            }
        }
        Ok(Ok(begun != Begun::Passed))
    }

    /// What a server says may repeat what it was told.
    fn without_secrets(&self, credential: &Credential, fault: Fault) -> Fault {
        match self.0.credentials.redact_result(credential, Err(fault)) {
            Err(fault) => fault,
            Ok(_) => Fault::internal("a fault became a result"),
        }
    }
}

/// Whether it may be the message that is at fault. Trouble of the store that its attachments go to says nothing of it; `LIMIT_EXCEEDED` is
/// that too, of many writers: what a message has too much of is said in its fields.
fn is_of_the_message(fault: &Fault) -> bool {
    let of_the_store = fault.code.as_str().starts_with("STORE_") || fault.code.as_str() == "DISK_FULL";
    !of_the_store && fault.code != Code::LIMIT_EXCEEDED
}

/// Server, user and mailbox; a password that changes changes nothing.
fn of(credential: &Credential, mailbox: &str) -> String {
    let field = |name: &str| credential.field(name).unwrap_or_default().trim();
    hash_of(&[field("host").to_ascii_lowercase().as_bytes(), field("username").as_bytes(), mailbox.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_of_the_store_is_no_messages_fault() {
        for (code, expected) in [
            (Code::CONNECTION_FAILED, true),
            (Code::TIMEOUT, true),
            (Code::BAD_RESPONSE, true),
            (Code::PROVIDER_ERROR, true),
            (Code::INTERNAL, true),
            (Code::other(StoreError::Closed.code()), false),
            (Code::other(StoreError::Failed(String::new()).code()), false),
            (Code::other("DISK_FULL"), false),
            (Code::LIMIT_EXCEEDED, false),
        ] {
            assert_eq!(is_of_the_message(&Fault::new(code.clone(), "")), expected, "{code}");
        }
    }
}
