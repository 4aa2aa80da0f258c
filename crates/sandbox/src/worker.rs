//! One child as its parent sees it: what it says is bounded and believed in nothing but its own result.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use mainspring_model::id::OrgId;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::frame::{Cause, Failure, HEADER, Kind, Terms, header, read_header};
use crate::limits::{GRACE, Limits, MOST_JSON, MOST_LINE, MOST_LINES, MOST_LOG, SLACK};
use crate::sabotage::{Switch, is_on};
use crate::watch;

/// How often the memory of a child that takes its time is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// The longest that a child may take to give everything up.
const START: Duration = Duration::from_secs(20);

/// The longest report of a failure, bytes.
const MOST_FAILURE: usize = 16 << 10;

/// A child that waits for a call, or has one.
pub(crate) struct Worker {
    process: Child,
    input: ChildStdin,
    output: ChildStdout,
    /// Whose code it ran. It never runs anybody else's.
    pub(crate) org: Option<OrgId>,
    /// Bytes that it held before it ran anything.
    base: u64,
    calls: u32,
    /// Whether it said that the next call may come.
    ready: bool,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Verdict {
    Done(Value),
    Failed(Failure),
    /// The process ended; with what, where that is known.
    Died(Option<ExitStatus>),
    /// It said what no child says.
    Lied(&'static str),
}

/// What came of a call.
#[derive(Debug)]
pub(crate) struct Answer {
    pub verdict: Verdict,
    pub lines: Vec<String>,
}

impl Worker {
    /// Takes a process that was just started, and waits until it gave up everything.
    ///
    /// # Errors
    /// What it says that the kernel refused.
    pub(crate) async fn take(mut process: Child) -> io::Result<Worker> {
        let missing = || io::Error::other("a child without pipes");
        let (input, output) = (process.stdin.take().ok_or_else(missing)?, process.stdout.take().ok_or_else(missing)?);
        let mut worker = Worker { process, input, output, org: None, base: 0, calls: 0, ready: false };
        worker.become_ready().await?;
        worker.base = worker.process.id().and_then(watch::held).unwrap_or(0);
        Ok(worker)
    }

    /// Waits until the next call may come. Answers from an earlier one do not.
    ///
    /// # Errors
    /// The process is gone, or says something else.
    pub(crate) async fn become_ready(&mut self) -> io::Result<()> {
        if self.ready {
            return Ok(());
        }
        let next = async {
            let first = head(&mut self.output).await?;
            match first {
                Some((Kind::Ready, 0)) => Ok(None),
                Some((Kind::Failed, length)) if length <= MOST_FAILURE => Ok(Some(body(&mut self.output, length).await?)),
                _ => Err(io::Error::new(io::ErrorKind::InvalidData, "it does not begin as a child does")),
            }
        };
        match tokio::time::timeout(START, next).await {
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "it did not become ready")),
            Ok(Err(error)) => Err(error),
            Ok(Ok(None)) => {
                self.ready = true;
                Ok(())
            }
            Ok(Ok(Some(said))) => {
                Err(io::Error::other(serde_json::from_slice::<Failure>(&said).map(|failure| failure.message).unwrap_or_default()))
            }
        }
    }

    /// Runs one piece of code. The child is good for another only where [`Worker::is_sound`] says so.
    pub(crate) async fn call(&mut self, code: &str, input: &[u8], limits: Limits) -> Answer {
        self.ready = false;
        self.calls += 1;
        let id = self.process.id();
        let most = self.base.saturating_add(limits.memory).saturating_add(SLACK);
        let terms =
            Terms { timeout_ms: u64::try_from(limits.timeout.as_millis()).unwrap_or(u64::MAX), memory: limits.memory, output: MOST_JSON };
        let mut lines = Vec::new();
        let mut seen = 0;
        let ended = {
            let exchange = exchange(&mut self.input, &mut self.output, code, input, terms, &mut lines);
            let grown = grown_over(id, most, &mut seen);
            let work = async {
                tokio::select! {
                    ended = exchange => ended.map_err(|_| None),
                    () = grown => Err(Some(Cause::Memory)),
                }
            };
            tokio::time::timeout(limits.timeout + GRACE, work).await
        };
        let over = |cause| Verdict::Failed(Failure { cause, message: String::new(), line: None, column: None });
        let verdict = match ended {
            Err(_) => over(Cause::Time),
            Ok(Err(Some(cause))) => over(cause),
            // An interpreter that finds no memory for its own needs gives itself up.
            Ok(Err(None)) if seen >= self.base.saturating_add(limits.memory / 4) => over(Cause::Memory),
            Ok(Err(None)) => Verdict::Died(self.end().await),
            Ok(Ok(Verdict::Failed(mut failure))) if failure.cause == Cause::Vague => {
                let peak = id.and_then(watch::peak).unwrap_or(0);
                failure.cause = if peak >= self.base.saturating_add(limits.memory / 2) { Cause::Memory } else { Cause::Thrown };
                Verdict::Failed(failure)
            }
            Ok(Ok(verdict)) => verdict,
        };
        Answer { verdict, lines }
    }

