//! A run at its end: a table of its steps, then how it ended, its output or its error, and what to do next.

use serde_json::Value;

use super::line::Mark;
use crate::cli::output::pretty;
use crate::cli::table::Rows;
use crate::cli::terminal::Style;
use crate::cli::text::{count, latency, millis_of, plain, plain_lines, preview, short};

/// Longer outputs are cut here; `-o json` and `run show` have them whole.
const OUTPUT_LINES: usize = 40;

/// The text for people, from the run as `GET /api/runs/{id}` shows it.
pub(crate) fn render(run: &Value, style: Style, width: usize) -> String {
    let steps = table(run).render(width, style);
    format!("{steps}\n{}", verdict(run, style))
}

/// The table of the top list and the plan's own lists; what ran inside a step is added up in its row.
pub(crate) fn table(run: &Value) -> Rows {
    let mut rows = Rows::new(["", "step", "status", "attempts", "latency", "output"], "no step ran");
    let steps: Vec<&Value> = run["steps"].as_array().into_iter().flatten().collect();
    for step in steps.iter().filter(|step| enclosing(id(step)).is_none()) {
        let inner = steps.iter().filter(|other| enclosing(id(other)) == Some(id(step))).copied();
        let spent = Spent::of(std::iter::once(*step).chain(inner));
        let status = step["status"].as_str().unwrap_or("pending");
        let result = match step["error"].as_object() {
            Some(_) => preview(&Value::String(fault(&step["error"])), 200),
            None if step["output"].is_null() => plain(step["message"].as_str().unwrap_or_default()).into_owned(),
            None => preview(&step["output"], 200),
        };
        let result = match effects(step, &steps) {
            Some(effects) => format!("{effects}  {result}"),
            None => result,
        };
        let attempts = if spent.attempts > 0 { count(spent.attempts) } else { String::new() };
        let mark = Mark::of_status(status).glyph().to_string();
        rows.add([mark, id(step).to_owned(), status.to_owned(), attempts, spent.time(), result]);
    }
    rows
}

/// What is worth saying of the effects of a step and of what runs inside it: those that nobody is sure of, and what was taken back.
fn effects(step: &Value, steps: &[&Value]) -> Option<String> {
    let of = |other: &&&Value| id(other) == id(step) || enclosing(id(other)) == Some(id(step));
    let receipts: Vec<&Value> = steps.iter().filter(of).map(|step| &step["effect"]).filter(|effect| effect.is_object()).collect();
    let count = |fits: &dyn Fn(&Value) -> bool| receipts.iter().filter(|receipt| fits(receipt)).count();
    let words = [
        ("unknown whether done", count(&|receipt| receipt["reached"] == "unknown" && receipt["undone"].is_null())),
        ("maybe done twice", count(&|receipt| receipt["maybe_repeated"] == true && receipt["kind"] == "write")),
        ("undone", count(&|receipt| receipt["undone"] == true)),
        ("NOT UNDONE", count(&|receipt| receipt["undone"] == false)),
    ];
    let said = words.iter().filter(|(_, many)| *many > 0);
    let said: Vec<String> =
        said.map(|(word, many)| if receipts.len() > 1 { format!("{many} {word}") } else { (*word).to_owned() }).collect();
    (!said.is_empty()).then(|| format!("[{}]", said.join(", ")))
}

