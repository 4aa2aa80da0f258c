//! The HTTP interface: a file per resource, handlers as plain functions beside their types, and here the one list of all routes.

mod api;
mod approval_links;
mod approvals;
mod audit;
mod audit_log;
mod auth;
mod body;
mod caller;
mod command;
mod cookie;
mod credential_checks;
mod credential_items;
mod credential_test;
mod credentials;
mod data;
mod docs;
mod edge;
mod egress;
mod elsewhere;
mod error_pages;
mod events;
mod execute;
mod execution;
mod failures;
mod feature_flags;
mod file_content;
mod file_form;
mod file_stream;
mod files;
mod form_sent;
mod forms;
mod health;
mod history;
mod hosts;
mod idempotency;
mod integration_body;
mod integrations;
mod invitation_mail;
mod invitations;
mod invited;
mod kept_files;
mod limit;
mod live;
mod logs;
mod many_runs;
mod members;
mod metrics;
mod monitoring;
mod move_runs;
mod notification_rules;
mod notifications;
mod oauth_fields;
mod one_call;
mod openapi;
mod org_limits;
mod organization_end;
mod organizations;
mod origin;
mod path;
mod patterns;
mod permissions;
mod plan_body;
mod plan_changes;
mod plan_files;
mod plans;
mod privacy;
mod problem;
mod providers;
mod query;
mod reach;
mod replays;
mod reply;
mod request_id;
mod resting;
mod runs;
mod sample_capture;
mod samples;
mod schedule_preview;
mod schedules;
mod schemas;
mod secret_references;
mod server;
pub(crate) mod shape;
mod signals;
mod socket;
mod state;
mod step;
mod step_plan;
mod variables;
mod veil;
mod versions;
mod webhook;
mod webhook_answer;
mod webhook_auth;
mod webhook_challenge;
mod webhook_form;
mod webhook_request;
mod webhook_signature;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use server::serve;

use api::Api;
use caller::KeyCache;
use problem::Problem;

use crate::app::App;

/// How the process is: what every node answers, whatever its roles are.
fn state_of_the_node() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(health::check_health))
        .routes(routes!(health::check_liveness))
        .routes(routes!(health::check_readiness))
        .routes(routes!(health::check_migrations))
        .routes(routes!(metrics::get_metrics))
        .fallback(not_found)
}

