//! The other process: takes work from its standard input, one piece after another, and answers on its standard output.

use std::io::{BufReader, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use futures_util::FutureExt;
use mainspring_model::Fault;
use mainspring_model::action::Context;
use mainspring_model::action::Outcome;
use mainspring_model::catalog::Provider;
use mainspring_model::clock::Clock;
use mainspring_model::id::Owner;

use super::frame::{Done, Work, receive, send};
use super::{Apart, MEMORY};

/// Deep recursion is what some queries are made of; what exceeds this ends the helper, and only it.
const STACK: usize = 64 << 20;
/// The helper ends itself this long after its time, should nobody be left to end it.
const GRACE: Duration = Duration::from_millis(500);

/// Works until the input ends. The process is of no use for anything else afterwards: its memory is limited.
pub fn help(input: impl Read + Send + 'static, output: impl Write + Send + 'static, clock: Arc<dyn Clock>) {
    if limit_memory().is_err() {
        return;
    }
    let (begun, watched) = channel();
    let work = move || {
        let providers = [crate::logic::provider(&Apart::here()), crate::transform::provider(&Apart::here())];
        let (mut input, mut output) = (BufReader::new(input), output);
        while let Ok(Some(work)) = receive::<Work>(&mut input) {
            begun.send(Some(Duration::from_millis(work.within_ms) + GRACE)).ok();
            let done = one(&providers, work, &clock);
            begun.send(None).ok();
            if send(&mut output, &done).is_err() {
                break;
            }
        }
    };
    if std::thread::Builder::new().stack_size(STACK).spawn(work).is_ok() {
        watch(&watched);
    }
}

/// Ends with the work, or ends the process when a piece of it takes too long.
fn watch(watched: &Receiver<Option<Duration>>) {
    let mut within = None;
    loop {
        let next = match within {
            None => watched.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(time) => watched.recv_timeout(time),
        };
        match next {
            Ok(next) => within = next,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => std::process::exit(1),
        }
    }
}

fn one(providers: &[Provider], work: Work, clock: &Arc<dyn Clock>) -> Done {
    if work.action == crate::mail::PARSE {
        return crate::mail::parse(work.params).map_or_else(Done::Fault, Done::Value);
    }
    let (provider, name) = work.action.split_once('.').unwrap_or_default();
    let action = providers.iter().find(|other| other.id == provider).and_then(|provider| provider.action(name));
    let Some(action) = action else {
        return Done::Fault(Fault::internal(format!("a helper was asked for {}, which it does not know", work.action)));
    };
    let cx = Context::apart(Owner::LOCAL, &work.action, clock.clone(), Duration::from_millis(work.within_ms));
    match action.call(work.params, &cx).now_or_never() {
        Some(Ok(Outcome::Done(output))) => Done::Value(output.value),
        Some(Err(fault)) => Done::Fault(fault),
        _ => Done::Fault(Fault::internal(format!("{} is nothing that a helper can do", work.action))),
    }
}

#[cfg(unix)]
const NICE: i32 = 10;

#[cfg(unix)]
fn limit_memory() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, nice, setrlimit};
    let limit = |bytes| Rlimit { current: Some(bytes), maximum: Some(bytes) };
    // Behind what drives runs: a query that burns a processor must not hold up what watches it.
    let _ = nice(NICE);
    // Private memory, not addresses: allocators reserve far more of those than they use.
    setrlimit(Resource::Data, limit(MEMORY + STACK as u64))?;
    setrlimit(Resource::Core, limit(0))?;
    // It writes no file.
    setrlimit(Resource::Fsize, limit(0))?;
    Ok(())
}

#[cfg(not(unix))]
fn limit_memory() -> std::io::Result<()> {
    Ok(())
}
