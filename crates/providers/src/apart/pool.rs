//! The helpers of this process: a few, kept warm, each with one piece of work at a time, ended when it goes beyond its limits.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mainspring_model::{Code, Fault};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::MEMORY;
use super::frame::{Done, LARGEST, Work, read, written};

/// A helper is replaced after so many pieces of work: what its allocator keeps does not grow for ever.
const PIECES: u32 = 500;

/// Our allocator takes a whole GiB at its start otherwise, of which it uses little, and the limit counts it.
const ALLOCATOR: [(&str, &str); 1] = [("MIMALLOC_ARENA_EAGER_COMMIT", "0")];

pub(super) struct Pool {
    program: PathBuf,
    args: Vec<String>,
    /// How many work at the same time: computing wants processors, so more would only take memory.
    room: Semaphore,
    kept: usize,
    idle: Mutex<Vec<Helper>>,
}

struct Helper {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    pieces: u32,
}

/// How a helper came to its end before it had answered.
enum Gone {
    /// It was beyond its time.
    Late,
    Ended(Option<ExitStatus>),
}

impl Pool {
    pub(super) fn new(program: PathBuf, args: &[&str]) -> Pool {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Pool {
            program,
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            room: Semaphore::new(processors.max(2)),
            kept: processors.clamp(1, 4),
            idle: Mutex::default(),
        }
    }

    /// A place among the helpers that work at once.
    pub(super) async fn room(&self) -> Result<SemaphorePermit<'_>, Fault> {
        self.room.acquire().await.map_err(|_| Fault::internal("the helpers are gone"))
    }

    /// What the action `name` makes of `params`, for who has a place; the time counts from when a helper begins.
    pub(super) async fn run(&self, name: &str, params: Value, within: Duration) -> Result<Value, Fault> {
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let message = written(&Work { action: name.to_owned(), params, within_ms })
            .ok_or_else(|| Fault::new(Code::LIMIT_EXCEEDED, format!("the params of {name} are larger than {} MiB", LARGEST >> 20)))?;
        // A helper that ended by itself did so because somebody ended it: the work only computes, so another one may do it again.
        for _ in 0..3 {
            let mut helper = self.helper()?;
            match helper.ask(&message, within).await {
                Ok(done) => {
                    self.keep(helper);
                    return match done {
                        Done::Value(value) => Ok(value),
                        Done::Fault(fault) => Err(fault),
                    };
                }
                Err(Gone::Late) => {
                    let seconds = within.as_secs_f64();
                    return Err(Fault::new(Code::LIMIT_EXCEEDED, format!("{name} took longer than {seconds} s and was ended")));
                }
                Err(Gone::Ended(status)) if beyond_memory(status) => {
                    let message = format!("{name} needed more than {} MiB of memory, or recursed too deeply, and was ended", MEMORY >> 20);
                    return Err(Fault::new(Code::LIMIT_EXCEEDED, message));
                }
                Err(Gone::Ended(status)) if status.is_none_or(|status| status.code().is_some()) => {
                    return Err(Fault::internal(format!("the helper for {name} ended: {}", shown(status))));
                }
                Err(Gone::Ended(_)) => {}
            }
        }
        Err(Fault::internal(format!("helpers for {name} were ended from outside, three in a row")))
    }

    fn helper(&self) -> Result<Helper, Fault> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut helper) = idle.pop() {
            if matches!(helper.child.try_wait(), Ok(None)) {
                return Ok(helper);
            }
        }
        drop(idle);
        self.start().map_err(|error| Fault::internal(format!("no helper could be started from {}: {error}", self.program.display())))
    }

    fn start(&self) -> std::io::Result<Helper> {
        let mut command = Command::new(&self.program);
        // Without our environment: keys stand in it, and a query could read them.
        command.args(&self.args).env_clear().envs(ALLOCATOR).current_dir("/").kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Ctrl-C is for us: a run that is let end needs its helpers until then.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("it has no pipes"));
        };
        Ok(Helper { child, input, output, pieces: 0 })
    }

    fn keep(&self, mut helper: Helper) {
        helper.pieces += 1;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if helper.pieces < PIECES && idle.len() < self.kept {
            idle.push(helper);
        }
    }
}

impl Helper {
    async fn ask(&mut self, message: &[u8], within: Duration) -> Result<Done, Gone> {
        let answer = tokio::time::timeout(within, async {
            self.input.write_all(message).await?;
            self.input.flush().await?;
            let length = self.output.read_u32().await? as usize;
            let mut bytes = vec![0; length.min(LARGEST)];
            self.output.read_exact(&mut bytes).await?;
            read(&bytes)
        });
        match answer.await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => {
                self.child.start_kill().ok();
                Err(Gone::Ended(self.child.wait().await.ok()))
            }
            Err(_) => {
                self.child.start_kill().ok();
                self.child.wait().await.ok();
                Err(Gone::Late)
            }
        }
    }
}

/// Whether it aborted or ran over the end of its stack: an allocation that fails aborts, as an overflow does.
#[cfg(unix)]
fn beyond_memory(status: Option<ExitStatus>) -> bool {
    use std::os::unix::process::ExitStatusExt;
    // SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGSEGV: how allocators and the runtime end a process that cannot go on.
    status.and_then(|status| status.signal()).is_some_and(|signal| [4, 5, 6, 7, 11].contains(&signal))
}

#[cfg(not(unix))]
fn beyond_memory(status: Option<ExitStatus>) -> bool {
    status.is_some_and(|status| !status.success())
}

fn shown(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "nobody knows how".to_owned(), |status| status.to_string())
}
