//! Ids, edges, ports, rings and joins.

use super::{all, good, problems};

fn steps(lines: &[&str]) -> String {
    format!("name: A\nsteps:\n{}", lines.iter().map(|line| format!("  - {{{line}}}\n")).collect::<String>())
}

#[test]
fn rings_are_named() {
    all(&[
        (
            &steps(&["id: a, needs: [c], action: test.read", "id: b, action: test.read", "id: c, action: test.read"]),
            "3:20 /steps/0/needs CYCLE: these steps wait for each other in a ring: a → b → c → a; take one of these edges away",
        ),
        (&steps(&["id: a, needs: [a], action: test.read"]), "3:20 /steps/0/needs CYCLE: \"a\" waits for itself"),
        (
            &steps(&[
                "id: a, needs: [b], action: test.read",
                "id: b, action: test.read",
                "id: c, needs: [d], action: test.read",
                "id: d, action: test.read",
                "id: e, action: test.read",
            ]),
            "3:20 /steps/0/needs CYCLE: these steps wait for each other in a ring: a → b → a; take one of these edges away\n\
             5:20 /steps/2/needs CYCLE: these steps wait for each other in a ring: c → d → c; take one of these edges away",
        ),
    ]);
}

#[test]
fn needs_name_steps_of_their_own_list() {
    all(&[
        (
            &steps(&["id: first, action: test.read", "needs: [frist], action: test.read"]),
            "4:14 /steps/1/needs/0 UNKNOWN_STEP: there is no step \"frist\"; did you mean \"first\"? (write first)",
        ),
        (
            &steps(&["id: a, steps: [{id: inner, action: test.read}]", "needs: [inner], action: test.read"]),
            "4:14 /steps/1/needs/0 UNKNOWN_STEP: \"inner\" stands in another list of steps (/steps/0/steps/0); edges join only steps of one list",
        ),
    ]);
}

#[test]
fn ports_are_those_of_the_action() {
    let switch = "id: s, action: logic.switch, params: {value: 1, cases: {big: item > 1}, default: small}";
    all(&[
        (&steps(&[switch, "needs: ['s:big', 's:small', 's:error', 's:skipped', 's:success'], action: test.read"]), "passed"),
        (
            &steps(&[switch, "needs: ['s:bigg'], action: test.read"]),
            "4:14 /steps/1/needs/0 UNKNOWN_PORT: \"s\" has no port \"bigg\"; it ends in success, big, small, error or skipped (write s:big)",
        ),
        (
            &steps(&["id: l, for_each: [1], action: logic.if, params: {condition: true}", "needs: ['l:true'], action: test.read"]),
            "4:14 /steps/1/needs/0 UNKNOWN_PORT: \"l\" has no port \"true\"; it ends in success, error or skipped",
        ),
    ]);
}

#[test]
fn ids_are_unique_in_the_whole_plan() {
    all(&[
        (
            &steps(&["id: a, action: test.read", "id: a, action: test.read"]),
            "4:10 /steps/1/id DUPLICATE_ID: the id \"a\" is taken: the step at /steps/0 has it",
        ),
        (
            &steps(&["id: step_2, action: test.read", "action: test.read"]),
            "4:5 /steps/1 DUPLICATE_ID: the id \"step_2\" is taken: the step at /steps/0 has it, and this one gets it by its place; write an \"id\"",
        ),
        (
            &steps(&["id: g, steps: [{action: test.read}], on_error: [{action: test.read}]"]),
            "3:54 /steps/0/on_error/0 DUPLICATE_ID: the id \"g_1\" is taken: the step at /steps/0/steps/0 has it by its place, and this one gets it by its place; write an \"id\"",
        ),
    ]);
}

/// Whether `join` must be written, for the last of these steps.
fn needs_join(lines: &[&str]) -> bool {
    let text = steps(lines);
    match problems(&text).as_str() {
        "passed" => false,
        found if found.contains("JOIN_REQUIRED") && found.lines().count() == 1 => {
            let last = text.trim_end().rfind("- {").unwrap() + 3;
            let written = format!("{}join: any, {}", &text[..last], &text[last..]);
            good(&written);
            true
        }
        found => panic!("{found}\n{text}"),
    }
}

