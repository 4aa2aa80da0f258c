//! The one table of who may call which operation, and the one place that judges a call by it. What is not in it is refused.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use mainspring_model::hidden::Veil;
use mainspring_model::role::Permission;
use utoipa::openapi::OpenApi;

use super::api::Api;
use super::audit::{self, Origin};
use super::caller::{self, Caller};
use super::edge::method_not_allowed;
use super::members;
use super::problem::{Problem, Refusable};
use super::{cookie, resting, socket, veil};
use crate::traces;

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Anybody; the handler asks for what it needs itself, if anything.
    Public,
    /// Whoever says who they are, whatever their role.
    SignedIn,
    /// Whose role in the organization has this.
    Needs(Permission),
    /// Who administers the installation.
    Operator,
}

use Permission as P;
use Rule::{Needs, Operator, Public, SignedIn};

/// Every operation by the id that it has in the OpenAPI document.
pub const OPERATIONS: &[(&str, Rule)] = &[
    // How the process is, and what everybody may read. `get_metrics` asks for a token of its own.
    ("check_health", Public),
    ("check_liveness", Public),
    ("check_readiness", Public),
    ("check_migrations", Public),
    ("get_metrics", Public),
    ("get_document", Public),
    ("get_page", Public),
    ("list_error_pages", Public),
    ("get_error_page", Public),
    ("get_plan_schema", Public),
    // Asks for what the trigger's `auth` says.
    ("call_webhook", Public),
    ("get_form", Public),
    ("send_form", Public),
    ("register_account", Public),
    ("verify_email", Public),
    ("log_in", Public),
    ("pass_second_factor", Public),
    ("refresh_session", Public),
    ("forgot_password", Public),
    ("reset_password", Public),
    ("make_first_owner", Public),
    ("get_first_owner_page", Public),
    ("get_reset_page", Public),
    ("get_invitation_page", Public),
    ("list_issuers", Public),
    ("leave_for_issuer", Public),
    ("return_from_issuer", Public),
    // One's own account; most ask for a session, and not for an API key.
    ("get_me", SignedIn),
    ("resend_verification", SignedIn),
    ("log_out", SignedIn),
    ("list_sessions", SignedIn),
    ("end_other_sessions", SignedIn),
    ("end_session", SignedIn),
    ("change_password", SignedIn),
    ("delete_account", SignedIn),
    ("list_api_keys", SignedIn),
    ("create_api_key", SignedIn),
    ("delete_api_key", SignedIn),
    ("get_second_factor", SignedIn),
    ("enrol_second_factor", SignedIn),
    ("confirm_second_factor", SignedIn),
    ("remove_second_factor", SignedIn),
    ("list_providers", SignedIn),
    ("get_provider", SignedIn),
    ("list_plans", Needs(P::PlanView)),
    ("create_plan", Needs(P::PlanWrite)),
    ("get_plan", Needs(P::PlanView)),
    ("update_plan", Needs(P::PlanWrite)),
    ("delete_plan", Needs(P::PlanDelete)),
    ("validate_plan", Needs(P::PlanView)),
    ("list_versions", Needs(P::PlanView)),
    ("get_version", Needs(P::PlanView)),
    ("diff_versions", Needs(P::PlanView)),
    ("rollback_plan", Needs(P::PlanWrite)),
    ("publish_plan", Needs(P::PlanWrite)),
    ("discard_draft", Needs(P::PlanWrite)),
    ("move_runs", Needs(P::PlanWrite)),
    ("make_test_address", Needs(P::PlanWrite)),
    ("list_samples", Needs(P::RunView)),
    ("list_plan_files", Needs(P::PlanView)),
    ("detach_plan", Needs(P::PlanWrite)),
    ("execute_pattern", Needs(P::RunStart)),
    ("execute_by_id", Needs(P::RunStart)),
    ("get_sharing", Needs(P::PlanView)),
    // Of these only the plan's owner, or an admin.
    ("update_sharing", Needs(P::PlanWrite)),
    ("schedule_plan", Needs(P::PlanWrite)),
    ("remove_schedule", Needs(P::PlanWrite)),
    ("unschedule_plan", Needs(P::PlanWrite)),
    ("list_jobs", Needs(P::PlanView)),
    ("next_of_plan", Needs(P::PlanView)),
    ("preview_schedule", Needs(P::PlanView)),
    ("execute_plan", Needs(P::RunStart)),
    ("execute_step", Needs(P::RunStart)),
    ("list_runs", Needs(P::RunView)),
    ("get_run", Needs(P::RunView)),
    ("cancel_run", Needs(P::RunControl)),
    ("list_failures", Needs(P::RunView)),
    ("retry_runs", Needs(P::RunControl)),
    ("cancel_runs", Needs(P::RunControl)),
    ("retry_run", Needs(P::RunControl)),
    ("replay_run", Needs(P::RunControl)),
    ("pause_run", Needs(P::RunControl)),
    ("resume_run", Needs(P::RunControl)),
    ("post_event", Needs(P::RunStart)),
    ("list_events", Needs(P::RunView)),
    ("answer_callback", Public),
    // Whoever has the link, which nobody can guess.
    ("get_approval_page", Public),
    ("send_approval_page", Public),
    ("list_approvals", Needs(P::RunView)),
    ("answer_approval", Needs(P::RunControl)),
    ("stream_events", Needs(P::RunView)),
    ("stream_live", Needs(P::RunView)),
    ("open_socket", Needs(P::RunView)),
    ("list_logs", Needs(P::RunView)),
    ("get_status", Needs(P::RunView)),
    ("list_files", Needs(P::RunView)),
    ("get_file", Needs(P::RunView)),
    ("get_file_content", Needs(P::RunView)),
    ("upload_file", Needs(P::RunStart)),
    ("delete_file", Needs(P::RunControl)),
    ("list_feature_flags", SignedIn),
    ("get_feature_flag", SignedIn),
    ("put_feature_flag", Operator),
    ("delete_feature_flag", Operator),
    // One's own.
    ("list_notifications", SignedIn),
    ("read_notification", SignedIn),
    ("read_all_notifications", SignedIn),
    ("delete_notification", SignedIn),
    // One's own; those for the whole organization ask for more themselves.
    ("list_notification_rules", Needs(P::RunView)),
    ("create_notification_rule", Needs(P::RunView)),
    ("update_notification_rule", Needs(P::RunView)),
    ("delete_notification_rule", Needs(P::RunView)),
    ("rotate_notification_secret", Needs(P::RunView)),
    ("list_credentials", Needs(P::CredentialView)),
    ("create_credential", Needs(P::CredentialWrite)),
    ("get_credential", Needs(P::CredentialView)),
    ("update_credential", Needs(P::CredentialWrite)),
    ("delete_credential", Needs(P::CredentialWrite)),
    ("test_credential", Needs(P::CredentialWrite)),
    ("get_credentials", Needs(P::CredentialView)),
    ("put_credential", Needs(P::CredentialWrite)),
    ("delete_credentials", Needs(P::CredentialWrite)),
    ("list_integrations", Needs(P::IntegrationView)),
    ("create_integration", Needs(P::IntegrationWrite)),
    ("get_integration", Needs(P::IntegrationView)),
    ("update_integration", Needs(P::IntegrationWrite)),
    ("delete_integration", Needs(P::IntegrationDelete)),
    ("put_integration_credential", Needs(P::CredentialWrite)),
    ("test_integration", Needs(P::IntegrationWrite)),
    ("export_data", SignedIn),
    ("list_hosts", Needs(P::EgressView)),
    ("reset_host", Needs(P::EgressWrite)),
    ("list_egress_rules", Needs(P::EgressView)),
    ("add_egress_rule", Needs(P::EgressWrite)),
    ("remove_egress_rule", Needs(P::EgressWrite)),
    ("get_hidden_fields", Needs(P::OrganizationView)),
    ("set_hidden_fields", Needs(P::OrganizationUpdate)),
    // Organizations: those with an id in the path are judged by the caller's role in that one.
    ("list_organizations", SignedIn),
    ("create_organization", SignedIn),
    ("get_organization", Needs(P::OrganizationView)),
    ("update_organization", Needs(P::OrganizationUpdate)),
    ("get_organization_limits", Needs(P::OrganizationView)),
    ("set_organization_limits", Needs(P::OrganizationUpdate)),
    ("delete_organization", Needs(P::OrganizationDelete)),
    ("restore_organization", Needs(P::OrganizationDelete)),
    ("transfer_organization", Needs(P::OrganizationDelete)),
    ("leave_organization", Needs(P::OrganizationView)),
    ("list_members", Needs(P::MemberView)),
    ("update_member", Needs(P::MemberManage)),
    ("remove_member", Needs(P::MemberManage)),
    ("list_invitations", Needs(P::MemberManage)),
    ("create_invitation", Needs(P::MemberManage)),
    ("revoke_invitation", Needs(P::MemberManage)),
    ("resend_invitation", Needs(P::MemberManage)),
    ("look_at_invitation", SignedIn),
    ("accept_invitation", SignedIn),
    ("decline_invitation", SignedIn),
    ("list_variables", Needs(P::VariableView)),
    ("put_variable", Needs(P::VariableWrite)),
    ("delete_variable", Needs(P::VariableWrite)),
    ("list_audit_log", Needs(P::AuditView)),
    ("list_state", Needs(P::PlanView)),
    ("get_state", Needs(P::PlanView)),
    ("put_state", Needs(P::PlanWrite)),
    ("delete_state", Needs(P::PlanWrite)),
    ("delete_state_set", Needs(P::PlanWrite)),
    // The second family of names.
    ("list_execution_plans", Needs(P::PlanView)),
    ("create_execution_plan", Needs(P::PlanWrite)),
    ("get_execution_plan", Needs(P::PlanView)),
    ("update_execution_plan", Needs(P::PlanWrite)),
    ("delete_execution_plan", Needs(P::PlanDelete)),
    ("schedule_execution_plan", Needs(P::PlanWrite)),
    ("remove_execution_schedule", Needs(P::PlanWrite)),
    ("unschedule_execution_plan", Needs(P::PlanWrite)),
    ("execute_execution_plan", Needs(P::RunStart)),
];

