//! One call of JavaScript: a fresh interpreter, the function body run to its end, its result as JSON text.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rquickjs::context::{EvalOptions, intrinsic};
use rquickjs::promise::PromiseState;
use rquickjs::{Context, Ctx, Error, Function, Promise, Runtime, Value};

use crate::console::{self, cut, show};
use crate::frame::{Cause, Failure, Terms};
use crate::sabotage::{Switch, is_on};

/// How deep calls may nest, bytes of stack. The process has eight times as much.
const STACK: usize = 1 << 20;

/// What stands before the user's first line, on the same line.
const BEFORE: &str = "(async function step(input) {";

/// The name of the user's code in the interpreter's traces.
const NAME: &str = "code";

/// The language and its own objects. No clock but `Date`, nothing that blocks or shares, nothing of a host.
type Language = (
    intrinsic::Date,
    intrinsic::Eval,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::Proxy,
    intrinsic::MapSet,
    intrinsic::TypedArrays,
    intrinsic::Promise,
    intrinsic::WeakRef,
);

/// Globals that some builds of the interpreter have and code of a step does not.
const TAKEN: [&str; 6] = ["Atomics", "SharedArrayBuffer", "performance", "navigator", "print", "gc"];

/// An interpreter that has run nothing yet.
pub(crate) struct Fresh {
    runtime: Runtime,
    context: Context,
}

impl Fresh {
    /// Makes one. Done while nobody waits.
    pub(crate) fn new() -> Result<Fresh, Error> {
        let runtime = Runtime::new()?;
        runtime.set_max_stack_size(STACK);
        let context = Context::custom::<Language>(&runtime)?;
        context.with(|ctx| -> Result<(), Error> {
            for name in TAKEN {
                ctx.globals().remove(name)?;
            }
            console::install(&ctx)
        })?;
        Ok(Fresh { runtime, context })
    }

    /// Runs `code` with `input`, and gives the result's JSON text to `done`. The interpreter is spent afterwards.
    pub(crate) fn run(&self, code: &str, input: Vec<u8>, terms: Terms, done: impl FnOnce(&str)) -> Result<(), Failure> {
        let expired = Rc::new(Cell::new(false));
        #[expect(clippy::disallowed_methods, reason = "the limit of a call is real time, in a process that has no other clock")]
        let until = Instant::now() + Duration::from_millis(terms.timeout_ms);
        #[expect(clippy::disallowed_methods, reason = "as above")]
        let late = move || Instant::now() >= until;
        self.runtime.set_interrupt_handler(Some(Box::new({
            let expired = expired.clone();
            move || {
                expired.set(expired.get() || late());
                expired.get()
            }
        })));
        let memory = usize::try_from(terms.memory).unwrap_or(usize::MAX);
        let memory = if is_on(Switch::CodeMemoryUnchecked) { memory.saturating_mul(4) } else { memory };
        // What the input takes as text counts as well, until it is read.
        self.runtime.set_memory_limit(memory.saturating_sub(input.len()));
        console::begin();
        let clock = Clock { expired: &expired, late: &late };
        self.context.with(|ctx| {
            let result = call(&ctx, code, input, &clock).and_then(|value| text_of(&ctx, value, terms.output, &clock, done));
            result.map_err(|why| failure(&ctx, why, &expired))
        })
    }
}

fn failed(cause: Cause, message: &str) -> Failure {
    Failure { cause, message: message.to_owned(), line: None, column: None }
}

