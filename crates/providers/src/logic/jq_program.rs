//! A compiled jq query: the language with its standard library, without what looks outside of its input.

use jaq_core::compile::Undefined;
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Filter, Vars, data};
use jaq_json::Val;

type Data = data::JustLut<Val>;

/// Filters that read the process or the clock, or end the program. A query that names one is told that there is none.
const OUTSIDE: [&str; 9] = ["env", "now", "localtime", "strflocaltime", "halt", "halt_error", "stderr", "debug", "input_line_number"];

pub(super) struct Program(Filter<Data>);

impl Program {
    /// Errors: a sentence that says what is wrong with the query, and where.
    pub(super) fn compile(query: &str) -> Result<Program, String> {
        let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs()).filter(|def| !OUTSIDE.contains(&def.name));
        let funs = jaq_core::funs::<Data>().chain(jaq_std::funs()).chain(jaq_json::funs());
        let funs = funs.filter(|(name, ..)| !OUTSIDE.contains(name));
        let arena = Arena::default();
        let modules = Loader::new(defs).load(&arena, File { code: query, path: () }).map_err(|errors| refused(query, errors))?;
        Compiler::default().with_funs(funs).compile(modules).map(Program).map_err(|errors| undefined(query, errors))
    }

    /// Each value in turn; an error is the last one, as jq says it.
    pub(super) fn run(&self, input: Val) -> impl Iterator<Item = Result<Val, String>> + '_ {
        let cx = Ctx::<Data>::new(&self.0.lut, Vars::new([]));
        let mut failed = false;
        self.0.id.run((cx, input)).map_while(move |value| {
            if failed {
                return None;
            }
            let value = value.map_err(|exception| match exception.get_err() {
                Ok(error) => said(error.into_val()),
                Err(_) => "the query breaks out of a label that it is not in".to_owned(),
            });
            failed = value.is_err();
            Some(value)
        })
    }
}

/// Text as it is, everything else as JSON; short, for whole inputs stand in some.
fn said(error: Val) -> String {
    let text = match &error {
        Val::TStr(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => other.to_string(),
    };
    text.chars().take(500).collect()
}

fn refused(query: &str, errors: load::Errors<&str, ()>) -> String {
    let first = errors.into_iter().next().map(|(_, error)| error);
    match first {
        Some(load::Error::Lex(errors)) => match errors.into_iter().next() {
            Some((expected, found)) => format!("{} is expected {}", expected.as_str(), place(query, found)),
            None => "it is no jq query".to_owned(),
        },
        Some(load::Error::Parse(errors)) => match errors.into_iter().next() {
            Some((expected, found)) => format!("{} is expected {}", expected.as_str(), place(query, found)),
            None => "it is no jq query".to_owned(),
        },
        Some(load::Error::Io(_)) => "modules cannot be imported".to_owned(),
        None => "it is no jq query".to_owned(),
    }
}

fn undefined(query: &str, errors: jaq_core::compile::Errors<&str, ()>) -> String {
    let first = errors.into_iter().flat_map(|(_, errors)| errors).next();
    match first {
        Some((name, Undefined::Filter(arity))) => format!("there is no filter {name}/{arity} {}", place(query, name)),
        Some((name, what)) => format!("there is no {} {name} {}", what.as_str(), place(query, name)),
        None => "it is no jq query".to_owned(),
    }
}

/// `at line 1, column 7, before "…"`.
fn place(query: &str, part: &str) -> String {
    let start = load::span(query, part).start;
    let Some(before) = query.get(..start) else { return "in the standard library".to_owned() };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let rest: String = query.get(start..).unwrap_or_default().chars().take(20).collect();
    let before = if rest.is_empty() { "its end".to_owned() } else { format!("{rest:?}") };
    format!("at line {line}, column {column}, before {before}")
}
