//! `mainspring plan test`: the tests that plan files have of their own, run offline.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use mainspring_engine::offline::{self, TestReport};
use mainspring_model::catalog::Catalog;
use mainspring_model::id::Owner;
use mainspring_model::plan::{self, Format, Plan};
use serde_json::json;

use super::document::Stdin;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Cx, Format as Shape};
use super::terminal::{self, Style};
use super::text::{plain, plural};
use super::{place, problems};

/// For all tests of one file.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Args, Debug)]
pub(crate) struct Test {
    /// Plan files, YAML or JSON; `-` reads standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// Only tests whose name has this text in it.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

pub(crate) async fn run(cx: &Cx, test: &Test) -> Result<Exit, Failure> {
    let mut stdin = Stdin::default();
    let documents = test.files.iter().map(|file| stdin.read(file, "FILE")).collect::<Result<Vec<_>, _>>()?;
    let catalog = place::catalog(cx).await;
    let (mut all_passed, mut files) = (true, Vec::new());
    for document in documents {
        match plan::load(&document.text, Format::Auto, &*catalog, &Owner::LOCAL) {
            Err(found) => {
                all_passed = false;
                if matches!(cx.format, Shape::Table) {
                    terminal::out(&problems::render(Some(&document), &found, cx.style, cx.width));
                    terminal::out(&format!("{} {}: {}\n", cx.style.red("✗"), document.name, plural(found.len(), "problem")));
                }
                files.push(json!({ "file": document.name, "problems": found, "tests": [] }));
            }
            Ok(checked) => {
                let mut plan = checked.plan;
                plan.tests.retain(|case| test.only.as_ref().is_none_or(|text| case.name.contains(text.as_str())));
                let reports = reports(&*catalog, plan).await;
                all_passed &= reports.iter().all(|report| report.passed);
                if matches!(cx.format, Shape::Table) {
                    terminal::out(&render(&document.name, &reports, cx.style));
                }
                files.push(json!({ "file": document.name, "problems": [], "tests": reports }));
            }
        }
    }
    if !matches!(cx.format, Shape::Table) {
        cx.show(&json!({ "passed": all_passed, "files": files }), |_, _| String::new())?;
    }
    Ok(if all_passed { Exit::Ok } else { Exit::RunFailed })
}

/// How the plan's own tests go.
pub(super) async fn reports(catalog: &dyn Catalog, plan: Plan) -> Vec<TestReport> {
    offline::tests(catalog, &place::clock(), Owner::LOCAL, &Arc::new(plan), PATIENCE).await
}

/// A line per test, and below a failed one what was not as expected.
pub(super) fn render(file: &str, reports: &[TestReport], style: Style) -> String {
    if reports.is_empty() {
        return format!("{} {file}: {}\n", style.dim("-"), style.dim("no tests; add them to the plan under \"tests\""));
    }
    let failed = reports.iter().filter(|report| !report.passed).count();
    let mut text = String::new();
    for report in reports {
        let mark = if report.passed { style.green("✓") } else { style.red("✗") };
        text.push_str(&format!("  {mark} {}\n", plain(&report.name)));
        for problem in &report.problems {
            text.push_str(&format!("      {}\n", plain(problem)));
        }
    }
    let (mark, verdict) = match failed {
        0 => (style.green("✓"), format!("{} passed", plural(reports.len(), "test"))),
        _ => (style.red("✗"), format!("{failed} of {} failed", plural(reports.len(), "test"))),
    };
    format!("{text}{mark} {file}: {verdict}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_test_has_its_line_and_each_failure_its_reasons() {
        let text = "name: Sum\ninputs: {a: {type: number, required: true}}\nsteps: []\noutput: ${inputs.a * 2}\n\
                    tests:\n  - {name: doubles, inputs: {a: 2}, expect: {output: 4}}\n  - {inputs: {a: 3}, expect: {output: 7}}\n  - {expect: {output: 0}}\n";
        let catalog = mainspring_model::catalog::BuiltIns::default();
        let plan = plan::load(text, Format::Auto, &catalog, &Owner::LOCAL).unwrap().plan;
        let shown = render("sum.yaml", &reports(&catalog, plan).await, Style::default());
        let expected = "  ✓ doubles\n  ✗ test 2\n      output is 6, and 7 is expected\n  ✗ test 3\n      inputs/a: ";
        assert!(shown.starts_with(expected) && shown.ends_with("✗ sum.yaml: 2 of 3 tests failed\n"), "{shown}");
        assert!(render("empty.yaml", &[], Style::default()).contains("no tests"));
    }
}