fn failure(ctx: &Ctx<'_>, why: Why, expired: &Cell<bool>) -> Failure {
    if expired.get() {
        return failed(Cause::Time, "");
    }
    let error = match why {
        Why::Late => return failed(Cause::Time, ""),
        Why::Output => return failed(Cause::Output, ""),
        Why::Stuck => return failed(Cause::Vague, "it waits for a promise that nothing can settle: there are no timers and no network"),
        Why::Error(Error::Allocation) => return failed(Cause::Memory, ""),
        Why::Error(error) => error,
    };
    if !matches!(error, Error::Exception) {
        return failed(Cause::Thrown, &error.to_string());
    }
    let thrown = ctx.catch();
    if thrown.is_null() {
        // Where not even an error can be made any more, the interpreter throws this as well.
        return failed(Cause::Vague, "null");
    }
    // Describing may run the user's own getters: they are under the same limits.
    let mut message = String::new();
    let mut place = None;
    if let Some(exception) = thrown.as_exception() {
        let name = exception.as_object().get::<_, String>("name").unwrap_or_else(|_| "Error".to_owned());
        let text = exception.message().unwrap_or_default();
        message = if text.is_empty() { name.clone() } else { format!("{name}: {text}") };
        place = exception.stack().as_deref().and_then(place_in);
        match (&*name, &*text) {
            ("InternalError", "out of memory") => return failed(Cause::Memory, ""),
            ("RangeError", "Maximum call stack size exceeded") | ("InternalError", "stack overflow") => {
                return failed(Cause::Depth, "");
            }
            _ => {}
        }
    } else {
        show(ctx, &thrown, &mut message);
    }
    if expired.get() {
        return failed(Cause::Time, "");
    }
    Failure {
        cause: Cause::Thrown,
        message: cut(&message, 2_000).to_owned(),
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
    }
}

struct Clock<'a> {
    expired: &'a Cell<bool>,
    late: &'a dyn Fn() -> bool,
}

enum Why {
    Error(Error),
    Late,
    Stuck,
    Output,
}

impl From<Error> for Why {
    fn from(error: Error) -> Why {
        Why::Error(error)
    }
}

fn call<'js>(ctx: &Ctx<'js>, code: &str, input: Vec<u8>, clock: &Clock<'_>) -> Result<Value<'js>, Why> {
    let input: Value<'js> = ctx.json_parse(input)?;
    let mut options = EvalOptions::default();
    options.strict = false;
    options.filename = Some(NAME.to_owned());
    let step: Function<'js> = ctx.eval_with_options(format!("{BEFORE}{code}\n}})"), options)?;
    let promise: Promise<'js> = step.call((input,))?;
    loop {
        match promise.state() {
            PromiseState::Pending if clock.expired.get() || (clock.late)() => return Err(Why::Late),
            PromiseState::Pending if !ctx.execute_pending_job() => return Err(Why::Stuck),
            PromiseState::Pending => {}
            PromiseState::Resolved | PromiseState::Rejected => return Ok(promise.result().ok_or(Why::Stuck)??),
        }
    }
}

/// The result as JSON text; `undefined` is `null`.
fn text_of<'js>(ctx: &Ctx<'js>, value: Value<'js>, most: usize, clock: &Clock<'_>, done: impl FnOnce(&str)) -> Result<(), Why> {
    let text = ctx.json_stringify(value)?;
    // The console takes what is thrown on its way for itself, the end of time as well.
    if clock.expired.get() {
        return Err(Why::Late);
    }
    match text {
        None => done("null"),
        Some(text) => {
            let text = text.to_cstring()?;
            if text.len() > most {
                return Err(Why::Output);
            }
            done(text.as_str());
        }
    }
    Ok(())
}

/// Line and column of the first place of the user's code in a trace, as the user counts them. A trace is the user's to forge:
/// what is read from it is two numbers.
fn place_in(stack: &str) -> Option<(u32, u32)> {
    let at = stack.match_indices(NAME).find_map(|(at, _)| {
        let mut numbers = stack.get(at + NAME.len()..)?.strip_prefix(':')?.split(|c: char| !c.is_ascii_digit());
        Some((numbers.next()?.parse::<u32>().ok()?, numbers.next()?.parse::<u32>().unwrap_or(1)))
    })?;
    let (line, column) = at;
    let before = u32::try_from(BEFORE.len()).unwrap_or(0);
    Some((line, if line == 1 { column.saturating_sub(before).max(1) } else { column }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_first_of_the_users_code() {
        assert_eq!(place_in("    at f (native)\n    at step (code:3:7)\n"), Some((3, 7)));
        assert_eq!(place_in("    at code:1:35\n"), Some((1, 6)));
        assert_eq!(place_in("decode:x code:99999999999:1"), None);
        assert_eq!(place_in(""), None);
    }
}
