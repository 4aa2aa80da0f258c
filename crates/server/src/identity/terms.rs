//! What the operator set of logins: how long things live, and who may register.

use std::time::Duration;

use mainspring_model::clock::Millis;
use url::Url;

/// How logins work here.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Terms {
    /// Anybody may make an account.
    pub registration: bool,
    /// Where people reach this server: what links in mails begin with, and whether cookies ask for https.
    pub public_url: Option<Url>,
    /// Somebody at an outside issuer who has a user's e-mail address, proved there, is that user.
    pub link_by_email: bool,
    /// Outside issuers may be in private networks.
    pub private_issuers: bool,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// How long an access token holds.
pub const ACCESS: Duration = Duration::from_secs(30 * MINUTE);
/// How long a session lasts without being used: of a refresh token, and of a browser's cookie.
pub const IDLE: Duration = Duration::from_secs(7 * DAY);
/// How long a session lasts at all; then one logs in again.
pub const SESSION: Duration = Duration::from_secs(30 * DAY);
/// How long the use of a refresh token may be repeated: a lost answer is asked for again within seconds.
pub const GRACE: Duration = Duration::from_secs(30);
pub const VERIFY_EMAIL: Duration = Duration::from_secs(DAY);
pub const RESET_PASSWORD: Duration = Duration::from_secs(HOUR);
pub const FIRST_OWNER: Duration = Duration::from_secs(DAY);
/// Between the password and the second factor.
pub const CHALLENGE: Duration = Duration::from_secs(5 * MINUTE);
/// Between leaving for an outside issuer and coming back.
pub const OUTSIDE: Duration = Duration::from_secs(10 * MINUTE);

pub(crate) fn millis(span: Duration) -> Millis {
    Millis::try_from(span.as_millis()).unwrap_or(Millis::MAX)
}
