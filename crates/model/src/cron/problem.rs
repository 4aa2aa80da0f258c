//! What is wrong with a cron rule: the field, a sentence, and what to write instead.

use std::fmt;

use crate::problem::Problem;

/// A field of a cron expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CronField {
    Second,
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
    /// Not in the expression but beside it.
    Timezone,
}

impl fmt::Display for CronField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CronField::Second => "second",
            CronField::Minute => "minute",
            CronField::Hour => "hour",
            CronField::DayOfMonth => "day of month",
            CronField::Month => "month",
            CronField::DayOfWeek => "day of week",
            CronField::Timezone => "timezone",
        })
    }
}

/// Why a cron rule was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", field.map(|field| format!("{field}: ")).unwrap_or_default())]
pub struct CronProblem {
    code: &'static str,
    /// The field that is wrong; `None` when it is the expression as a whole.
    pub field: Option<CronField>,
    /// What is wrong, without the field's name.
    pub message: String,
    /// The text to write instead of the field (or of the whole expression), when we know it.
    pub fix: Option<String>,
}

impl CronProblem {
    pub(super) fn shape(message: impl Into<String>) -> CronProblem {
        CronProblem { code: "CRON_SHAPE", field: None, message: message.into(), fix: None }
    }

    pub(super) fn field(field: CronField, message: impl Into<String>) -> CronProblem {
        CronProblem { code: "CRON_FIELD", field: Some(field), message: message.into(), fix: None }
    }

    pub(super) fn timezone(message: impl Into<String>) -> CronProblem {
        CronProblem { code: "CRON_TIMEZONE", field: Some(CronField::Timezone), message: message.into(), fix: None }
    }

    pub(super) fn never(message: impl Into<String>) -> CronProblem {
        CronProblem { code: "CRON_NEVER", field: None, message: message.into(), fix: None }
    }

    pub(super) fn fix(mut self, fix: impl Into<String>) -> CronProblem {
        self.fix = Some(fix.into());
        self
    }

    /// The stable code: `CRON_SHAPE`, `CRON_FIELD`, `CRON_TIMEZONE` or `CRON_NEVER`.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The finding at `pointer` of a document.
    pub fn at(&self, pointer: impl Into<String>) -> Problem {
        let problem = Problem::new(self.code, pointer, self.to_string());
        match &self.fix {
            Some(fix) => problem.fix(fix.clone()),
            None => problem,
        }
    }
}
