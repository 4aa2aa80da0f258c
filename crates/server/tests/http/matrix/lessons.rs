//! What the document cannot say: which thing a path's parameter names, and bodies that do what they say.

use mainspring_model::role::Role;
use serde_json::{Value, json};

use super::super::world::doubling;
use super::tenant::Tenant;

/// A plan that can also be started by a webhook, whose path nobody knows.
pub fn hooked(name: &str) -> Value {
    let mut plan = doubling(name);
    plan["triggers"] = json!([{"type": "webhook", "path": "matrix/hooked"}]);
    plan
}

/// A path's parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Named {
    Plan,
    Run,
    /// One that has ended, and not well.
    FailedRun,
    Integration,
    Organization,
    User,
    Invitation,
    Variable,
    NotificationRule,
    Notification,
    Credential,
    ApiKey,
    Session,
    Approval,
    File,
    Callback,
    /// Of an allow-list.
    Host,
    /// The same for everybody.
    Common(&'static str),
}

impl Named {
    /// It belongs to one organization.
    pub fn is_owned(self) -> bool {
        !matches!(self, Named::Common(_))
    }

    pub fn of(self, tenant: &Tenant) -> String {
        match self {
            Named::Plan => tenant.plan.clone(),
            Named::Run => tenant.run.clone(),
            Named::FailedRun => tenant.failed.clone(),
            Named::Integration => tenant.integration.clone(),
            Named::Organization => tenant.owner().org.to_string(),
            Named::User => tenant.extra.to_string(),
            Named::Invitation => tenant.invitation.clone(),
            Named::Variable => "REGION".to_owned(),
            Named::NotificationRule => tenant.rule.clone(),
            Named::Notification => tenant.notification.clone(),
            Named::Credential => tenant.credential.clone(),
            Named::ApiKey => tenant.api_key.clone(),
            Named::Session => tenant.session.clone(),
            Named::Approval => tenant.approval.clone(),
            Named::File => tenant.file.clone(),
            Named::Callback => tenant.callback.clone(),
            Named::Host => tenant.host(),
            Named::Common(text) => text.to_owned(),
        }
    }
}

/// By where it stands.
pub fn value_of(path: &str, name: &str) -> Named {
    match (path, name) {
        (_, "user") => Named::User,
        (_, "invitation") => Named::Invitation,
        (path, "key") if path.starts_with("/api/state/") => Named::Common("matrix_key"),
        (path, "key") if path.starts_with("/api/state-sets/") => Named::Common("matrix_set"),
        (path, "name") if path.contains("/variables/") => Named::Variable,
        (path, "id") if path.starts_with("/api/organizations/") => Named::Organization,
        (path, "id") if path.starts_with("/api/plans/") || path.starts_with("/api/execution-plans/") => Named::Plan,
        (path, "n") if path.contains("/versions/") => Named::Common("1"),
        (path, "id") if path.ends_with("/retry") || path.ends_with("/replay") => Named::FailedRun,
        (path, "id") if path.starts_with("/api/runs/") => Named::Run,
        (path, "id") if path.starts_with("/api/custom-integrations/") => Named::Integration,
        (path, "id") if path.starts_with("/api/notification-rules/") => Named::NotificationRule,
        (path, "id") if path.starts_with("/api/notifications/") => Named::Notification,
        (path, "id") if path.starts_with("/api/credentials/") => Named::Credential,
        (path, "id") if path.starts_with("/api/files/") => Named::File,
        (path, "id") if path.starts_with("/api/approvals/") => Named::Approval,
        (path, "id") if path.starts_with("/api/callbacks/") => Named::Callback,
        (path, "id") if path.starts_with("/api/auth/api-keys/") => Named::ApiKey,
        (path, "id") if path.starts_with("/api/auth/sessions/") => Named::Session,
        (path, "host") if path.starts_with("/api/organization/egress/") => Named::Host,
        (path, "host") if path.starts_with("/api/hosts/") => Named::Common("nobody.example"),
        (path, "token") if path.starts_with("/api/auth/") || path.starts_with("/api/approval-links/") => Named::Common("mst_nothing"),
        (path, "name") if path.starts_with("/api/feature-flags/") => Named::Common("matrix_flag"),
        (path, "id") if path.starts_with("/api/providers/") => Named::Common("http"),
        (_, "provider") => Named::Common("openai"),
        (path, "path") if path.starts_with("/api/webhook/") || path.starts_with("/api/forms/") => Named::Common("matrix"),
        (path, "code") if path.contains("/errors/") => Named::Common("NOT_FOUND"),
        _ => panic!("teach the matrix what {{{name}}} of {path} names: a line in lessons.rs"),
    }
}

