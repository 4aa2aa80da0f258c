//! The log sink: one line per event on standard error, with every known secret taken out.

use std::io::{self, Write};
use std::sync::Arc;

use mainspring_vault::Redactor;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::line::Lines;
use crate::reports::{Reporter, Reports};

/// Writes to standard error what the redactor leaves.
#[derive(Clone)]
struct Redacting(Arc<Redactor>);

impl<'a> MakeWriter<'a> for Redacting {
    type Writer = Line;
    fn make_writer(&'a self) -> Line {
        Line { redactor: self.0.clone(), bytes: Vec::new() }
    }
}

/// One event's bytes, redacted as a whole when they are complete: a secret cut in two writes would slip through.
struct Line {
    redactor: Arc<Redactor>,
    bytes: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // Nobody is left to tell when standard error is closed.
        drop(io::stderr().lock().write_all(&self.redactor.redact_bytes(&self.bytes)));
    }
}

/// Installs the sink and a panic hook that writes through it. `filter`: as `MAINSPRING_LOG`, `info` by default. `reporter` hears of errors. Once per process.
pub fn install(redactor: Arc<Redactor>, filter: Option<&str>, json: bool, reporter: Option<Arc<Reporter>>) {
    let filter = EnvFilter::try_new(filter.unwrap_or("info")).unwrap_or_else(|_| EnvFilter::new("info"));
    let reports = reporter.map(|reporter| Reports { reporter, redactor: redactor.clone() });
    let lines = Lines { writer: Redacting(redactor), json };
    if tracing_subscriber::registry().with(filter).with(lines).with(reports).try_init().is_err() {
        return;
    }
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let payload = info.payload();
        let message = payload.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| payload.downcast_ref::<String>().cloned());
        tracing::error!(place, panic = message.unwrap_or_default(), "a panic was caught");
    }));
}
