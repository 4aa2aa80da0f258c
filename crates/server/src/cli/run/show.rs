//! `mainspring run show`: one run with its steps.

use super::{Named, get, resolve, summary};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Cx;
use crate::cli::place;

pub(super) async fn run(cx: &Cx, named: &Named) -> Result<Exit, Failure> {
    let api = place::api(cx).await?;
    let found = async { get(&api, resolve(&api, &named.run).await?).await }.await;
    api.close().await;
    let run = found?;
    cx.show(&run, |style, width| summary::render(&run, style, width))
}
