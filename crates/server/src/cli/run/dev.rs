//! `mainspring dev`: a plan file that runs again whenever it is saved, keeping what did not change.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use clap::Args;
use mainspring_engine::{LoadedPlan, Start};
use mainspring_model::id::Owner;
use mainspring_model::plan::{self, Checked, Format, Plan, StepKind};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::interrupt::Interrupts;
use super::outcome;
use super::screen::Screen;
use super::start::{self, Place};
use super::{drive, follow, get};
use crate::cli::document::{Document, Stdin};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Cx;
use crate::cli::serve::Egress;
use crate::cli::{inputs, place, plan_file, plan_test, problems, terminal};

/// Between two looks at the file, in milliseconds.
const LOOK: i64 = 200;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  mainspring dev plans/order.yaml -i order=7
  mainspring dev plan.yaml --inputs inputs.json --fresh

Steps that did not change since the last run, and none of whose sources did, are not called again: they have their last output.
The plan's own tests run first. It is saved as \"NAME (dev)\", without triggers. Ctrl-C ends it.")]
pub(crate) struct Dev {
    /// The plan file, YAML or JSON.
    #[arg(value_name = "FILE")]
    file: String,
    /// An input: JSON when it reads as JSON, text otherwise. `name=@file` reads a file.
    #[arg(short = 'i', long = "input", value_name = "NAME=VALUE")]
    input: Vec<String>,
    /// All inputs as one JSON or YAML object. Single inputs win over it.
    #[arg(long, value_name = "FILE")]
    inputs: Option<String>,
    /// Call every step each time.
    #[arg(long)]
    fresh: bool,
    /// Where the plan's requests may go when it runs in this process.
    #[arg(long, value_enum, value_name = "MODE", default_value = "dev")]
    egress: Egress,
}

/// What a step gave, and for which text of it and of what it follows from.
type Outputs = HashMap<String, (String, Value)>;

pub(crate) async fn run(cx: &Cx, dev: &Dev) -> Result<Exit, Failure> {
    if dev.file == "-" {
        return Err(Failure::usage("standard input cannot be watched; name a file".to_owned()));
    }
    let mut stdin = Stdin::default();
    let given = inputs::gather(dev.inputs.as_deref(), &dev.input, &mut stdin)?;
    let place = place::to_run(cx, dev.egress).await?;
    let clock = place::clock();
    let (mut outputs, mut interrupts) = (Outputs::new(), Interrupts::listen());
    loop {
        let stamp = stamp(&dev.file);
        match once(cx, dev, &place, &given, &mut outputs).await {
            Ok(Exit::Interrupted) => break,
            Ok(_) => {}
            Err(failure) => terminal::err(&failure.render(cx)),
        }
        cx.note(&format!("waiting for {} to be saved; Ctrl-C ends", dev.file));
        loop {
            tokio::select! {
                _ = interrupts.next() => return start::leave(&place).await.map(|()| Exit::Ok),
                () = clock.sleep_until(clock.now() + LOOK) => {}
            }
            if self::stamp(&dev.file) != stamp {
                break;
            }
        }
    }
    start::leave(&place).await?;
    Ok(Exit::Interrupted)
}

