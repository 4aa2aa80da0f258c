//! Accounts and sessions over HTTP: a file per noun.

mod accounts;
mod answer;
mod api_keys;
mod deletion;
mod factor;
mod first_owner;
mod login;
mod outside;
mod pages;
mod passwords;
mod public;
mod sessions;

pub use public::{account_key, attempt};

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::Api;

/// The operations below `/api/auth/`.
pub fn operations() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(accounts::register_account))
        .routes(routes!(accounts::get_me))
        .routes(routes!(accounts::verify_email))
        .routes(routes!(accounts::resend_verification))
        .routes(routes!(login::log_in))
        .routes(routes!(login::pass_second_factor))
        .routes(routes!(sessions::refresh_session))
        .routes(routes!(sessions::log_out))
        .routes(routes!(sessions::list_sessions, sessions::end_other_sessions))
        .routes(routes!(sessions::end_session))
        .routes(routes!(passwords::change_password))
        .routes(routes!(deletion::delete_account))
        .routes(routes!(passwords::forgot_password))
        .routes(routes!(passwords::reset_password))
        .routes(routes!(first_owner::make_first_owner))
        .routes(routes!(pages::get_first_owner_page))
        .routes(routes!(pages::get_reset_page))
        .routes(routes!(pages::get_invitation_page))
        .routes(routes!(api_keys::list_api_keys, api_keys::create_api_key))
        .routes(routes!(api_keys::delete_api_key))
        .routes(routes!(outside::list_issuers))
        .routes(routes!(outside::leave_for_issuer))
        .routes(routes!(outside::return_from_issuer))
        .routes(routes!(factor::get_second_factor, factor::enrol_second_factor))
        .routes(routes!(factor::confirm_second_factor))
        .routes(routes!(factor::remove_second_factor))
}
