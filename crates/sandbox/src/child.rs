//! The child: gives up everything, then runs one piece of code after the other until its parent closes the line.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::confine::{self, Isolation};
use crate::frame::{self, Cause, Failure, Kind, Terms};
use crate::script::Fresh;
use crate::view;

/// The first argument of a process that is to be a child. It is no command for people, and reads nothing else of the command line.
pub const ASKED: &str = "code-child";

/// Whether this process was started as a child. Asked before anything else, while the process has one thread.
pub fn is_asked(arguments: &[OsString]) -> bool {
    arguments.get(1).is_some_and(|first| first == ASKED)
}

/// Is a child until the parent is gone. `arguments` as they were given: `program code-child <isolation> <most memory>`.
pub fn run(arguments: &[OsString]) -> ExitCode {
    if arguments.get(2).is_some_and(|language| language == PYTHON) {
        let failure = Failure { cause: Cause::Thrown, message: become_python(&arguments[3..]), line: None, column: None };
        drop(say_failed(&failure));
        return ExitCode::FAILURE;
    }
    let text = |at: usize| arguments.get(at).and_then(|argument| argument.to_str()).unwrap_or_default();
    let (Ok(isolation), Ok(most)) = (text(2).parse(), text(3).parse()) else {
        return ExitCode::from(2);
    };
    match confined(isolation, most).and_then(|()| serve().map_err(|error| error.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            drop(say_failed(&Failure { cause: Cause::Thrown, message: reason, line: None, column: None }));
            ExitCode::FAILURE
        }
    }
}

/// The second argument of a child that is to become Python: `<interpreter> <memory>` follow.
pub(crate) const PYTHON: &str = "python";

/// Gives up what Python does not need, and becomes it. Returns only with what went wrong.
fn become_python(arguments: &[OsString]) -> String {
    let [interpreter, memory] = arguments else { return "no interpreter is named".to_owned() };
    let interpreter = Path::new(interpreter);
    let Some(memory) = memory.to_str().and_then(|text| text.parse().ok()) else { return "no memory is named".to_owned() };
    confine::give_way();
    let ready = view::of_interpreter(interpreter).and_then(|kept| confine::of_python(&kept, memory));
    if let Err(reason) = ready {
        return reason;
    }
    let mut command = Command::new(interpreter);
    // Isolated: no variables, no folder of the user, nothing of the folder it starts in. `-B`: it can write nowhere.
    command.args(["-I", "-B", "-X", "utf8", "-c", include_str!("bootstrap.py")]);
    for one in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"] {
        command.env(one, "1");
    }
    format!("{}: {}", interpreter.display(), command.exec())
}

/// Gives up everything. Afterwards this process can read its input, write its output and take memory.
///
/// # Errors
/// What the kernel refused.
pub fn confined(isolation: Isolation, most: u64) -> Result<(), String> {
    let held = crate::watch::own_size().unwrap_or(0);
    confine::leave(isolation)?;
    // What the interpreter and the library below it open on first use (time zones, for one), they open now.
    let terms = Terms { timeout_ms: 1_000, memory: 16 << 20, output: 1_000 };
    let code =
        "console.log({a: [1]}); new Date().toString(); return await Promise.resolve([Math.random(), /a/.test('a'), 2n ** 70n + '']);";
    let fresh = Fresh::new().map_err(|error| error.to_string())?;
    crate::console::silently(|| fresh.run(code, b"null".to_vec(), terms, |_| ())).map_err(|failure| failure.message)?;
    drop(fresh);
    confine::give_way();
    confine::bind(most, held)
}

fn serve() -> io::Result<()> {
    let mut input = io::stdin().lock();
    loop {
        // The next interpreter is made while nobody waits for it.
        let fresh = Fresh::new().map_err(io::Error::other)?;
        frame::write(&mut io::stdout().lock(), Kind::Ready, b"")?;
        let Ok(terms) = frame::expect(&mut input, Kind::Terms) else { return Ok(()) };
        let terms: Terms = serde_json::from_slice(&terms)?;
        let code = String::from_utf8(frame::expect(&mut input, Kind::Code)?).map_err(io::Error::other)?;
        let data = frame::expect(&mut input, Kind::Input)?;
        let mut said = Ok(());
        let end = fresh.run(&code, data, terms, |text| said = frame::write(&mut io::stdout().lock(), Kind::Done, text.as_bytes()));
        said?;
        if let Err(failure) = end {
            say_failed(&failure)?;
        }
    }
}

fn say_failed(failure: &Failure) -> io::Result<()> {
    let mut out = io::stdout().lock();
    frame::write(&mut out, Kind::Failed, &serde_json::to_vec(failure)?)?;
    out.flush()
}