/// When the file was changed, and how long it is: editors write in more than one way.
fn stamp(file: &str) -> Option<(SystemTime, u64)> {
    let found = std::fs::metadata(Path::new(file)).ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// One run of the file as it is now.
async fn once(cx: &Cx, dev: &Dev, place: &Place, given: &Value, outputs: &mut Outputs) -> Result<Exit, Failure> {
    let document = Stdin::default().read(&dev.file, "FILE")?;
    let catalog = place::catalog(cx).await;
    let checked = match plan::load(&document.text, Format::Auto, &*catalog, &Owner::LOCAL) {
        Ok(checked) => checked,
        Err(found) => {
            terminal::out(&problems::render(Some(&document), &found, cx.style, cx.width));
            return Ok(Exit::Invalid);
        }
    };
    if !checked.plan.tests.is_empty() {
        let reports = plan_test::reports(&*catalog, checked.plan.clone()).await;
        terminal::out(&plan_test::render(&document.name, &reports, cx.style));
    }
    let texts = texts(&checked, given);
    outputs.retain(|id, (text, _)| !dev.fresh && texts.get(id) == Some(text));
    let kept: Vec<&str> = checked.plan.list(Plan::TOP).steps.iter().map(|ix| checked.plan.step(*ix).id.as_str()).collect();
    let kept: Vec<&str> = kept.into_iter().filter(|id| outputs.contains_key(*id)).collect();
    if !kept.is_empty() {
        cx.note(&format!("not called again: {}", kept.join(", ")));
    }
    let trial = trial(&checked, outputs);
    let saved = plan_file::save(place.api(), Document { name: document.name, text: trial.to_string() }).await?;
    let screen = Screen::new(cx, false, start::default_columns(cx));
    let end = match (place, saved.checked) {
        (Place::Here(api), Some(checked)) => {
            let plan = LoadedPlan { id: saved.id, version: saved.version, plan: Arc::new(checked.plan) };
            drive::start(api, Start::manual(Owner::LOCAL, plan, given.clone()), screen, None).await?
        }
        _ => follow::start(place.api(), saved.id, given.clone(), None, screen, None).await?,
    };
    let exit = outcome::show(cx, place, &end).await?;
    remember(&get(place.api(), end.run).await?, &checked.plan, &texts, outputs);
    Ok(exit)
}

/// The document to run: under a name of its own, started by nobody, with what is known pinned.
fn trial(checked: &Checked, outputs: &Outputs) -> Value {
    let mut document = checked.document.clone();
    document["name"] = json!(format!("{} (dev)", checked.plan.name.chars().take(190).collect::<String>()));
    if let Some(fields) = document.as_object_mut() {
        fields.remove("triggers");
        fields.remove("tests");
    }
    for (place, ix) in checked.plan.list(Plan::TOP).steps.iter().enumerate() {
        let step = checked.plan.step(*ix);
        if let Some((_, output)) = outputs.get(&step.id) {
            document["steps"][place]["pinned"] = output.clone();
        }
    }
    document
}

/// Of each step of the top list: a hash of its own text, of what it follows from, and of what every step sees.
fn texts(checked: &Checked, given: &Value) -> HashMap<String, String> {
    let plan = &checked.plan;
    let around = json!([given, checked.document.get("vars"), checked.document.get("inputs")]).to_string();
    let mut texts: HashMap<String, String> = HashMap::new();
    // Sources may stand behind what follows from them.
    for _ in 0..plan.list(Plan::TOP).steps.len() {
        for (place, ix) in plan.list(Plan::TOP).steps.iter().enumerate() {
            let step = plan.step(*ix);
            let sources: Option<Vec<&String>> = step.edges.iter().map(|edge| texts.get(&plan.step(edge.source).id)).collect();
            let Some(sources) = sources.filter(|_| !texts.contains_key(&step.id)) else { continue };
            let text = json!([around, checked.document["steps"][place], sources]).to_string();
            let hash = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
            texts.insert(step.id.clone(), hash);
        }
    }
    texts
}

/// Keeps the outputs of steps that called somebody and ended in `success`.
fn remember(run: &Value, plan: &Plan, texts: &HashMap<String, String>, outputs: &mut Outputs) {
    for step in run["steps"].as_array().into_iter().flatten() {
        let Some(id) = step["id"].as_str() else { continue };
        let Some(known) = plan.ids.get(id).map(|ix| plan.step(*ix)).filter(|known| known.list == Plan::TOP) else { continue };
        let computes = matches!(&known.kind, StepKind::Action(action) if action.computes);
        let plain_port = step["port"].is_null() || step["port"] == "success";
        if step["status"] == "success"
            && plain_port
            && !computes
            && !step["output"].is_null()
            && known.pinned.is_none()
            && let Some(text) = texts.get(id)
        {
            outputs.insert(id.to_owned(), (text.clone(), step["output"].clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use mainspring_model::catalog::BuiltIns;

    use super::*;

    fn checked(text: &str) -> Checked {
        plan::load(text, Format::Auto, &BuiltIns::default(), &Owner::LOCAL).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    #[test]
    fn a_change_reaches_what_follows_from_it_and_nothing_else() {
        let of = |a: &str, c: &str| {
            format!(
                "name: x\ntriggers: [{{type: interval, every: 1h}}]\nsteps:\n  - {{id: a, steps: [], name: {a}}}\n  - {{id: b, steps: []}}\n  - {{id: c, needs: [], steps: [], name: {c}}}\n"
            )
        };
        let (first, second, third) = (checked(&of("one", "one")), checked(&of("two", "one")), checked(&of("one", "two")));
        let changed = |other: &Checked| {
            let (before, after) = (texts(&first, &json!({})), texts(other, &json!({})));
            ["a", "b", "c"].into_iter().filter(|id| before[*id] != after[*id]).collect::<Vec<_>>()
        };
        assert_eq!(changed(&second), ["a", "b"]);
        assert_eq!(changed(&third), ["c"]);
        assert!(texts(&first, &json!({"i": 1}))["a"] != texts(&first, &json!({}))["a"], "inputs are seen by all");
    }

    #[test]
    fn what_called_somebody_and_ended_well_is_pinned_in_the_next_run() {
        let plan = checked("name: x\ntriggers: [{type: interval, every: 1h}]\nsteps: [{id: a, steps: []}, {id: b, steps: []}]\n");
        let (texts, mut outputs) = (texts(&plan, &json!({})), Outputs::new());
        let run = json!({"steps": [{"id": "a", "status": "success", "output": 5}, {"id": "b", "status": "error", "output": null}]});
        remember(&run, &plan.plan, &texts, &mut outputs);
        let trial = trial(&plan, &outputs);
        assert_eq!(
            (&trial["name"], &trial["steps"][0]["pinned"], &trial["steps"][1]["pinned"]),
            (&json!("x (dev)"), &json!(5), &Value::Null)
        );
        assert!(trial.get("triggers").is_none());
    }
}