/// How the run ended, in a few lines.
pub(crate) fn verdict(run: &Value, style: Style) -> String {
    let status = run["status"].as_str().unwrap_or("unknown");
    let mark = Mark::of_status(status);
    let mut text = mark.paint(style, &format!("{} {}", mark.glyph(), status.replace('_', " ")));
    if let (Some(from), Some(to)) = (millis_of(&run["created_at"]), millis_of(&run["finished_at"])) {
        text.push_str(&format!(" after {}", latency(u64::try_from((to - from).max(0)).unwrap_or(0) * 1_000)));
    }
    let name = plain(run["plan_name"].as_str().unwrap_or_default()).into_owned();
    let version = run["plan_version"].as_u64().map(|version| format!(" version {version}")).unwrap_or_default();
    let run_id = run["id"].as_str().unwrap_or_default();
    text.push_str(&style.dim(&format!("  {name}{version}  run {run_id}")));
    text.push('\n');
    if let (Some(by), Some(until)) = (run["held_for"]["by"].as_str(), run["held_for"]["until"].as_str()) {
        text.push_str(&format!("  it waits for others of its trigger by {} until {}\n", plain(by), plain(until)));
    }
    if run["error"].is_object() {
        let step = run["error"]["step"].as_str().map(|step| format!(" (step {})", plain(step))).unwrap_or_default();
        text.push_str(&format!("  {}{step}\n", style.red(&plain_lines(&fault(&run["error"])))));
        text.push_str(&format!("  {} `mainspring run show {run_id}` has every attempt\n", style.cyan("next:")));
    }
    if !run["output"].is_null() {
        text.push_str(&output(&run["output"], run_id, style));
    }
    text
}

fn output(value: &Value, run: &str, style: Style) -> String {
    let whole = match value {
        Value::String(text) => plain_lines(text),
        other => plain_lines(&pretty(other)),
    };
    let lines: Vec<&str> = whole.lines().collect();
    let mut text: String = lines.iter().take(OUTPUT_LINES).map(|line| format!("{}\n", short(line, 400))).collect();
    if lines.len() > OUTPUT_LINES {
        let more = count((lines.len() - OUTPUT_LINES) as u64);
        text.push_str(&style.dim(&format!("… {more} more lines; `mainspring run show {run} -o json` has them all\n")));
    }
    text
}

/// `CODE: message` of a fault as answers spell it.
pub(crate) fn fault(error: &Value) -> String {
    let (code, message) = (error["code"].as_str().unwrap_or("INTERNAL"), error["message"].as_str().unwrap_or_default());
    format!("{code}: {message}")
}

fn id(step: &Value) -> &str {
    step["id"].as_str().unwrap_or_default()
}

/// The outermost step that a path is inside of.
fn enclosing(path: &str) -> Option<&str> {
    path.find(['[', '.']).map(|end| &path[..end])
}

/// Attempts and time of a step with everything inside it.
#[derive(Default)]
struct Spent {
    attempts: u64,
    sum_us: u64,
    longest_us: u64,
    units: u64,
    first: Option<i64>,
    last: Option<i64>,
}

impl Spent {
    fn of<'a>(steps: impl Iterator<Item = &'a Value>) -> Spent {
        let mut spent = Spent::default();
        for step in steps {
            let attempts = step["attempts"].as_array().map(Vec::as_slice).unwrap_or_default();
            spent.units += u64::from(!attempts.is_empty());
            for attempt in attempts {
                let ms = attempt["latency_ms"].as_f64().unwrap_or(0.0).max(0.0);
                spent.attempts += 1;
                spent.sum_us += (ms * 1_000.0) as u64;
                spent.longest_us = spent.longest_us.max((ms * 1_000.0) as u64);
                if let Some(ended) = millis_of(&attempt["ended_at"]) {
                    let began = ended - ms as i64;
                    spent.first = Some(spent.first.map_or(began, |first| first.min(began)));
                    spent.last = Some(spent.last.map_or(ended, |last| last.max(ended)));
                }
            }
        }
        spent
    }

    /// The time of the attempts; for a loop, whose items run side by side, from its first beginning to its last end.
    fn time(&self) -> String {
        match (self.first, self.last) {
            _ if self.attempts == 0 => String::new(),
            (Some(first), Some(last)) if self.units > 1 => {
                let wall = u64::try_from((last - first).max(0)).unwrap_or(0);
                // Moments are kept to the millisecond, which many an item is shorter than.
                latency((wall * 1_000).max(self.longest_us))
            }
            _ => latency(self.sum_us),
        }
    }
}