/// Every operation. What is not here does not exist; what is here is in the OpenAPI document by the same line.
fn operations() -> OpenApiRouter<Arc<Api>> {
    state_of_the_node()
        .routes(routes!(openapi::get_document))
        .routes(routes!(docs::get_page))
        .routes(routes!(error_pages::list_error_pages))
        .routes(routes!(error_pages::get_error_page))
        .routes(routes!(schemas::get_plan_schema))
        .routes(routes!(providers::list_providers))
        .routes(routes!(providers::get_provider))
        .routes(routes!(plans::list_plans, plans::create_plan))
        .routes(routes!(plans::get_plan, plans::update_plan, plans::delete_plan))
        .routes(routes!(plans::validate_plan))
        .routes(routes!(versions::list_versions))
        .routes(routes!(versions::get_version))
        .routes(routes!(versions::diff_versions))
        .routes(routes!(versions::rollback_plan))
        .routes(routes!(versions::publish_plan))
        .routes(routes!(versions::discard_draft))
        .routes(routes!(move_runs::move_runs))
        .routes(routes!(samples::make_test_address))
        .routes(routes!(samples::list_samples))
        .routes(routes!(plan_files::list_plan_files))
        .routes(routes!(plan_files::detach_plan))
        .routes(routes!(patterns::execute_pattern))
        .routes(routes!(patterns::execute_by_id))
        .routes(routes!(reach::get_sharing, reach::update_sharing))
        .routes(routes!(schedules::schedule_plan, schedules::remove_schedule))
        .routes(routes!(schedules::unschedule_plan))
        .routes(routes!(schedules::list_jobs))
        .routes(routes!(schedule_preview::next_of_plan))
        .routes(routes!(schedule_preview::preview_schedule))
        .routes(routes!(execute::execute_plan))
        .routes(routes!(step::execute_step))
        .routes(routes!(runs::list_runs))
        .routes(routes!(failures::list_failures))
        .routes(routes!(many_runs::retry_runs))
        .routes(routes!(many_runs::cancel_runs))
        .routes(routes!(runs::get_run))
        .routes(routes!(runs::cancel_run))
        .routes(routes!(runs::pause_run))
        .routes(routes!(replays::retry_run))
        .routes(routes!(replays::replay_run))
        .routes(routes!(replays::resume_run))
        .routes(routes!(signals::post_event, signals::list_events))
        .routes(routes!(signals::answer_callback))
        .routes(routes!(approvals::list_approvals))
        .routes(routes!(approvals::answer_approval))
        .routes(routes!(approval_links::get_approval_page, approval_links::send_approval_page))
        .routes(routes!(events::stream_events))
        .routes(routes!(live::stream_live))
        .routes(routes!(socket::open_socket))
        .routes(routes!(files::list_files, files::upload_file))
        .routes(routes!(files::get_file, files::delete_file))
        .routes(routes!(files::get_file_content))
        .routes(routes!(logs::list_logs))
        .routes(routes!(monitoring::get_status))
        .routes(routes!(feature_flags::list_feature_flags))
        .routes(routes!(feature_flags::get_feature_flag, feature_flags::put_feature_flag, feature_flags::delete_feature_flag))
        .routes(routes!(notifications::list_notifications))
        .routes(routes!(notifications::read_all_notifications))
        .routes(routes!(notifications::read_notification))
        .routes(routes!(notifications::delete_notification))
        .routes(routes!(notification_rules::list_notification_rules, notification_rules::create_notification_rule))
        .routes(routes!(notification_rules::update_notification_rule, notification_rules::delete_notification_rule))
        .routes(routes!(notification_rules::rotate_notification_secret))
        .routes(routes!(credential_items::list_credentials, credential_items::create_credential))
        .routes(routes!(credential_items::get_credential, credential_items::update_credential, credential_items::delete_credential))
        .routes(routes!(credential_test::test_credential))
        .routes(routes!(hosts::list_hosts))
        .routes(routes!(hosts::reset_host))
        .routes(routes!(egress::list_egress_rules, egress::add_egress_rule))
        .routes(routes!(egress::remove_egress_rule))
        .routes(routes!(credentials::get_credentials, credentials::put_credential, credentials::delete_credentials))
        .routes(routes!(integrations::list_integrations, integrations::create_integration))
        .routes(routes!(integrations::get_integration, integrations::update_integration, integrations::delete_integration))
        .routes(routes!(integrations::put_integration_credential))
        .routes(routes!(integrations::test_integration))
        .routes(routes!(data::export_data))
        .routes(routes!(privacy::get_hidden_fields, privacy::set_hidden_fields))
        .routes(routes!(webhook::call_webhook))
        .routes(routes!(forms::get_form, forms::send_form))
        .routes(routes!(organizations::list_organizations, organizations::create_organization))
        .routes(routes!(org_limits::get_organization_limits, org_limits::set_organization_limits))
        .routes(routes!(organizations::get_organization, organizations::update_organization, organization_end::delete_organization))
        .routes(routes!(organization_end::restore_organization))
        .routes(routes!(members::transfer_organization))
        .routes(routes!(members::leave_organization))
        .routes(routes!(members::list_members))
        .routes(routes!(members::update_member, members::remove_member))
        .routes(routes!(invitations::list_invitations, invitations::create_invitation))
        .routes(routes!(invitations::revoke_invitation))
        .routes(routes!(invitations::resend_invitation))
        .routes(routes!(invited::look_at_invitation))
        .routes(routes!(invited::accept_invitation))
        .routes(routes!(invited::decline_invitation))
        .routes(routes!(variables::list_variables))
        .routes(routes!(variables::put_variable, variables::delete_variable))
        .routes(routes!(audit_log::list_audit_log))
        .routes(routes!(state::list_state))
        .routes(routes!(state::get_state, state::put_state, state::delete_state))
        .routes(routes!(state::delete_state_set))
        .merge(auth::operations())
        // The second family of names.
        .routes(routes!(plans::list_execution_plans, plans::create_execution_plan))
        .routes(routes!(plans::get_execution_plan, plans::update_execution_plan, plans::delete_execution_plan))
        .routes(routes!(schedules::schedule_execution_plan, schedules::remove_execution_schedule))
        .routes(routes!(schedules::unschedule_execution_plan))
        .routes(routes!(execute::execute_execution_plan))
}

async fn not_found(request: Request) -> Box<Problem> {
    Problem::not_found(format_args!("the address {}", request.uri().path()))
}

/// The whole interface as one service, for tests and for whoever brings a listener of their own. Who calls is in `ConnectInfo`.
pub fn router(app: Arc<App>) -> Router {
    let (api, routes) = build(app);
    let service = tower::service_fn(move |request: Request| {
        let (api, routes) = (api.clone(), routes.clone());
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        async move { Ok::<_, std::convert::Infallible>(edge::answer(&api, routes, peer, request).await) }
    });
    Router::new().fallback_service(service)
}

/// The OpenAPI document, for `mainspring schema` and for clients that are generated from it.
pub fn openapi_document() -> String {
    openapi::text(&operations().split_for_parts().1)
}

fn build(app: Arc<App>) -> (Arc<Api>, Router) {
    let operations = if app.mode.roles.api { operations() } else { state_of_the_node() };
    let (routes, document) = operations.split_for_parts();
    let api = Arc::new(Api {
        app,
        keys: KeyCache::default(),
        hidden: veil::Rules::default(),
        warned_of_user_id: false.into(),
        closing: CancellationToken::new(),
        sockets: TaskTracker::new(),
        rules: permissions::Rules::of(&document),
        resting: resting::Resting::default(),
        reaches: reach::Reaches::believed_for(reach::KEEP),
        document,
        written: OnceLock::new(),
    });
    // For what a route was found for: an unknown address is told to nobody in particular.
    let routes = routes.route_layer(axum::middleware::from_fn_with_state(api.clone(), permissions::judge)).with_state(api.clone());
    (api, routes)
}

/// The document and its page, written out when somebody first asks: a start does not wait for them.
type Written = OnceLock<(Bytes, Bytes)>;