    /// Whether another call may be given to it: it answered, met no limit, and did not grow.
    pub(crate) fn is_sound(&self, answer: &Answer) -> bool {
        let answered = match &answer.verdict {
            Verdict::Done(_) => true,
            Verdict::Failed(failure) => failure.cause == Cause::Thrown,
            Verdict::Died(_) | Verdict::Lied(_) => false,
        };
        answered && self.calls < 1_000 && self.process.id().and_then(watch::held).is_some_and(|held| held < self.base.saturating_add(SLACK))
    }

    /// What the process ended with. It closed its output: if it still runs, not for long.
    async fn end(&mut self) -> Option<ExitStatus> {
        if let Ok(ended) = tokio::time::timeout(GRACE, self.process.wait()).await {
            return ended.ok();
        }
        drop(self.process.start_kill());
        None
    }
}

/// Ends when the process holds more than `most`.
async fn grown_over(id: Option<u32>, most: u64, seen: &mut u64) {
    let mut looks = tokio::time::interval(LOOK);
    looks.tick().await;
    loop {
        looks.tick().await;
        *seen = id.and_then(watch::held).unwrap_or(*seen);
        if *seen > most && !is_on(Switch::CodeMemoryUnchecked) {
            return;
        }
    }
}

async fn exchange(
    input: &mut ChildStdin,
    output: &mut ChildStdout,
    code: &str,
    data: &[u8],
    terms: Terms,
    lines: &mut Vec<String>,
) -> io::Result<Verdict> {
    let terms_text = serde_json::to_vec(&terms)?;
    let mut sent = Vec::with_capacity(3 * HEADER + terms_text.len() + code.len() + data.len());
    for (kind, bytes) in [(Kind::Terms, &terms_text[..]), (Kind::Code, code.as_bytes()), (Kind::Input, data)] {
        sent.extend_from_slice(&header(kind, bytes.len()));
        sent.extend_from_slice(bytes);
    }
    input.write_all(&sent).await?;
    drop(sent);
    let mut logged = 0;
    loop {
        match head(output).await? {
            Some((Kind::Line, length)) if length <= MOST_LINE => {
                let line = body(output, length).await?;
                logged += length.max(1);
                if lines.len() > MOST_LINES || logged > MOST_LOG + MOST_LINE {
                    return Ok(Verdict::Lied("more lines than a child writes"));
                }
                lines.push(String::from_utf8_lossy(&line).into_owned());
            }
            Some((Kind::Done, length)) if length <= terms.output => {
                let text = body(output, length).await?;
                return Ok(match serde_json::from_slice(&text) {
                    Ok(value) => Verdict::Done(value),
                    Err(error) => Verdict::Failed(Failure {
                        cause: Cause::Thrown,
                        message: format!("the result is no JSON that can be kept: {error}"),
                        line: None,
                        column: None,
                    }),
                });
            }
            Some((Kind::Failed, length)) if length <= MOST_FAILURE => {
                let text = body(output, length).await?;
                return Ok(serde_json::from_slice(&text).map_or(Verdict::Lied("a failure that cannot be read"), Verdict::Failed));
            }
            _ => return Ok(Verdict::Lied("a frame that no child writes")),
        }
    }
}

async fn head(output: &mut ChildStdout) -> io::Result<Option<(Kind, usize)>> {
    let mut first = [0; HEADER];
    output.read_exact(&mut first).await?;
    Ok(read_header(first))
}

async fn body(output: &mut ChildStdout, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    output.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// The signal that ended a process, where one did.
pub(crate) fn signal(status: ExitStatus) -> Option<i32> {
    status.signal()
}