#[test]
fn join_is_written_where_a_reader_could_not_tell() {
    let a = "id: a, action: test.read";
    let tolerant = "id: a, action: test.read, on_error: continue";
    let conditional = "id: a, action: test.read, if: inputs.x";
    let b = "id: b, needs: [], action: test.read";
    let fork = "id: f, action: logic.if, params: {condition: true}";
    for (lines, required) in [
        // Plain edges meet: no.
        (vec![a, b, "needs: [a, b], action: test.read"], false),
        // Port edges of different steps meet.
        (vec![a, b, "needs: ['a:error', 'b:error'], action: test.read"], true),
        (vec![a, b, "needs: ['a:success', 'b:error'], action: test.read"], true),
        // One port edge and one plain edge of another step.
        (vec![a, b, "needs: ['a:error', b], action: test.read"], false),
        // Several edges of one step count as one.
        (vec![fork, "needs: ['f:true', 'f:false'], action: test.read"], false),
        // A fallback meets the step it stands in for.
        (vec![a, "id: c, needs: ['a:error'], action: test.read", "needs: [a, c], action: test.read"], true),
        // There the edge is live in the error port, too.
        (vec![tolerant, "id: c, needs: ['a:error'], action: test.read", "needs: [a, c], action: test.read"], false),
        (vec![a, "id: c, needs: ['a:error'], action: test.read", "needs: [a, 'a:error', c], action: test.read"], false),
        // The descendant may be further on.
        (vec![a, "id: c, needs: ['a:error'], action: test.read", "id: d, action: test.read", "needs: [a, d], action: test.read"], true),
        // Both branches of a fork by plain edges.
        (
            vec![
                fork,
                "id: c, needs: ['f:true'], action: test.read",
                "id: d, needs: ['f:false'], action: test.read",
                "needs: [c, d], action: test.read",
            ],
            false,
        ),
        // A plain edge is live in the main port `true`.
        (vec![fork, "id: c, needs: ['f:true'], action: test.read", "needs: [f, c], action: test.read"], false),
        (vec![fork, "id: c, needs: ['f:false'], action: test.read", "needs: [f, c], action: test.read"], true),
        (vec![fork, "id: c, needs: ['f:false'], action: test.read", "needs: ['f:true', c], action: test.read"], true),
        // A plain edge leads on from `true` alone, when the step is never skipped.
        (vec![fork, "id: c, needs: [f], action: test.read", "needs: ['f:true', c], action: test.read"], false),
        (vec![a, "id: c, needs: [a], action: test.read", "needs: ['a:success', c], action: test.read"], false),
        // Skipped by its own `if`, the plain edge goes on and the port edge is dead.
        (vec![conditional, "id: c, needs: [a], action: test.read", "needs: ['a:success', c], action: test.read"], true),
        (vec![conditional, "id: c, needs: ['a:skipped'], action: test.read", "needs: [a, c], action: test.read"], false),
    ] {
        assert_eq!(needs_join(&lines), required, "{}", steps(&lines));
    }
}

#[test]
fn the_reason_for_a_join_is_told() {
    all(&[
        (
            &steps(&[
                "id: a, action: test.read",
                "id: fallback, needs: ['a:error'], action: test.read",
                "needs: [a, fallback], action: test.read",
            ]),
            "5:13 /steps/2/needs JOIN_REQUIRED: when \"a\" ends in error, its own edge here is dead while the branch of \"fallback\" goes on; write join: any (one live edge is enough) or join: all (write join: any)",
        ),
        (
            &steps(&["id: a, action: test.read", "id: b, action: test.read", "needs: ['a:error', 'b:error'], action: test.read"]),
            "5:13 /steps/2/needs JOIN_REQUIRED: a:error and b:error meet here; write join: any (one live edge is enough) or join: all (write join: any)",
        ),
    ]);
}

#[test]
fn actions_are_those_of_the_catalogue() {
    all(&[
        (
            &steps(&["action: webhok.post_request"]),
            "3:14 /steps/0/action UNKNOWN_PROVIDER: there is no provider \"webhok\"; did you mean \"webhook\"? (write webhook.post_request)",
        ),
        (
            &steps(&["action: http.reqest, params: {url: x}"]),
            "3:14 /steps/0/action UNKNOWN_ACTION: the provider \"http\" has no action \"reqest\"; did you mean \"request\"? (write http.request)",
        ),
        (
            &steps(&["action: chat_completion"]),
            "3:14 /steps/0/action INVALID_VALUE: \"action\" is written provider.action; \"chat_completion\" is not (write openai.chat_completion)",
        ),
        (
            &steps(&["action: test@1.read"]),
            "3:14 /steps/0/action UNKNOWN_VERSION: the provider \"test\" is here in version 2, not 1 (write test@2.read)",
        ),
        (&steps(&["action: test@2.read"]), "passed"),
        (&steps(&["provider: test, action: read"]), "passed"),
        (&steps(&["provider: test, action: test.read"]), "passed"),
    ]);
}

#[test]
fn a_stored_plan_loads_without_its_providers() {
    let document = serde_json::json!({"name": "A", "steps": [{"action": "gone.away", "params": {"x": "${inputs.y}"}}, {"needs": ["step_1:odd"], "action": "test.none"}]});
    let plan = mainspring_model::plan::load_stored(document, &super::catalog(), &mainspring_model::id::Owner::LOCAL).unwrap();
    assert_eq!(plan.steps.len(), 2);
}
