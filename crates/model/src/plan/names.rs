//! The names of a document's fields: ours, those of a later version, and what other tools call them.

/// Fields of a plan, in the order of its page.
pub const PLAN: &[&str] = &[
    "name",
    "description",
    "original_prompt",
    "inputs",
    "vars",
    "triggers",
    "steps",
    "output",
    "on_error",
    "finally",
    "timeout",
    "deadline",
    "concurrency",
    "budget",
    "priority",
    "tag",
    "tests",
];

/// Fields of a step. `provider` is read beside `action`.
pub(crate) const STEP: &[&str] = &[
    "id",
    "name",
    "notes",
    "action",
    "provider",
    "params",
    "credential",
    "needs",
    "join",
    "if",
    "for_each",
    "as",
    "max_parallel",
    "batch",
    "on_item_error",
    "repeat",
    "steps",
    "retry",
    "timeout",
    "on_error",
    "undo",
    "once",
    "cache",
    "rate",
    "pinned",
    "tag",
    "position",
];

/// Fields that every trigger has.
pub(crate) const TRIGGER: &[&str] = &["id", "type", "if", "key", "credential", "inputs", "debounce", "batch"];

pub(crate) const TEST: &[&str] = &["name", "inputs", "trigger", "pinned", "expect"];
pub(crate) const EXPECT: &[&str] = &["status", "output", "error", "steps"];
pub(crate) const EXPECT_STEP: &[&str] = &["status", "output", "error"];
pub(crate) const BUDGET: &[&str] = &["cost_usd", "tokens", "calls"];
pub(crate) const CONCURRENCY: &[&str] = &["limit", "key", "policy"];
pub(crate) const DEBOUNCE: &[&str] = &["for", "max", "key"];
pub(crate) const BATCH: &[&str] = &["size", "within", "key"];

/// Fields of a step's `undo`. `provider` is read beside `action`.
pub(crate) const UNDO: &[&str] = &["action", "provider", "params"];

pub(crate) const REPEAT: &[&str] = &["until", "start", "next", "max", "delay"];
pub(crate) const BACKOFF: &[&str] = &["delay", "factor", "max_delay", "jitter"];
pub(crate) const CACHE: &[&str] = &["key", "ttl"];
pub(crate) const RATE: &[&str] = &["limit", "per", "key"];
pub(crate) const RETRY: &[&str] = &["max_attempts", "delay", "factor", "max_delay", "jitter", "codes"];

/// What an object of a document is, to name it in messages and to know its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noun {
    Plan,
    Step,
    Trigger,
    Signature,
    Undo,
    Test,
    Expect,
    ExpectStep,
    Repeat,
    Retry,
    Delay,
    Cache,
    Rate,
    Concurrency,
    Budget,
    Debounce,
    Batch,
}

