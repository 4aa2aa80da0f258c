//! Checks a trigger that watches a mailbox.

use std::time::Duration;

use super::check_trigger::LEAST_INTERVAL;
use super::document::TriggerKindDoc;
use super::problems::Problems;
use super::trigger::{Email, TriggerKind};
use super::{code, policy};
use crate::Problem;
use crate::mailbox::LONGEST_MAILBOX;

const MAILBOX: &str = "INBOX";
const EVERY: Duration = Duration::from_secs(60);

/// `Manual` when something is wrong, which has been reported then.
pub(crate) fn compile(doc: &TriggerKindDoc, pointer: &str, problems: &mut Problems<'_>) -> TriggerKind {
    let TriggerKindDoc::Email { mailbox, every, first, mark_seen } = doc else { return TriggerKind::Manual };
    let before = problems.count();
    if let Some(mailbox) = mailbox
        && (mailbox.is_empty() || mailbox.chars().count() > LONGEST_MAILBOX || mailbox.chars().any(char::is_control))
    {
        let message = format!("\"mailbox\" is the name of one: 1 to {LONGEST_MAILBOX} characters, none of them a control character");
        let problem = Problem::new(code::INVALID_VALUE, format!("{pointer}/mailbox"), message);
        problems.push(problem.expected("a name as the mail server writes it, such as INBOX or Orders/New"));
    }
    let every = match every {
        Some(every) => policy::span(Some(every), LEAST_INTERVAL, &format!("{pointer}/every"), problems),
        None => Some(EVERY),
    };
    match every {
        Some(every) if problems.count() == before => TriggerKind::Email(Email {
            mailbox: mailbox.clone().unwrap_or_else(|| MAILBOX.to_owned()),
            every,
            first: first.unwrap_or_default(),
            mark_seen: mark_seen.unwrap_or_default(),
        }),
        _ => TriggerKind::Manual,
    }
}