/// What goes on in an organization that is to be removed: to look at it, and to keep it after all.
const GO_ON: &[&str] = &[
    "list_organizations",
    "create_organization",
    "get_organization",
    "delete_organization",
    "restore_organization",
    "list_members",
    "list_audit_log",
    "accept_invitation",
    "decline_invitation",
    "look_at_invitation",
];

/// The rule of an operation.
pub fn rule_of(operation: &str) -> Option<Rule> {
    OPERATIONS.iter().find(|(id, _)| *id == operation).map(|(_, rule)| *rule)
}

/// The table by the routes that requests are matched to.
pub struct Rules(HashMap<String, Vec<Ruled>>);

/// A method of a path, and its line in the table.
type Ruled = (Method, Option<(&'static str, Rule)>);

impl Rules {
    /// Of the document's operations. One that the table lacks has no rule, and is refused when it is called.
    pub fn of(document: &OpenApi) -> Rules {
        let mut rules: HashMap<String, Vec<Ruled>> = HashMap::new();
        for (path, item) in &document.paths.paths {
            let methods = [
                (Method::GET, &item.get),
                (Method::PUT, &item.put),
                (Method::POST, &item.post),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
            ];
            for (method, operation) in methods {
                let Some(operation) = operation else { continue };
                let id = operation.operation_id.as_deref().unwrap_or_default();
                let known = OPERATIONS.iter().find(|(known, _)| *known == id).copied();
                rules.entry(path.clone()).or_default().push((method, known));
            }
        }
        Rules(rules)
    }

    /// # Errors
    /// 405 for a method that the path does not take, 500 for an operation that the table lacks.
    fn find(&self, path: &str, method: &Method) -> Refusable<(&'static str, Rule)> {
        let known = self.0.get(path).map(Vec::as_slice).unwrap_or_default();
        // A router answers HEAD as GET.
        let wanted = if *method == Method::HEAD { &Method::GET } else { method };
        match known.iter().find(|(known, _)| known == wanted) {
            Some((_, Some(ruled))) => Ok(*ruled),
            None if !known.is_empty() => {
                let taken = known.iter().map(|(known, _)| if *known == Method::GET { "GET,HEAD" } else { known.as_str() });
                Err(method_not_allowed(&taken.collect::<Vec<_>>().join(",")))
            }
            _ => Err(Problem::internal(format_args!("{method} {path} is not in the table of operations"))),
        }
    }
}

/// Judges every request that a route was found for, and tells the handler who calls.
///
/// An answer with data of runs is looked through before it leaves.
pub async fn judge(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let (operation, caller, veil) = match admit(&api, &mut request).await {
        Ok(admitted) => admitted,
        Err(problem) => return problem.into_response(),
    };
    traces::named(operation, caller.map(|caller| caller.owner.org));
    if request.method().is_safe() {
        let response = next.run(request).await;
        return if veil.is_empty() { response } else { veil::over(veil, response).await };
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let origin = request.extensions().get::<Origin>().cloned();
    let response = audit::watched(&api, operation, &method, caller, origin, path, next.run(request)).await;
    if veil.is_empty() { response } else { veil::over(veil, response).await }
}

async fn admit(api: &Api, request: &mut Request) -> Refusable<(&'static str, Option<Caller>, Veil)> {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    let (operation, rule) = api.rules.find(path, request.method())?;
    if rule == Public {
        return Ok((operation, None, Veil::default()));
    }
    if !api.mode.dev && !api.identity.is_founded(&*api.store).await? {
        return Err(unfounded());
    }
    // What is asked of the body's type and the like comes later: a stranger learns nothing of them.
    cookie::own_page(api, request, operation == "open_socket")?;
    let identified = if operation == "open_socket" {
        let identity = socket::identity(request.headers());
        caller::of(api, &identity, request.uri()).await
    } else {
        caller::of(api, request.headers(), request.uri()).await
    };
    let identified = match identified {
        Ok(identified) => identified,
        Err(problem) => {
            if problem.status == StatusCode::UNAUTHORIZED && request.headers().contains_key(http::header::AUTHORIZATION) {
                let origin = request.extensions().get::<Origin>().cloned();
                audit::unrecognised(api, origin, request.uri().path());
            }
            return Err(problem);
        }
    };
    let identified = members::within(api, identified, path, request.uri()).await?;
    let judged = match rule {
        Public | SignedIn => Ok(()),
        Needs(permission) => identified.demand(permission),
        Rule::Operator if identified.operator => Ok(()),
        Rule::Operator => Err(denied("only who administers this installation may do that".to_owned())),
    };
    if let Err(problem) = judged {
        let origin = request.extensions().get::<Origin>().cloned();
        audit::refused(api, operation, &identified, origin, request.uri().path());
        return Err(problem);
    }
    if !GO_ON.contains(&operation) {
        resting::refuse(api, identified.owner.org).await?;
    }
    tracing::Span::current().record("org_id", tracing::field::display(identified.owner.org));
    request.extensions_mut().insert(identified);
    let veil = match rule {
        // Of a socket each message.
        Needs(P::RunView | P::RunStart | P::RunControl) if operation != "open_socket" && operation != "get_file_content" => {
            veil::of(api, &identified).await?
        }
        _ => Veil::default(),
    };
    Ok((operation, Some(identified), veil))
}

/// 503: nobody can call before there is an owner.
pub fn unfounded() -> Box<Problem> {
    let detail = "this installation has no owner yet: open the link in the server's log, or run `mainspring owner create --email <address>` \
                  on the server's machine";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "OWNER_NEEDED", detail)
}

/// 403 for a lack of rights.
pub fn denied(detail: String) -> Box<Problem> {
    Problem::new(StatusCode::FORBIDDEN, "PERMISSION_DENIED", detail)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_operation_is_in_the_table_and_nothing_else() {
        let document: serde_json::Value = serde_json::from_str(&super::super::openapi_document()).expect("JSON");
        let mut found = BTreeSet::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for operation in item.as_object().expect("operations").values() {
                let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("an operation of {path} has no id"));
                let id = if path.starts_with("/api/webhook/") { "call_webhook" } else { id };
                assert!(found.insert(id.to_owned()) || id == "call_webhook", "{id} names two operations");
                let rule = rule_of(id).unwrap_or_else(|| panic!("{id} is not in the table"));
                let open = operation["security"].as_array().is_some_and(|security| security == &[serde_json::json!({})]);
                assert_eq!(open, rule == Public && id != "get_metrics", "what the document says of {id}");
            }
        }
        let listed: BTreeSet<String> = OPERATIONS.iter().map(|(id, _)| (*id).to_owned()).collect();
        assert_eq!(listed.difference(&found).collect::<Vec<_>>(), [""; 0], "rules for operations that are not there");
        assert_eq!(listed.len(), OPERATIONS.len(), "an operation has one rule");
    }
}
