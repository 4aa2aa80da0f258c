//! `mainspring validate`: plan documents checked as saving would check them, without saving.

use std::sync::Arc;

use ::http::Method;
use clap::Args;
use mainspring_model::Problem;
use mainspring_model::catalog::Catalog;
use mainspring_model::id::Owner;
use mainspring_model::plan::{self, Format};
use serde_json::{Value, json};

use super::api::Api;
use super::document::{Document, Stdin};
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Cx, Format as Shape};
use super::terminal;
use super::text::{plain, plural};
use super::{place, plan_file, plan_test, problems};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  mainspring validate plans/*.yaml
  cat plan.json | mainspring validate -
  mainspring validate plan.yaml --json | jq '.files[].problems'

Custom providers are known from the data folder, when there is one, or from the server of --server.")]
pub(crate) struct Validate {
    /// Plan files, YAML or JSON; `-` reads standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// Print one JSON document, as -o json.
    #[arg(long)]
    json: bool,
}

/// What the check of one document found.
struct Checked {
    document: Document,
    name: Option<String>,
    problems: Vec<Problem>,
    notes: Vec<String>,
    /// Its own tests that failed: name and what was not as expected.
    failed: Vec<(String, Vec<String>)>,
}

/// Who checks.
enum Judge {
    Here(Arc<dyn Catalog>),
    Server(Box<Api>),
}

pub(crate) async fn run(cx: &mut Cx, validate: &Validate) -> Result<Exit, Failure> {
    if validate.json {
        cx.format = Shape::Json;
    }
    let mut stdin = Stdin::default();
    let documents = validate.files.iter().map(|file| stdin.read(file, "FILE")).collect::<Result<Vec<_>, _>>()?;
    let judge = match place::server(cx)? {
        Some(server) => Judge::Server(Box::new(server)),
        None => Judge::Here(place::catalog(cx).await),
    };
    let mut checked = Vec::new();
    for document in documents {
        checked.push(check(&judge, document).await?);
    }
    let wrong = checked.iter().filter(|checked| !checked.problems.is_empty() || !checked.failed.is_empty()).count();
    match cx.format {
        Shape::Table => tell(cx, &checked),
        _ => drop(cx.show(&report(&checked), |_, _| String::new())?),
    }
    Ok(if wrong == 0 { Exit::Ok } else { Exit::Invalid })
}

async fn check(judge: &Judge, document: Document) -> Result<Checked, Failure> {
    match judge {
        Judge::Here(catalog) => Ok(match plan::load(&document.text, Format::Auto, &**catalog, &Owner::LOCAL) {
            Ok(passed) => {
                let name = Some(passed.plan.name.clone());
                let reports = plan_test::reports(&**catalog, passed.plan).await;
                let failed = reports.into_iter().filter(|report| !report.passed).map(|report| (report.name, report.problems)).collect();
                Checked { document, name, problems: Vec::new(), notes: passed.notes, failed }
            }
            Err(problems) => Checked { document, name: None, problems, notes: Vec::new(), failed: Vec::new() },
        }),
        Judge::Server(api) => {
            let source = match plan::parse(&document.text, Format::Auto) {
                Ok(source) => source,
                Err(problems) => return Ok(Checked { document, name: None, problems, notes: Vec::new(), failed: Vec::new() }),
            };
            let answer = api.send(Method::POST, "/api/plans/validate", &source.value).await?;
            let mut problems: Vec<Problem> =
                answer["errors"].as_array().into_iter().flatten().filter_map(|error| serde_json::from_value(error.clone()).ok()).collect();
            plan_file::place(&mut problems, &source);
            let notes = answer["notes"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
            let name = source.value.get("name").and_then(Value::as_str).map(str::to_owned);
            let failed = answer["tests"].as_array().into_iter().flatten().filter(|test| test["passed"] == false);
            let failed = failed.map(|test| (test["name"].as_str().unwrap_or_default().to_owned(), texts(&test["problems"]))).collect();
            Ok(Checked { document, name, problems, notes, failed })
        }
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn tell(cx: &Cx, checked: &[Checked]) {
    for Checked { document, name, problems: found, notes, failed } in checked {
        for note in notes {
            terminal::out(&problems::note(&document.name, note, cx.style));
        }
        for (test, reasons) in failed {
            for reason in reasons {
                terminal::out(&format!("{} {}: test \"{}\": {}\n", cx.style.red("✗"), document.name, plain(test), plain(reason)));
            }
        }
        if found.is_empty() && failed.is_empty() {
            if !cx.quiet {
                let name = plain(name.as_deref().unwrap_or_default()).into_owned();
                terminal::out(&format!("{} {}  {}\n", cx.style.green("✓"), document.name, cx.style.dim(&name)));
            }
        } else if !found.is_empty() {
            terminal::out(&problems::render(Some(document), found, cx.style, cx.width));
            let count = plural(found.len(), "problem");
            terminal::out(&format!("{} {}: {count}\n", cx.style.red("✗"), document.name));
        }
    }
}

fn report(checked: &[Checked]) -> Value {
    let files: Vec<Value> = checked
        .iter()
        .map(|Checked { document, name, problems, notes, failed }| {
            let failed: Vec<Value> = failed.iter().map(|(name, reasons)| json!({ "name": name, "problems": reasons })).collect();
            let valid = problems.is_empty() && failed.is_empty();
            json!({ "file": document.name, "valid": valid, "name": name, "problems": problems, "notes": notes, "failed_tests": failed })
        })
        .collect();
    json!({ "valid": checked.iter().all(|checked| checked.problems.is_empty() && checked.failed.is_empty()), "files": files })
}

#[cfg(test)]
mod tests {
    use mainspring_model::catalog::BuiltIns;

    use super::*;

    #[tokio::test]
    async fn all_problems_of_all_files_are_reported() {
        let judge = Judge::Here(Arc::new(BuiltIns::default()));
        let document = |name: &str, text: &str| Document { name: name.into(), text: text.into() };
        let good = check(&judge, document("good.yaml", "name: Good\nsteps: []\n")).await.unwrap();
        let bad = check(&judge, document("bad.json", "{\"name\": \"x\",\n \"stepz\": []}")).await.unwrap();
        assert_eq!((good.problems.len(), good.name.as_deref()), (0, Some("Good")), "{:?}", good.problems);
        let codes: Vec<(&str, Option<u32>)> = bad.problems.iter().map(|problem| (problem.code.as_str(), problem.line)).collect();
        assert!(codes.contains(&("UNKNOWN_FIELD", Some(2))), "{codes:?}");
        assert_eq!(report(&[good, bad])["valid"], false);
    }
}
