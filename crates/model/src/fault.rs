//! A fault: why an action did not succeed, as data that is journalled, shown and decided upon.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A stable error code, SCREAMING_SNAKE. Each has a page in `docs/errors/`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(Cow<'static, str>);

macro_rules! codes {
    ($($name:ident),* $(,)?) => {
        impl Code {
            $(pub const $name: Code = Code(Cow::Borrowed(stringify!($name)));)*
            /// Every fixed code of a fault, in the order of the plan format's list. `HTTP_<status>` and `USER_*` come beside.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];
        }
    };
}

codes!(
    MISSING_CREDENTIALS,
    UNKNOWN_PROVIDER,
    UNKNOWN_ACTION,
    INVALID_PARAMS,
    NOT_PUBLISHED,
    INVALID_INPUT,
    UNRESOLVED_REFERENCE,
    EXPRESSION_FAILED,
    TIMEOUT,
    RATE_LIMITED,
    CONNECTION_FAILED,
    TLS_FAILED,
    BLOCKED_ADDRESS,
    CREDENTIAL_HOST,
    NEEDS_RECONNECT,
    TOKEN_REFRESH_FAILED,
    SECRET_REFERENCE,
    CIRCUIT_OPEN,
    PAYLOAD_TOO_LARGE,
    BAD_RESPONSE,
    RUN_FAILED,
    JOIN_REQUIRED,
    OUTPUT_INVALID,
    PROVIDER_ERROR,
    CODE_FAILED,
    LIMIT_EXCEEDED,
    BUDGET_EXCEEDED,
    QUARANTINED,
    CONCURRENCY_LIMIT,
    CANCELLED,
    INTERNAL,
);

impl Code {
    /// `HTTP_<status>` for an answer outside 2xx. 429 is always `RATE_LIMITED`.
    pub fn http(status: u16) -> Code {
        if status == 429 { Code::RATE_LIMITED } else { Code(Cow::Owned(format!("HTTP_{status}"))) }
    }

    /// Any other code, such as a plan author's `USER_*`. The text is taken as it is.
    pub fn other(text: impl Into<String>) -> Code {
        Code(Cow::Owned(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The status of an `HTTP_<status>` code.
    pub fn http_status(&self) -> Option<u16> {
        self.0.strip_prefix("HTTP_")?.parse().ok()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kind of cause a fault has; `retry.codes` may name the first four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// May pass by itself: time-outs, refused connections, 5xx.
    Transient,
    /// The credential is missing, wrong or not enough.
    Auth,
    /// What was sent is wrong; repeating it changes nothing.
    Input,
    /// A limit was met: the vendor's rate, a size, a budget.
    Limit,
    /// The plan's author said so (`logic.fail`), or the run was ended.
    User,
    /// Ours.
    Internal,
}

/// Whether the outside world can have seen the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effected {
    /// Proven unsent: nothing left this process.
    Unsent,
    /// Something was sent and no answer tells what became of it.
    Unknown,
    /// Sent and answered.
    Sent,
}

/// Why an action did not succeed. Serialises as `{code, class, message, retryable, effect, details?}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    pub code: Code,
    pub class: Class,
    /// What happened and what to do next, for the plan's author. Never holds a secret.
    pub message: String,
    /// Whether repeating the same attempt later can help. The retry policy also weighs the action's effect.
    pub retryable: bool,
    pub effect: Effected,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// Not before this long after the answer (`Retry-After`), in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Fault {
    /// A fault with the class and retryability that `code` has by default; `effect` is unsent.
    pub fn new(code: Code, message: impl Into<String>) -> Fault {
        let (class, retryable) = defaults(&code);
        Fault { code, class, message: message.into(), retryable, effect: Effected::Unsent, details: None, retry_after_ms: None }
    }

    pub fn invalid_params(message: impl Into<String>) -> Fault {
        Fault::new(Code::INVALID_PARAMS, message)
    }

    /// A broken promise of our own; the message is for the log and the user alike.
    pub fn internal(message: impl Into<String>) -> Fault {
        Fault::new(Code::INTERNAL, message)
    }

    #[must_use]
    pub fn effect(mut self, effect: Effected) -> Fault {
        self.effect = effect;
        self
    }

    #[must_use]
    pub fn class(mut self, class: Class) -> Fault {
        self.class = class;
        self
    }

    #[must_use]
    pub fn details(mut self, details: Value) -> Fault {
        self.details = Some(details);
        self
    }

    #[must_use]
    pub fn retry_after(mut self, floor: Duration) -> Fault {
        self.retry_after_ms = Some(u64::try_from(floor.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// The `error` object that expressions and answers see.
    pub fn to_value(&self) -> Value {
        let mut value = json!({
            "code": self.code, "class": self.class, "message": self.message, "retryable": self.retryable, "effect": self.effect,
        });
        if let Some(details) = &self.details {
            value["details"] = details.clone();
        }
        value
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Fault {}

fn defaults(code: &Code) -> (Class, bool) {
    match code.as_str() {
        "TIMEOUT" | "CONNECTION_FAILED" | "CIRCUIT_OPEN" => (Class::Transient, true),
        "RATE_LIMITED" => (Class::Limit, true),
        "PAYLOAD_TOO_LARGE" | "FILE_TOO_LARGE" | "FILE_QUOTA" | "LIMIT_EXCEEDED" | "BUDGET_EXCEEDED" => (Class::Limit, false),
        "MISSING_CREDENTIALS"
        | "CREDENTIAL_HOST"
        | "NEEDS_RECONNECT"
        | "TOKEN_REFRESH_FAILED"
        | "SECRET_REFERENCE"
        | "HTTP_401"
        | "HTTP_403" => (Class::Auth, false),
        "HTTP_408" | "HTTP_425" => (Class::Transient, true),
        "BAD_RESPONSE" | "PROVIDER_ERROR" | "TLS_FAILED" | "QUARANTINED" => (Class::Transient, false),
        "CANCELLED" | "RUN_FAILED" => (Class::User, false),
        "INTERNAL" => (Class::Internal, false),
        text if text.starts_with("HTTP_5") => (Class::Transient, true),
        text if text.starts_with("USER_") => (Class::User, false),
        _ => (Class::Input, false),
    }
}
