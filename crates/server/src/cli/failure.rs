//! Why a command did not do its work: what happened, what to do next, a stable code, and the exit code.

use std::borrow::Cow;

use mainspring_engine::{SealError, StartError};
use mainspring_model::Problem;
use mainspring_model::fault::Fault;
use mainspring_model::store::StoreError;
use mainspring_vault::VaultError;
use serde_json::{Value, json};

use super::document::Document;
use super::exit::Exit;
use super::output::Cx;
use super::problems;
use super::text::plain_lines;

/// A command's failure, said once by the entry point.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// Stable, with a page in `docs/errors/`.
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: String,
    pub(crate) next: Option<String>,
    /// Findings about a document, told before the message.
    pub(crate) findings: Option<Box<Findings>>,
}

/// Problems and, when it is at hand, the text they stand in.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) document: Option<Document>,
    pub(crate) problems: Vec<Problem>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Failure {
        Failure { exit, code: code.into(), message: message.into(), next: None, findings: None }
    }

    /// A wrong argument that only shows while the command works.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, "INVALID_REQUEST", message)
    }

    pub(crate) fn not_found(what: impl std::fmt::Display) -> Failure {
        Failure::new(Exit::NotFound, "NOT_FOUND", format!("{what} does not exist"))
    }

    pub(crate) fn internal(message: impl Into<String>) -> Failure {
        Failure::new(Exit::RunFailed, "INTERNAL", message)
    }

    /// Findings about a document; the message only counts them.
    pub(crate) fn invalid(document: Document, found: Vec<Problem>) -> Failure {
        let message = format!("{}: {}", document.name, problems::counted(found.len()));
        let code = found.first().map_or(Cow::Borrowed("INVALID_REQUEST"), |problem| Cow::Owned(problem.code.clone()));
        let findings = Some(Box::new(Findings { document: Some(document), problems: found }));
        Failure { findings, ..Failure::new(Exit::Invalid, code, message) }
    }

    /// Inputs that a plan does not take.
    pub(crate) fn inputs(found: Vec<Problem>) -> Failure {
        let findings = Some(Box::new(Findings { document: None, problems: found }));
        let failure = Failure::new(Exit::Invalid, "INVALID_INPUT", "the inputs do not fit the plan, so nothing was started");
        Failure { findings, ..failure }.next("give them with `-i name=value`, or all at once with `--inputs FILE`")
    }

    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Failure {
        self.next = Some(next.into());
        self
    }

    /// The text for people, ready to be written to standard error.
    pub(crate) fn render(&self, cx: &Cx) -> String {
        let style = cx.err_style;
        let mut text = String::new();
        if let Some(findings) = &self.findings {
            text.push_str(&problems::render(findings.document.as_ref(), &findings.problems, style, cx.width));
        }
        let head = format!("error[{}]", self.code);
        text.push_str(&format!("{}: {}\n", style.red(&style.bold(&head)), plain_lines(&self.message)));
        if let Some(next) = &self.next {
            text.push_str(&format!("  {} {}\n", style.cyan("next:"), plain_lines(next)));
        }
        text
    }

    /// The same for programs.
    pub(crate) fn to_value(&self) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message, "exit": self.exit as u8 });
        if let Some(next) = &self.next {
            error["next"] = json!(next);
        }
        if let Some(findings) = &self.findings {
            error["problems"] = json!(findings.problems);
        }
        json!({ "error": error })
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let failure = Failure::new(Exit::of_code(error.code()), error.code(), error.to_string());
        match &error {
            StoreError::Locked { .. } => failure.next("use its address with `--server URL`, or stop it first"),
            StoreError::ReadOnly { .. } => failure.next(
                "a folder: make it writable for this user, or choose another with `--data DIR`; a database: give the address of one that takes writes",
            ),
            StoreError::Unreachable { .. } => failure.next("check that the server runs and that host and port of DATABASE_URL are right"),
            StoreError::Denied { .. } => failure.next("check user, password and database of DATABASE_URL"),
            StoreError::Busy { .. } => failure.next("raise max_connections of the server, or run fewer nodes: each has at most 15"),
            StoreError::Newer { .. } => failure.next("`mainspring --version` says which version this is"),
            StoreError::Stale { .. } => failure.next("read the current version and try again"),
            StoreError::Lacking { .. } => {
                failure.next("no empty table is made in their place: it would hide that what stood there is gone")
            }
            StoreError::NotFound { .. } => failure.next("`mainspring plan list` and `mainspring run list` show what is there"),
            StoreError::NotEmpty { .. } => failure.next("name an empty folder or database; nothing was changed in this one"),
            StoreError::Incomplete { .. } => {
                failure.next("run the same `mainspring move` again, which goes on where it was; or empty this database and begin anew")
            }
            StoreError::Moved { .. } => {
                failure.next("serve the other one; to come back to this one as it was, `mainspring move --reopen URL` with its address")
            }
            StoreError::InUse { .. } => failure.next("stop the nodes first; one that was killed counts until its lease is over"),
            StoreError::BadBackup(_) => failure.next("take another backup; nothing was written"),
            StoreError::NewerBackup { .. } => failure.next("use the version of Mainspring that made it, or a newer one"),
            StoreError::Differs(_) => failure.next("empty the destination and begin again; the source is as it was and can be served"),
            _ => failure,
        }
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Failure {
        let failure = Failure::new(Exit::Invalid, error.code(), error.to_string());
        failure.next("check ENCRYPTION_KEY or the key file in the data folder; `mainspring doctor` tells which key is wanted")
    }
}

impl From<SealError> for Failure {
    fn from(error: SealError) -> Failure {
        match error {
            SealError::Store(error) => error.into(),
            SealError::Vault(error) => error.into(),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        let exit = Exit::of_code(fault.code.as_str());
        Failure::new(exit, fault.code.as_str().to_owned(), fault.message)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        match error {
            StartError::Inputs(problems) => Failure::inputs(problems),
            StartError::Fault(fault) => fault.into(),
            StartError::Store(error) => Failure::new(Exit::of_code(error.code()), error.code(), error.to_string()),
            error @ StartError::Draining => Failure::new(Exit::Unreachable, "STORE_CLOSED", error.to_string()),
        }
    }
}
