//! `console` of user code: each call is one line, as text, to the parent; nothing else of a console is there.

use std::cell::Cell;
use std::fmt::Write as _;

use rquickjs::function::{Func, Rest};
use rquickjs::{Ctx, Object, Result, Value};

use crate::frame::{self, Kind};
use crate::limits::{MOST_LINE, MOST_LINES, MOST_LOG};

thread_local! {
    /// Lines and bytes that this call may still write: the child has one thread and serves one call at a time.
    static LEFT: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    static SILENT: Cell<bool> = const { Cell::new(false) };
}

/// Gives the code its `console`.
pub(crate) fn install(ctx: &Ctx<'_>) -> Result<()> {
    let console = Object::new(ctx.clone())?;
    for name in ["log", "info", "warn", "error", "debug"] {
        console.set(name, Func::from(line))?;
    }
    ctx.globals().set("console", console)
}

/// A call begins: it may write as much as any.
pub(crate) fn begin() {
    LEFT.set((MOST_LINES + 1, MOST_LOG));
}

/// Does `work` with every line thrown away: before the first call nobody waits for any.
pub(crate) fn silently<T>(work: impl FnOnce() -> T) -> T {
    SILENT.set(true);
    let result = work();
    SILENT.set(false);
    result
}

#[expect(clippy::needless_pass_by_value, reason = "the form of a function that the interpreter calls")]
fn line<'js>(ctx: Ctx<'js>, values: Rest<Value<'js>>) -> Result<()> {
    if LEFT.get().0 == 0 || LEFT.get().1 == 0 {
        return Ok(());
    }
    let mut text = String::new();
    for (at, value) in values.0.iter().enumerate() {
        if at > 0 {
            text.push(' ');
        }
        show(&ctx, value, &mut text);
        if text.len() > MOST_LINE {
            break;
        }
    }
    let text = cut(&text, MOST_LINE);
    // Showing a value may have called this function again, so the count is taken now.
    let (lines, bytes) = LEFT.get();
    if lines == 0 || bytes == 0 {
        return Ok(());
    }
    LEFT.set((lines - 1, bytes.saturating_sub(text.len().max(1))));
    if SILENT.get() {
        return Ok(());
    }
    // Nobody is left to tell when the parent is gone; the next read ends the process.
    drop(frame::write(&mut std::io::stdout().lock(), Kind::Line, text.as_bytes()));
    Ok(())
}

/// A value as a line shows it: text as it is, the rest as JSON where it has one. What throws on the way shows as its type.
pub(crate) fn show<'js>(ctx: &Ctx<'js>, value: &Value<'js>, out: &mut String) {
    if let Some(text) = value.as_string() {
        return push(out, text.clone().to_cstring().ok().as_ref().map(rquickjs::CString::as_str));
    }
    if value.is_undefined() {
        return out.push_str("undefined");
    }
    if value.is_function() || value.is_symbol() || value.type_of() == rquickjs::Type::BigInt {
        let _ = write!(out, "[{}]", value.type_name());
        return;
    }
    if let Some(error) = value.as_exception() {
        return push(out, error.message().as_deref());
    }
    match ctx.json_stringify(value.clone()) {
        Ok(Some(text)) => push(out, text.to_cstring().ok().as_ref().map(rquickjs::CString::as_str)),
        Ok(None) => out.push_str("undefined"),
        Err(_) => {
            ctx.catch();
            let _ = write!(out, "[{}]", value.type_name());
        }
    }
}

fn push(out: &mut String, text: Option<&str>) {
    out.push_str(cut(text.unwrap_or_default(), MOST_LINE + 4));
}

/// The beginning of a text, at most so many bytes, never half a character.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
