//! Approvals that are asked by mail: whom, by which link, and the mails, which are kept before the step waits.
//!
//! A link is not stored anywhere, in no form: it is proved by a keyed hash of its run, its question and the address that it was sent to.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainspring_model::fault::Fault;
use mainspring_model::id::{MessageId, OrgId, RunId};
use mainspring_model::mail::{Mail, is_plain_address};
use mainspring_model::run::RunHeader;
use mainspring_model::store::{Channel, NewMessage, SealedTable, Sending, StoreError};
use mainspring_model::wait::Wait;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::credentials::SealError;
use crate::engine::{Engine, Inner};
use crate::inner::passes;
use crate::run::rfc3339;

/// The longest subject, in characters.
const SUBJECT: usize = 120;

/// What a link says: whose question it answers, and as whom. Worth something only when it [proves](Engine::proves) itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalLink {
    pub run: RunId,
    /// The question's: what follows `approval:` in its topic.
    pub id: String,
    pub address: String,
    proof: String,
}

impl ApprovalLink {
    /// Reads the last part of a link. `None` when it is none of ours.
    pub fn parse(text: &str) -> Option<ApprovalLink> {
        let mut parts = text.split('.');
        let (run, id, address, proof) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || run.len() != 32 {
            return None;
        }
        let address = String::from_utf8(URL_SAFE_NO_PAD.decode(address).ok()?).ok()?;
        Some(ApprovalLink { run: RunId(Uuid::try_parse(run).ok()?), id: id.to_owned(), address, proof: proof.to_owned() })
    }

    fn text(&self) -> String {
        format!("{}.{}.{}.{}", self.run.0.simple(), self.id, URL_SAFE_NO_PAD.encode(&self.address), self.proof)
    }
}

impl Engine {
    /// Whether the link was made here, for a run of this organization.
    ///
    /// # Errors
    /// The vault's and the store's, while the organization's key is loaded.
    pub async fn proves(&self, org: OrgId, link: &ApprovalLink) -> Result<bool, SealError> {
        self.0.credentials.ensure_key(org).await?;
        let expected = self.0.proof(org, link.run, &link.id, &link.address)?;
        // By their hashes: how long the comparison takes tells nothing of the proof.
        Ok(Sha256::digest(expected.as_bytes()) == Sha256::digest(link.proof.as_bytes()))
    }

    /// How far the mails of a question have come, `[{to, state, attempts, reason}]`, in the order in which people were asked.
    ///
    /// # Errors
    /// The store's.
    pub async fn mails_of(&self, org: OrgId, run: RunId, topic: &str, detail: &Value) -> Result<Vec<Value>, StoreError> {
        self.0.mails_of(org, run, topic, detail).await
    }
}

impl Inner {
    fn proof(&self, org: OrgId, run: RunId, id: &str, address: &str) -> Result<String, mainspring_vault::VaultError> {
        self.vault.idempotency_key(org, run, &format!("approval-link/{id}/{address}"))
    }

    /// Mails the question to whom it names, each once: the mails are durable when this returns. Notes in the wait who was asked. `None`: the
    /// run is somebody else's by now.
    pub(crate) async fn ask_by_mail(&self, header: &RunHeader, epoch: i64, path: &str, wait: &mut Wait) -> Option<Result<(), Fault>> {
        let named: Vec<String> =
            wait.detail["to"].as_array().into_iter().flatten().filter_map(|to| Some(to.as_str()?.to_owned())).collect();
        if named.is_empty() {
            return Some(Ok(()));
        }
        let addresses = loop {
            if !self.store.trusted(epoch).await {
                return None;
            }
            match self.addresses(header.owner.org, &named).await {
                Ok(Ok(addresses)) => break addresses,
                Ok(Err(fault)) => return Some(Err(fault)),
                Err(error) if passes(&error) => self.hold(header, path, &error).await,
                Err(StoreError::Closed) => return None,
                Err(error) => return Some(Err(Fault::internal(error.to_string()))),
            }
        };
        for address in &addresses {
            loop {
                if !self.store.trusted(epoch).await {
                    return None;
                }
                match self.ask_one(header, wait, address).await {
                    Ok(()) => break,
                    Err(SealError::Store(StoreError::Closed)) => return None,
                    Err(SealError::Store(error)) if passes(&error) => self.hold(header, path, &error).await,
                    Err(error) => return Some(Err(Fault::internal(error.to_string()))),
                }
            }
        }
        wait.detail["asked"] = json!(addresses);
        Some(Ok(()))
    }

    async fn ask_one(&self, header: &RunHeader, wait: &Wait, address: &str) -> Result<(), SealError> {
        let (org, run, question) = (header.owner.org, header.id, id_of(&wait.topic));
        self.credentials.ensure_key(org).await?;
        let proof = self.proof(org, run, question, address)?;
        let link = ApprovalLink { run, id: question.to_owned(), address: address.to_owned(), proof }.text();
        let content =
            serde_json::to_vec(&letter(header, wait, address, &format!("{}/api/approval-links/{link}", self.settings.public_url)));
        let id = MessageId(uuid::Builder::from_random_bytes(self.random_16()).into_uuid());
        let row = self.credentials.seal_value(SealedTable::Outbox, org, None, id.0, &content.unwrap_or_default()).await?;
        let key = mail_key(run, question, address);
        self.store.put_message(&NewMessage { id, org, channel: Channel::Mail, key, throttle: None, sealed: row.bytes() }).await?;
        // The message is kept by now, whatever becomes of its key.
        if let Err(error) = self.credentials.written(&row).await {
            tracing::warn!(%error, message = %id, "a message could not be looked at for a newer key");
        }
        Ok(())
    }