impl Noun {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Noun::Plan => "a plan",
            Noun::Step => "a step",
            Noun::Trigger => "a trigger",
            Noun::Signature => "signature",
            Noun::Undo => "undo",
            Noun::Test => "a test",
            Noun::Expect => "expect",
            Noun::ExpectStep => "what is expected of a step",
            Noun::Repeat => "repeat",
            Noun::Retry => "retry",
            Noun::Delay => "delay",
            Noun::Concurrency => "concurrency",
            Noun::Budget => "budget",
            Noun::Debounce => "debounce",
            Noun::Batch => "batch",
            Noun::Cache => "cache",
            Noun::Rate => "rate",
        }
    }

    /// Fields that a later version knows, with what they will do.
    pub(crate) fn later(self, name: &str) -> Option<&'static str> {
        let table: &[(&str, &str)] = match self {
            Noun::Plan => &[("signature", "signed plans")],
            _ => &[],
        };
        table.iter().find(|(known, _)| *known == name).map(|(_, what)| *what)
    }

    /// What other tools write, and our way to say it.
    pub(crate) fn foreign(self, name: &str) -> Option<Foreign> {
        let (ours, advice) = match self {
            Noun::Debounce => match name {
                "period" | "wait" | "delay" | "quiet" | "interval" => ("for", ""),
                "timeout" | "max_wait" | "maxWait" | "at_most" => ("max", ""),
                _ => return None,
            },
            Noun::Batch => match name {
                "max_size" | "maxSize" | "count" | "limit" | "max" => ("size", ""),
                "timeout" | "for" | "period" | "window" => ("within", ""),
                _ => return None,
            },
            Noun::Step => match name {
                "uses" | "action_id" | "tool" | "operation" | "call" | "task" => ("action", ""),
                "with" | "parameters" | "args" | "arguments" | "input" | "inputs" | "config" => ("params", ""),
                "when" | "condition" | "unless" => ("if", ""),
                "depends_on" | "dependsOn" | "after" | "requires" => ("needs", ""),
                "foreach" | "forEach" | "for" | "loop" | "with_items" | "items" => ("for_each", ""),
                "retries" | "max_retries" => ("retry", "write retry: {max_attempts: 3}"),
                "continue_on_error" | "continue-on-error" | "ignore_errors" => ("on_error", "write on_error: continue"),
                "credentials" | "connection" => ("credential", ""),
                "timeout-minutes" | "timeout_seconds" => ("timeout", "a duration such as 5m or 30s"),
                "description" | "comment" => ("notes", ""),
                "do" | "body" | "jobs" => ("steps", ""),
                "type" => (
                    "",
                    "a step has no type: \"action\" makes a call, \"steps\" a group, \"for_each\" and \"repeat\" a loop, \"if\" a condition",
                ),
                "runs-on" | "runs_on" => ("", "steps need no machine to be named: remove it"),
                "else" | "else_jump" => ("", "write a second step with the opposite \"if\", or use logic.if and its ports"),
                "run" | "script" => ("", "user code arrives with a later version; use an action such as logic.map"),
                _ => return None,
            },
            Noun::Plan => match name {
                "max_concurrent_runs" | "max_active_runs" => ("concurrency", "write concurrency: {limit: 1}"),
                "on" | "trigger" => ("triggers", ""),
                "title" => ("name", ""),
                "jobs" | "tasks" | "nodes" => ("steps", ""),
                "variables" | "env" => ("vars", ""),
                "parameters" | "params" => ("inputs", ""),
                "on_failure" => ("on_error", ""),
                "runs-on" | "runs_on" => ("", "steps need no machine to be named: remove it"),
                _ => return None,
            },
            Noun::Trigger => match name {
                "schedule" => ("cron", ""),
                "when" | "condition" => ("if", ""),
                "tz" | "time_zone" | "timeZone" => ("timezone", ""),
                "method" => ("methods", "a list such as [POST]"),
                "response" => ("respond", ""),
                "event" | "event_name" | "topic" => ("event_type", ""),
                "plan_id" | "plan_name" | "workflow" => ("plan", ""),
                _ => return None,
            },
            Noun::Retry => match name {
                "attempts" | "max" | "limit" | "count" => ("max_attempts", ""),
                "backoff" => ("factor", ""),
                _ => return None,
            },
            Noun::Repeat => match name {
                "while" => ("until", "the opposite condition"),
                "max_iterations" | "limit" => ("max", ""),
                _ => return None,
            },
            Noun::Signature => match name {
                "algo" | "hash" => ("algorithm", ""),
                _ => return None,
            },
            Noun::Concurrency => match name {
                "max" | "max_concurrent" | "max_runs" | "concurrent_limit" => ("limit", ""),
                "group" | "by" => ("key", ""),
                "behavior" | "behaviour" | "strategy" | "overlap" | "cancel-in-progress" => {
                    ("policy", "queue, skip, cancel_running or deliver")
                }
                _ => return None,
            },
            Noun::Budget => match name {
                "cost" | "usd" | "max_cost" | "dollars" | "max_usd" => ("cost_usd", ""),
                "max_tokens" | "token_limit" | "total_tokens" => ("tokens", ""),
                "max_calls" | "requests" | "max_requests" => ("calls", ""),
                _ => return None,
            },
            Noun::Undo => match name {
                "with" | "parameters" | "args" | "input" | "inputs" => ("params", ""),
                "uses" | "call" => ("action", ""),
                "credential" => ("", "an undo uses its step's credential"),
                _ => return None,
            },
            Noun::Test => match name {
                "mock" | "mocks" | "mocked" | "given" | "stubs" => ("pinned", ""),
                "input" | "with" => ("inputs", ""),
                "expected" | "then" | "assert" | "output" => ("expect", "such as expect: {output: 5}"),
                _ => return None,
            },
            Noun::Expect | Noun::ExpectStep => match name {
                "result" | "outputs" => ("output", ""),
                "code" => ("error", ""),
                _ => ("", "what the run should give stands under \"output\""),
            },
            Noun::Delay => return None,
            Noun::Cache => match name {
                "expires" | "max_age" | "for" => ("ttl", "a duration such as 1h"),
                _ => return None,
            },
            Noun::Rate => match name {
                "max" | "calls" | "count" | "rate" => ("limit", ""),
                "every" | "window" | "interval" | "period" | "in" => ("per", "a duration such as 1m"),
                _ => return None,
            },
        };
        Some(Foreign { ours, advice })
    }
}

/// How we say what another tool calls otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Foreign {
    /// Our field; empty when there is none.
    pub ours: &'static str,
    pub advice: &'static str,
}

/// Triggers of a later version.
pub(crate) const LATER_TRIGGERS: &[(&str, &str)] = &[];

/// Actions of a later version; a provider alone stands for all of its actions.
pub(crate) const LATER_ACTIONS: &[(&str, &str)] = &[];
