//! A little plan around one step, so that it is read, checked and run as in its own: earlier results stand in as steps before it.

use mainspring_model::Problem as Finding;
use serde_json::{Map, Value, json};

/// The document, and what its placeholder steps gave, in their order.
#[derive(Debug)]
pub struct StepPlan {
    pub document: Value,
    pub earlier: Vec<Value>,
}

/// The most earlier results; as many as a plan has steps before its last.
const MAX_RESULTS: usize = 999;

/// Builds the plan. `results` is a list, or an object by index or by step id.
pub fn step_plan(step: Value, results: Option<Value>) -> Result<StepPlan, Finding> {
    let Value::Object(mut step) = step else {
        return Err(Finding::new("WRONG_TYPE", "/step", "step must be an object, as it stands in a plan").expected("an object"));
    };
    let results = by_place(results)?;
    if results.len() > MAX_RESULTS {
        return Err(Finding::new("TOO_MANY_STEPS", "/step_results", format!("{} results; at most {MAX_RESULTS} are taken", results.len())));
    }
    // Its edges lead to steps that are not here; it simply comes last.
    step.shift_remove("needs");
    step.shift_remove("join");
    if step
        .get("id")
        .and_then(Value::as_str)
        .is_some_and(|id| results.iter().enumerate().any(|(place, (other, _))| name_at(place, other.as_deref()) == id))
    {
        step.shift_remove("id");
    }
    let mut steps = Vec::with_capacity(results.len() + 1);
    let mut earlier = Vec::with_capacity(results.len());
    for (id, result) in &results {
        let mut placeholder = json!({"action": "logic.transform", "params": {"template": null}});
        if let Some(id) = id {
            placeholder["id"] = json!(id);
        }
        steps.push(placeholder);
        earlier.push(output_of(result));
    }
    steps.push(Value::Object(step));
    Ok(StepPlan { document: json!({"name": "execute-step", "steps": steps}), earlier })
}

/// The id that a placeholder ends up with.
fn name_at(place: usize, id: Option<&str>) -> String {
    id.map_or_else(|| format!("step_{}", place + 1), str::to_owned)
}

/// Results by place, each with its step's id when it came under one.
fn by_place(results: Option<Value>) -> Result<Vec<(Option<String>, Value)>, Finding> {
    match results {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(results)) => Ok(results.into_iter().map(|result| (None, result)).collect()),
        Some(Value::Object(results)) => by_name(results),
        Some(_) => Err(Finding::new("WRONG_TYPE", "/step_results", "step_results must be a list, or an object by index or step id")
            .expected("a list or an object")),
    }
}

fn by_name(results: Map<String, Value>) -> Result<Vec<(Option<String>, Value)>, Finding> {
    let mut places: Vec<(Option<String>, Value)> = Vec::new();
    let mut named = Vec::new();
    for (name, result) in results {
        match name.parse::<usize>() {
            Ok(place) if place < MAX_RESULTS => {
                // Places that were left out have no result, as a step that was not reached.
                if places.len() <= place {
                    places.resize_with(place + 1, || (None, Value::Null));
                }
                places[place].1 = result;
            }
            Ok(_) => {
                return Err(Finding::new(
                    "TOO_MANY_STEPS",
                    "/step_results",
                    format!("the index {name} is beyond the {MAX_RESULTS} that are taken"),
                ));
            }
            Err(_) => named.push((Some(name), result)),
        }
    }
    places.extend(named);
    Ok(places)
}

/// A result as `execute-step` gave it has its output inside; anything else is the output itself.
fn output_of(result: &Value) -> Value {
    match result {
        Value::Object(fields) if fields.contains_key("success") => fields.get("output").cloned().unwrap_or_default(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_by_list_by_index_and_by_id() {
        let step = || json!({"id": "mail", "action": "http.request", "needs": ["load"]});
        let listed = step_plan(step(), Some(json!([{"success": true, "output": 7}, "raw"]))).expect("a plan");
        assert_eq!(listed.earlier, [json!(7), json!("raw")]);
        assert_eq!(listed.document["steps"][2], json!({"id": "mail", "action": "http.request"}));
        let indexed = step_plan(step(), Some(json!({"1": 5}))).expect("a plan");
        assert_eq!(indexed.earlier, [Value::Null, json!(5)]);
        let named = step_plan(step(), Some(json!({"load": {"success": false, "error": "x"}}))).expect("a plan");
        assert_eq!((named.document["steps"][0]["id"].clone(), named.earlier), (json!("load"), vec![Value::Null]));
    }

    #[test]
    fn a_step_gives_up_an_id_that_a_result_has() {
        let plan = step_plan(json!({"id": "step_1", "action": "logic.set"}), Some(json!([1]))).expect("a plan");
        assert_eq!(plan.document["steps"][1], json!({"action": "logic.set"}));
    }

    #[test]
    fn what_is_no_step_is_refused() {
        assert_eq!(step_plan(json!([]), None).expect_err("a list").pointer, "/step");
        assert_eq!(step_plan(json!({}), Some(json!(3))).expect_err("a number").pointer, "/step_results");
        assert_eq!(step_plan(json!({}), Some(json!({"99999999": 1}))).expect_err("far out").code, "TOO_MANY_STEPS");
    }
}