    /// The addresses that are meant, each once. What has no `@` is the name of a member.
    async fn addresses(&self, org: OrgId, named: &[String]) -> Result<Result<Vec<String>, Fault>, StoreError> {
        let mut addresses: Vec<String> = Vec::with_capacity(named.len());
        let mut members = None;
        for (at, name) in named.iter().enumerate() {
            let name = name.trim();
            let address = if name.contains('@') {
                name.to_owned()
            } else {
                if members.is_none() {
                    members = Some(self.members(org).await?);
                }
                let mut fitting = members.iter().flatten().filter(|(known, _)| known.to_lowercase() == name.to_lowercase());
                match (fitting.next(), fitting.next()) {
                    (Some((_, address)), None) => address.clone(),
                    (None, _) => return Ok(Err(wrong(at, name, "is the name of no member; write an address, or a member's name"))),
                    (Some(_), Some(_)) => return Ok(Err(wrong(at, name, "is the name of several members; write the address"))),
                }
            };
            if !is_plain_address(&address) {
                return Ok(Err(wrong(at, name, "is no address; write it as ada@example.com")));
            }
            if !addresses.iter().any(|known| known.eq_ignore_ascii_case(&address)) {
                addresses.push(address);
            }
        }
        Ok(Ok(addresses))
    }

    /// Names and addresses of the members.
    async fn members(&self, org: OrgId) -> Result<Vec<(String, String)>, StoreError> {
        let mut members = Vec::new();
        for member in self.store.list_members(org).await? {
            if let Some(user) = self.store.user(member.user).await? {
                members.push((user.name, user.email));
            }
        }
        Ok(members)
    }

    pub(crate) async fn mails_of(&self, org: OrgId, run: RunId, topic: &str, detail: &Value) -> Result<Vec<Value>, StoreError> {
        let asked: Vec<&str> = detail["asked"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<String> = asked.iter().map(|address| mail_key(run, id_of(topic), address)).collect();
        let known = self.store.sendings(org, &keys).await?;
        let one = |(address, key): (&&str, &String)| {
            let Sending { state, attempts, reason, .. } = known.iter().find(|sending| sending.key == *key)?;
            Some(json!({"to": address, "state": state.as_str(), "attempts": attempts, "reason": reason}))
        };
        Ok(asked.iter().zip(&keys).filter_map(one).collect())
    }
}

fn wrong(at: usize, name: &str, what: &str) -> Fault {
    let shown: String = name.chars().take(100).collect();
    Fault::invalid_params(format!("\"to\"[{at}]: \"{shown}\" {what}"))
}

fn id_of(topic: &str) -> &str {
    topic.split_once(':').map_or("", |(_, id)| id)
}

/// One mail for each question of a run and each address, however often the step is repeated.
fn mail_key(run: RunId, id: &str, address: &str) -> String {
    let hash = URL_SAFE_NO_PAD.encode(&Sha256::digest(address.as_bytes())[..12]);
    format!("approval/{}/{id}/{hash}", run.0.simple())
}

fn letter(header: &RunHeader, wait: &Wait, address: &str, link: &str) -> Mail {
    let message = wait.detail["message"].as_str().unwrap_or_default().trim();
    let first: String = message.lines().next().unwrap_or_default().chars().take(SUBJECT).collect();
    let until = wait.until.map(|until| format!(" until {}", rfc3339(until))).unwrap_or_default();
    let text = format!(
        "{} asks:\n\n{message}\n\nSay yes or no here{until}:\n{link}\n\nOpening the page decides nothing; the first answer counts. The link is for {address} \
         alone: whoever has it answers in that name.\nIf you do not know what this is about, leave this mail alone.\n",
        header.plan_name,
    );
    Mail { to: address.to_owned(), subject: format!("Approval: {first}"), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_back_and_nothing_else_is_one() {
        let run = RunId(Uuid::from_u128(7));
        let link = ApprovalLink { run, id: "mfrgg".to_owned(), address: "ada@example.com".to_owned(), proof: "p".to_owned() };
        assert_eq!(ApprovalLink::parse(&link.text()), Some(link.clone()));
        let long = format!("{}.more", link.text());
        for odd in ["", ".", "...", "x.y.z.p", "00000000-0000-0000-0000-000000000007.a.YQ.p", &long, &link.text().replace("YWR", "!!!")] {
            assert_eq!(ApprovalLink::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_mail_is_one_for_a_question_and_an_address() {
        let (run, other) = (RunId(Uuid::from_u128(7)), RunId(Uuid::from_u128(8)));
        let key = mail_key(run, "q", "ada@example.com");
        assert!(key.len() < 120 && !key.contains("ada"), "{key}");
        assert_ne!(key, mail_key(other, "q", "ada@example.com"));
        assert_ne!(key, mail_key(run, "r", "ada@example.com"));
        assert_ne!(key, mail_key(run, "q", "bob@example.com"));
    }
}