/// The least role for what is another member's, where one's own needs less: everything of a tenant is its owner's.
pub fn of_others(operation: &str) -> Option<Role> {
    // The credential is the organization's.
    matches!(operation, "update_sharing" | "update_credential" | "delete_credential").then_some(Role::Admin)
}

/// Operations whose body or query names something of one organization.
pub fn names_by_body(operation: &str) -> bool {
    matches!(operation, "execute_plan" | "execute_execution_plan" | "execute_pattern" | "execute_by_id" | "stream_live")
}

/// A body that does what the operation is for; `None`: what the schema says will do.
pub fn body_of(operation: &str, named: &Tenant) -> Option<Value> {
    Some(match operation {
        "create_plan" | "create_execution_plan" | "update_plan" | "update_execution_plan" | "validate_plan" => {
            hooked(&format!("Renamed {}", named.slug))
        }
        "execute_plan" => json!({"plan_id": named.plan, "inputs": {"n": 1}}),
        "execute_execution_plan" => json!({"execution_plan_id": named.plan, "trigger_data": {"n": 1}}),
        "execute_step" => json!({"step": {"id": "a", "action": "logic.set", "params": {"n": 1}}}),
        "schedule_plan" | "schedule_execution_plan" => json!({"cron_expression": "@daily"}),
        "create_integration" | "update_integration" => {
            json!({"name": "other", "base_url": "http://127.0.0.1:1", "auth_type": "api_key"})
        }
        "put_integration_credential" => json!({"type": "api_key", "value": "k-matrix"}),
        "test_integration" => json!({"endpoint": "/"}),
        "put_credential" => json!({"credentials": {"api_key": "sk-matrix"}}),
        "cancel_run"
        | "pause_run"
        | "retry_run"
        | "retry_runs"
        | "cancel_runs"
        | "replay_run"
        | "resend_invitation"
        | "unschedule_plan"
        | "unschedule_execution_plan"
        | "restore_organization"
        | "leave_organization" => json!({}),
        "execute_pattern" => json!({"pattern": format!("pattern_{}", named.slug)}),
        "execute_by_id" => json!({"pattern_id": format!("pattern_{}", named.slug)}),
        "rollback_plan" => json!({"version": 1}),
        "publish_plan" | "discard_draft" | "move_runs" | "detach_plan" | "make_test_address" => json!({}),
        "resume_run" => json!({"decision": "repeat"}),
        "create_organization" => json!({"name": "Another"}),
        "update_organization" => json!({"name": "Renamed"}),
        "update_member" => json!({"role": "viewer"}),
        "transfer_organization" => json!({"to": named.extra}),
        "create_invitation" => json!({"role": "viewer"}),
        "look_at_invitation" | "accept_invitation" | "decline_invitation" => json!({"token": named.token}),
        "put_feature_flag" => json!({"enabled": true}),
        "create_notification_rule" | "update_notification_rule" => {
            json!({"name": "hook", "events": ["run.failed"], "channel": "webhook", "to": "http://127.0.0.1:1/", "whole_organization": false})
        }
        "create_credential" => json!({"provider": "openai", "name": "second", "credentials": {"api_key": "sk-second"}}),
        "update_credential" => json!({"name": "renamed"}),
        "test_credential" | "reset_host" => json!({}),
        "add_egress_rule" => json!({"host": "api.example.com", "note": "the matrix"}),
        "create_api_key" => json!({"name": "second"}),
        "set_organization_limits" => json!({"runs_at_work": null}),
        "set_hidden_fields" => json!({"fields": [{"field": "email", "least": "admin"}]}),
        "read_notification" | "read_all_notifications" | "rotate_notification_secret" => json!({}),
        "post_event" => json!({"type": "matrix.called", "data": {"n": 1}}),
        "answer_approval" => json!({"approved": true}),
        "upload_file" => json!({"any": "bytes"}),
        "put_variable" | "put_state" => json!({"value": "eu"}),
        "update_sharing" => json!({"visibility": "private"}),
        _ => return None,
    })
}
