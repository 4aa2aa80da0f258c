//! A rule: which events, by which channel, to whom, and how often at most.

use mainspring_model::id::{OrgId, Owner, PlanId};
use mainspring_model::store::{Channel as Way, NotificationRuleRecord, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Kind;
use crate::app::App;

/// Longest distance between two messages about one thing: a day.
pub const MOST_THROTTLE: u32 = 1_440;
/// Most failures in a row that a rule may wait for.
pub const MOST_FAILURES: u32 = 50;

/// By which way a rule tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Mail,
    Webhook,
    App,
}

impl From<Channel> for Way {
    fn from(channel: Channel) -> Way {
        match channel {
            Channel::Mail => Way::Mail,
            Channel::Webhook => Way::Webhook,
            Channel::App => Way::App,
        }
    }
}

/// As it is stored, and as callers write it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = NotificationRuleDefinition)]
pub struct Rule {
    /// What it tells of.
    pub events: Vec<Kind>,
    pub channel: Channel,
    /// An address of mail, or the URL of a webhook; empty for `app`.
    #[serde(default)]
    pub to: String,
    /// Only these plans; empty for all.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub plans: Vec<PlanId>,
    /// Of everybody's plans and credentials, and not of one's own alone.
    #[serde(default)]
    pub whole_organization: bool,
    /// One message about one plan, schedule or credential in so many minutes; it says how many others there were. 0–1440.
    #[serde(default = "quarter_of_an_hour")]
    pub throttle_minutes: u32,
    /// For `schedule.failing`: so many in a row. 1–50.
    #[serde(default = "three")]
    pub failures: u32,
    #[serde(default = "on")]
    pub enabled: bool,
}

fn quarter_of_an_hour() -> u32 {
    15
}

fn three() -> u32 {
    3
}

fn on() -> bool {
    true
}

impl Rule {
    pub(crate) fn wants(&self, kind: Kind) -> bool {
        self.enabled && self.events.contains(&kind)
    }

    /// Whether what belongs to `whose` is this rule's business; `mine` made the rule.
    pub(crate) fn concerns(&self, mine: &Owner, whose: &Owner, plan: Option<PlanId>) -> bool {
        let plan_fits = self.plans.is_empty() || plan.is_some_and(|plan| self.plans.contains(&plan));
        mine.org == whose.org && (self.whole_organization || mine.user == whose.user) && plan_fits
    }
}

/// The organization's rules that can be read. One of a later version is left to the nodes of that version.
pub(super) async fn of(app: &App, org: OrgId) -> Result<Vec<(NotificationRuleRecord, Rule)>, StoreError> {
    let records = app.store.notification_rules(org).await?;
    let read = |record: NotificationRuleRecord| {
        let rule = serde_json::from_value(record.definition.clone()).ok()?;
        Some((record, rule))
    };
    Ok(records.into_iter().filter_map(read).collect())
}

#[cfg(test)]
mod tests {
    use mainspring_model::id::UserId;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_rule_is_ones_own_unless_it_says_otherwise() {
        let colleague = Owner { org: Owner::LOCAL.org, user: UserId(Uuid::from_u128(9)) };
        let stranger = Owner { org: OrgId(Uuid::from_u128(9)), user: UserId(Uuid::from_u128(9)) };
        let plan = PlanId(Uuid::from_u128(1));
        let mut rule: Rule = serde_json::from_value(json!({ "events": ["run.failed"], "channel": "app" })).unwrap();
        assert_eq!((rule.throttle_minutes, rule.failures, rule.enabled), (15, 3, true));
        let concerns = |rule: &Rule, whose: &Owner, plan| rule.concerns(&Owner::LOCAL, whose, plan);
        assert!(concerns(&rule, &Owner::LOCAL, Some(plan)) && !concerns(&rule, &colleague, Some(plan)));
        rule.whole_organization = true;
        assert!(concerns(&rule, &colleague, None) && !concerns(&rule, &stranger, None));
        rule.plans = vec![plan];
        assert!(concerns(&rule, &colleague, Some(plan)));
        assert!(!concerns(&rule, &colleague, Some(PlanId(Uuid::nil()))) && !concerns(&rule, &colleague, None));
        rule.enabled = false;
        assert!(!rule.wants(Kind::RunFailed));
    }
}
