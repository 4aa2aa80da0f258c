//! Signing secrets of webhooks, as Standard Webhooks has them: `whsec_…`, and two at once while one takes the other's place.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use mainspring_engine::{Credentials, SealError};
use mainspring_model::clock::Millis;
use mainspring_model::credential::Secret;
use mainspring_model::id::{NotificationRuleId, OrgId};
use mainspring_model::store::{SealedRow, SealedTable};
use mainspring_vault::{Vault, VaultError};
use serde_json::{Value, json};
use sha2::Sha256;

const PREFIX: &str = "whsec_";
/// How long the one before is signed with beside the new one.
const BOTH: Millis = 24 * 3_600_000;

/// A secret, and until when it is signed with.
#[derive(Clone, Debug)]
pub struct LiveSecret {
    pub secret: Secret,
    pub until: Option<Millis>,
}

/// 32 random bytes.
///
/// # Errors
/// `VAULT_NO_ENTROPY`.
pub fn new_secret(vault: &Vault) -> Result<Secret, VaultError> {
    let mut bytes = [0; 32];
    vault.entropy().fill(&mut bytes)?;
    Ok(Secret::new(format!("{PREFIX}{}", STANDARD.encode(bytes))))
}

/// The new secret first, then the newest of those before for a day.
pub fn rotated(before: &[LiveSecret], new: Secret, now: Millis) -> Vec<LiveSecret> {
    let last = before.iter().find(|live| live.until.is_none()).map(|live| LiveSecret { until: Some(now + BOTH), ..live.clone() });
    std::iter::once(LiveSecret { secret: new, until: None }).chain(last).collect()
}

/// # Errors
/// The store's and the vault's.
pub async fn seal_secrets(
    credentials: &Credentials,
    org: OrgId,
    rule: NotificationRuleId,
    secrets: &[LiveSecret],
) -> Result<SealedRow, SealError> {
    let list: Vec<Value> = secrets.iter().map(|live| json!([live.secret.expose(), live.until])).collect();
    credentials.seal_value(SealedTable::NotificationRules, org, None, rule.0, Value::from(list).to_string().as_bytes()).await
}

/// # Errors
/// The store's and the vault's.
pub async fn open_secrets(
    credentials: &Credentials,
    org: OrgId,
    rule: NotificationRuleId,
    sealed: &[u8],
) -> Result<Vec<LiveSecret>, SealError> {
    let plain = credentials.open_value(SealedTable::NotificationRules, org, None, rule.0, sealed).await?;
    let list: Vec<(String, Option<Millis>)> = serde_json::from_slice(&plain).map_err(|_| VaultError::NotText)?;
    Ok(list.into_iter().map(|(secret, until)| LiveSecret { secret: Secret::new(secret), until }).collect())
}

/// The value of `webhook-signature`: one for each secret that is alive.
pub fn sign(secrets: &[LiveSecret], id: &str, timestamp: i64, body: &[u8], now: Millis) -> String {
    let alive = secrets.iter().filter(|live| live.until.is_none_or(|until| until > now));
    let signed = alive.map(|live| {
        let text = live.secret.expose();
        // Whoever brings a secret of another form is signed for with its bytes as they are.
        let key = text.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok()).unwrap_or_else(|| text.as_bytes().to_vec());
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("an HMAC takes a key of any length");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    });
    signed.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(secret: &str, until: Option<Millis>) -> LiveSecret {
        LiveSecret { secret: Secret::new(secret), until }
    }

    /// The example of the Standard Webhooks specification.
    #[test]
    fn the_published_example_is_signed_as_published() {
        let secret = live("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", None);
        let signature = sign(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#, 0);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_secrets_are_alive_for_a_day() {
        let first = vec![live("whsec_YQ==", None)];
        let both = rotated(&first, Secret::new("whsec_Yg=="), 1_000);
        let signs = |secrets: &[LiveSecret], now| sign(secrets, "id", 1, b"{}", now).split(' ').count();
        assert_eq!((signs(&both, 1_000), signs(&both, 1_000 + BOTH - 1), signs(&both, 1_000 + BOTH)), (2, 2, 1));
        let third = rotated(&both, Secret::new("whsec_Yw=="), 2_000);
        let alive: Vec<_> = third.iter().map(|live| (live.secret.expose().to_owned(), live.until.is_some())).collect();
        assert_eq!(alive, [("whsec_Yw==".to_owned(), false), ("whsec_Yg==".to_owned(), true)]);
    }
}
