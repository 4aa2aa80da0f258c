//! Bounds on the document: steps, levels, depth, aliases, problems.

use super::{good, loaded, problems};

fn nested(levels: usize) -> String {
    let mut text = "[{\"action\":\"test.read\"}]".to_owned();
    for _ in 1..levels {
        text = format!("[{{\"steps\":{text}}}]");
    }
    format!("{{\"name\":\"A\",\"steps\":{text}}}")
}

#[test]
fn a_thousand_steps_and_no_more() {
    let flat = |count: usize| format!("name: A\nsteps:\n{}", "  - {action: test.read}\n".repeat(count));
    assert_eq!(good(&flat(1_000)).plan.steps.len(), 1_000);
    assert_eq!(problems(&flat(1_001)), "3:3 /steps TOO_MANY_STEPS: the document has 1,001 steps; at most 1,000 are allowed");
    let inner = format!("name: A\nsteps:\n  - {{action: test.read}}\n  - steps:\n{}", "    - {action: test.read}\n".repeat(999));
    assert_eq!(problems(&inner), "3:3 /steps TOO_MANY_STEPS: the document has 1,001 steps; at most 1,000 are allowed");
}

#[test]
fn sixty_four_levels_and_no_more() {
    assert_eq!(good(&nested(64)).plan.lists.len(), 64);
    let found = loaded(&nested(65)).unwrap_err();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].code.as_str(), found[0].message.as_str()), ("TOO_DEEP", "steps stand more than 64 deep in each other"));
    assert_eq!(found[0].pointer, format!("/steps{}", "/0/steps".repeat(64)));
}

#[test]
fn deep_texts_cost_no_stack() {
    for text in
        ["[".repeat(100_000), "{\"a\":".repeat(100_000), "- ".repeat(100_000), format!("a: {}", "[".repeat(100_000)), "? ".repeat(100_000)]
    {
        let found = loaded(&text).unwrap_err();
        assert!(matches!(found[0].code.as_str(), "DOCUMENT_LIMIT" | "UNSUPPORTED_YAML" | "SYNTAX"), "{}", found[0]);
    }
    let json = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(problems(&json), "1:257 DOCUMENT_LIMIT: lists and objects stand more than 256 deep in each other");
    let mut value = serde_json::json!(1);
    for _ in 0..300 {
        value = serde_json::json!([value]);
    }
    let found = mainspring_model::plan::load_value(value, &super::catalog(), &mainspring_model::id::Owner::LOCAL).unwrap_err();
    assert_eq!(found[0].code, "DOCUMENT_LIMIT");
}

#[test]
fn alias_bombs_do_not_grow() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", ")));
    }
    assert_eq!(loaded(&text).unwrap_err()[0].code, "DOCUMENT_LIMIT");
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 100].join(", "));
    assert_eq!(loaded(&long).unwrap_err()[0].code, "DOCUMENT_LIMIT");
    let nested = format!("a: {}{}{}", "&a [".repeat(200), "1, ".repeat(20_000), "]".repeat(200));
    assert_eq!(loaded(&nested).unwrap_err()[0].code, "DOCUMENT_LIMIT");
}

#[test]
fn a_document_has_a_size() {
    let text = format!("name: A\nsteps: []\ndescription: {}\n", "x".repeat(17 << 20));
    assert_eq!(loaded(&text).unwrap_err()[0].code, "DOCUMENT_LIMIT");
}

#[test]
fn a_list_of_problems_ends() {
    let text = format!("name: A\nsteps: [{{action: test.read, params: {{x: [{}]}}}}]\n", vec!["\"${nope}\""; 5_000].join(", "));
    let found = loaded(&text).unwrap_err();
    assert_eq!(found.len(), 200, "the same problem in many places is many problems, up to the limit");
    let unknown: String = (0..1_000).map(|n| format!("field_{n}: 1\n")).collect();
    assert_eq!(loaded(&format!("name: A\nsteps: []\n{unknown}")).unwrap_err().len(), 200);
    let long = loaded(&format!("name: A\nsteps: []\n\"{}\": [1]\n", "k".repeat(1 << 20))).unwrap_err();
    assert!(long[0].to_string().len() < 2_000, "{}", long[0].to_string().len());
}

#[test]
fn wide_graphs_are_quick() {
    // Every step needs all before it: as many edges as a document may have.
    let steps: String = (0..190)
        .map(|place| {
            format!(
                "  - {{id: s{place}, action: test.read, needs: [{}]}}\n",
                (0..place).map(|before| format!("s{before}")).collect::<Vec<_>>().join(", ")
            )
        })
        .collect();
    good(&format!("name: A\nsteps:\n{steps}"));
    let more: String = (0..210)
        .map(|place| {
            format!(
                "  - {{id: s{place}, action: test.read, needs: [{}]}}\n",
                (0..place).map(|before| format!("s{before}")).collect::<Vec<_>>().join(", ")
            )
        })
        .collect();
    assert_eq!(loaded(&format!("name: A\nsteps:\n{more}")).unwrap_err()[0].code, "DOCUMENT_LIMIT");
}
