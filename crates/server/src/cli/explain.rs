//! `mainspring explain`: the page of an error code, without a server or a browser.

use clap::Args;
use serde_json::json;

use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use crate::error_pages;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  mainspring explain CYCLE
  mainspring explain            all codes")]
pub(crate) struct Explain {
    /// An error code, as messages show it in brackets. All codes without.
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

pub(crate) fn run(cx: &Cx, explain: &Explain) -> Result<Exit, Failure> {
    let Some(code) = &explain.code else {
        let codes = error_pages::codes();
        cx.show(&json!({ "codes": codes }), |_, _| format!("{}\n", codes.join("\n")))?;
        return Ok(Exit::Ok);
    };
    let Some(page) = error_pages::page(code) else {
        let codes = error_pages::codes();
        let close = mainspring_model::problem::nearest(&code.to_ascii_uppercase(), codes.iter().map(String::as_str));
        let failure = Failure::not_found(format_args!("the error code {code}"));
        return Err(match close {
            Some(close) => failure.next(format!("did you mean {close}?")),
            None => failure.next("see all of them: mainspring explain"),
        });
    };
    cx.show(&json!({ "code": code.to_ascii_uppercase(), "page": page }), |_, _| page.to_string())?;
    Ok(Exit::Ok)
}
