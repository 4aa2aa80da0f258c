//! Links and tokens that let somebody do one thing, once.

use std::time::Duration;

use mainspring_engine::SealError;
use mainspring_model::id::UserId;
use mainspring_model::store::OneTime;
use mainspring_vault::Token;
use serde_json::Value;

use super::sessions::SessionError;
use super::terms::millis;
use crate::app::App;
use crate::mail::{self, Mail};

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    VerifyEmail,
    ResetPassword,
    FirstOwner,
    /// Between the password and the second factor.
    SecondFactor,
    /// Between leaving for an outside issuer and coming back.
    OutsideLogin,
}

impl Purpose {
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::VerifyEmail => "verify_email",
            Purpose::ResetPassword => "reset_password",
            Purpose::FirstOwner => "first_owner",
            Purpose::SecondFactor => "second_factor",
            Purpose::OutsideLogin => "outside_login",
        }
    }
}

impl App {
    /// Makes a token that takes the place of those made before for the same user and purpose.
    ///
    /// # Errors
    /// The store's; no entropy.
    pub async fn one_time(&self, user: Option<UserId>, purpose: Purpose, life: Duration, data: Value) -> Result<Token, SessionError> {
        let token = Token::generate(Token::ONCE, self.vault.entropy())?;
        if matches!(purpose, Purpose::VerifyEmail | Purpose::ResetPassword | Purpose::FirstOwner) {
            self.store.drop_one_time(user, purpose.as_str()).await?;
        }
        let expires_at = self.clock.now() + millis(life);
        let hash = token.hash().0.to_vec();
        self.store.put_one_time(&OneTime { hash, purpose: purpose.as_str().to_owned(), user, data, expires_at }).await?;
        Ok(token)
    }

    /// Uses a token up; `None` when it is none, was used or has expired.
    ///
    /// # Errors
    /// The store's.
    pub async fn take_one_time(&self, token: &str, purpose: Purpose) -> Result<Option<OneTime>, SessionError> {
        let Ok(token) = Token::parse(Token::ONCE, token) else { return Ok(None) };
        Ok(self.store.take_one_time(&token.hash().0, purpose.as_str()).await?)
    }

    /// Looks at a token without using it up.
    ///
    /// # Errors
    /// The store's.
    pub async fn look_one_time(&self, token: &str, purpose: Purpose) -> Result<Option<OneTime>, SessionError> {
        let Ok(token) = Token::parse(Token::ONCE, token) else { return Ok(None) };
        Ok(self.store.one_time(&token.hash().0, purpose.as_str()).await?)
    }

    /// Where people reach this server, without a slash at the end.
    pub fn public_url(&self) -> String {
        self.engine.public_url().to_owned()
    }

    /// Sends somebody a link, as the operator has mail set up; without a mail server the mail's text is in the log.
    ///
    /// # Errors
    /// The mail was not accepted.
    pub async fn send_link(&self, to: &str, subject: &str, why: &str, link: &str) -> Result<(), SealError> {
        let text = format!("{why}\n\n{link}\n\nIf you did not ask for it, leave this mail alone: nothing happens.\n");
        mail::send(self, &Mail { to: to.to_owned(), subject: subject.to_owned(), text }).await?;
        Ok(())
    }
}
