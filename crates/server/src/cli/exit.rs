//! Exit codes: what a command's number says to the script that called it.

use std::process::ExitCode;

use mainspring_model::run::RunStatus;

/// The closed list. Also printed by `mainspring --help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Ok = 0,
    /// The run failed; or the machine kept the command from its work (a full disk), which is no fault of the caller's.
    RunFailed = 1,
    Usage = 2,
    /// A plan, an input or the configuration does not hold.
    Invalid = 3,
    Auth = 4,
    NotFound = 5,
    Conflict = 6,
    Timeout = 7,
    Unreachable = 9,
    /// `serve` gave up: its database was out of reach for too long. Start it again.
    DatabaseLost = 10,
    Interrupted = 130,
}

pub(crate) const HELP: &str = "\
Exit codes:
  0  ok                 5  not found
  1  the run failed     6  conflict
  2  wrong usage        7  timeout
  3  invalid plan or    9  server unreachable
     configuration     10  database lost while serving
  4  not allowed      130  interrupted";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl Exit {
    /// For an answer of a server outside 2xx.
    pub(crate) fn of_status(status: u16) -> Exit {
        match status {
            401 | 403 => Exit::Auth,
            404 => Exit::NotFound,
            409 | 412 => Exit::Conflict,
            408 | 504 => Exit::Timeout,
            502 | 503 => Exit::Unreachable,
            400..=428 | 431 => Exit::Invalid,
            _ => Exit::RunFailed,
        }
    }

    /// For a stable code of the store, the vault or the wiring.
    pub(crate) fn of_code(code: &str) -> Exit {
        match code {
            "NOT_FOUND" => Exit::NotFound,
            "CONFLICT" | "STALE_VERSION" | "STORE_LOCKED" | "STORE_NOT_EMPTY" | "STORE_INCOMPLETE" | "STORE_MOVED" | "STORE_IN_USE"
            | "COPY_DIFFERS" => Exit::Conflict,
            "TIMEOUT" => Exit::Timeout,
            "STORE_UNREACHABLE" => Exit::Unreachable,
            "STORE_DENIED" => Exit::Auth,
            "DISK_FULL" | "STORE_FAILED" | "STORE_BUSY" | "STORE_CLOSED" | "INTERNAL" => Exit::RunFailed,
            _ => Exit::Invalid,
        }
    }

    /// For a run that ended. One that somebody else cancelled failed, as far as this caller is concerned.
    pub(crate) fn of_run(status: RunStatus) -> Exit {
        match status {
            RunStatus::Success => Exit::Ok,
            RunStatus::TimedOut => Exit::Timeout,
            _ => Exit::RunFailed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_map_to_the_promised_numbers() {
        let of = |status| Exit::of_status(status) as u8;
        let seen: Vec<(u16, u8)> =
            [400, 401, 403, 404, 405, 409, 412, 413, 415, 421, 422, 429, 500, 502, 503, 504].map(|status| (status, of(status))).to_vec();
        let expected = [
            (400, 3),
            (401, 4),
            (403, 4),
            (404, 5),
            (405, 3),
            (409, 6),
            (412, 6),
            (413, 3),
            (415, 3),
            (421, 3),
            (422, 3),
            (429, 1),
            (500, 1),
            (502, 9),
            (503, 9),
            (504, 7),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn codes_and_runs_map_to_the_promised_numbers() {
        let codes = ["NOT_FOUND", "STALE_VERSION", "STORE_LOCKED", "DISK_FULL", "STORE_READ_ONLY", "STORE_NEWER", "VAULT_KEY_MISSING"];
        assert_eq!(codes.map(|code| Exit::of_code(code) as u8), [5, 6, 6, 1, 3, 3, 3]);
        let runs = [
            RunStatus::Success,
            RunStatus::Error,
            RunStatus::Cancelled,
            RunStatus::TimedOut,
            RunStatus::NeedsDecision,
            RunStatus::Quarantined,
        ];
        assert_eq!(runs.map(|status| Exit::of_run(status) as u8), [0, 1, 1, 7, 1, 1]);
    }
}
