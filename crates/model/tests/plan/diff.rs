//! What changed between two versions of a plan.

use mainspring_model::plan::diff::{Colour, Diff, Kind, Part};
use serde_json::{Value, json};

fn text(from: &Value, to: &Value) -> String {
    Diff::between(from, to).text(Colour::Plain)
}

fn before() -> Value {
    json!({"name": "Orders", "inputs": {"n": {"type": "integer"}}, "triggers": [
        {"id": "nightly", "type": "cron", "cron": "@daily"}, {"id": "hook", "type": "webhook", "path": "orders"}],
        "steps": [
            {"id": "fetch", "action": "http.get", "params": {"url": "https://a.example", "headers": {"accept": "text/plain"}}},
            {"id": "each", "for_each": "steps.fetch.output", "steps": [{"id": "inner", "action": "core.log", "params": {"message": "x"}}]},
            {"id": "store", "action": "http.post", "params": {"url": "https://b.example"}},
            {"id": "tell", "action": "slack.post_message", "needs": ["fetch"]}]})
}

#[test]
fn the_same_document_has_no_changes() {
    assert!(Diff::between(&before(), &before()).is_empty());
    assert_eq!(text(&before(), &before()), "");
}

#[test]
fn params_change_by_path_and_fields_come_and_go() {
    let mut now = before();
    now["steps"][0]["params"] = json!({"url": "https://c.example", "headers": {}, "query": {"page": 2}});
    now["steps"][1]["steps"][0]["params"]["message"] = json!("y");
    now["name"] = json!("All orders");
    assert_eq!(
        text(&before(), &now),
        "~ name: \"Orders\" → \"All orders\"\n~ step fetch\n    ~ params.url: \"https://a.example\" → \"https://c.example\"\n    \
         - params.headers.accept: \"text/plain\"\n    + params.query: {\"page\":2}\n~ step inner\n    ~ params.message: \"x\" → \"y\"\n"
    );
}

#[test]
fn steps_come_go_and_move_with_their_edges() {
    let mut now = before();
    let steps = now["steps"].as_array_mut().unwrap();
    steps.remove(2);
    steps.insert(0, json!({"id": "first", "action": "core.log"}));
    let inner = steps[2]["steps"].as_array_mut().unwrap().remove(0);
    steps.push(inner);
    assert_eq!(
        text(&before(), &now),
        "- step store (http.post)\n+ step first (core.log)\n> step inner: each.steps[0] → steps[4]\n- edge each → store\n\
         + edge first → fetch\n+ edge tell → inner\n"
    );
}

#[test]
fn the_fewest_steps_are_called_moved() {
    let list = |ids: &[&str]| json!({"steps": ids.iter().map(|id| json!({"id": id, "needs": []})).collect::<Vec<_>>()});
    let moved = |from: &[&str], to: &[&str]| -> Vec<String> {
        let changes = Diff::between(&list(from), &list(to)).changes;
        changes.into_iter().inspect(|change| assert_eq!(change.kind, Kind::Moved)).map(|change| change.id).collect()
    };
    assert_eq!(moved(&["a", "b", "c", "d"], &["d", "a", "b", "c"]), ["d"]);
    assert_eq!(moved(&["a", "b", "c", "d"], &["b", "a", "c", "d"]).len(), 1);
    assert_eq!(moved(&["a", "b", "c"], &["c", "b", "a"]).len(), 2);
}

#[test]
fn triggers_are_compared_by_id() {
    let mut now = before();
    now["triggers"] = json!([{"id": "nightly", "type": "cron", "cron": "@hourly"}, {"id": "form", "type": "interval", "every": "5m"}]);
    let diff = Diff::between(&before(), &now);
    let seen: Vec<_> = diff.changes.iter().map(|change| (change.part, change.kind, change.id.as_str(), change.path.as_str())).collect();
    assert_eq!(
        seen,
        [
            (Part::Trigger, Kind::Removed, "hook", ""),
            (Part::Trigger, Kind::Changed, "nightly", "cron"),
            (Part::Trigger, Kind::Added, "form", ""),
        ]
    );
    assert_eq!(serde_json::to_value(&diff).unwrap()["changes"][1]["from"], "@daily");
}

#[test]
fn colours_and_control_characters_stay_apart() {
    let (from, to) = (json!({"name": "a\u{9b}31m"}), json!({"name": "b"}));
    assert_eq!(Diff::between(&from, &to).text(Colour::Ansi), "\u{1b}[33m~ name: \"a\u{fffd}31m\" → \"b\"\u{1b}[0m\n");
    let long = json!({"name": "ü".repeat(1000)});
    assert!(Diff::between(&to, &long).text(Colour::Plain).chars().count() < 120, "long values are cut");
}
