//! Every problem stands at its line and column, inside expressions too.

use mainspring_model::plan::{Format, Place, parse};

use super::{all, loaded};

fn at(line: u32, column: u32) -> Option<Place> {
    Some(Place { line, column })
}

#[test]
fn pointers_lead_to_places() {
    let yaml = "name: A\nsteps:\n  - id: a\n    params: {x: 1, \"y\": [2, é, {z: 3}]}\n  - *b\n".replace("*b", "{id: b}");
    let source = parse(&yaml, Format::Yaml).unwrap();
    assert_eq!(source.place("/name"), at(1, 7));
    assert_eq!(source.key_place("/steps"), at(2, 1));
    assert_eq!(source.place("/steps/0/params/y/2/z"), at(4, 36));
    assert_eq!(source.key_place("/steps/0/params/y"), at(4, 20));
    assert_eq!(source.place("/steps/1/id"), at(5, 10));
    assert_eq!(source.place("/steps/1/nothing/there"), at(5, 5), "the nearest value around it");
    let json = parse("{\n  \"a/b\": [1,\n 2], \"é\": {\"c\": \"d\"}}", Format::Json).unwrap();
    assert_eq!(json.place("/a~1b/1"), at(3, 2));
    assert_eq!(json.key_place("/é/c"), at(3, 12));
    assert_eq!(json.place("/é/c"), at(3, 17));
}

#[test]
fn aliases_keep_the_names_they_are_used_under() {
    let source = parse("a: &x {p: 1}\nb: *x\nc: [*x, 2]\n", Format::Yaml).unwrap();
    assert_eq!(source.key_place("/b"), at(2, 1));
    assert_eq!(source.place("/b/p"), at(1, 11), "where the value stands");
    assert_eq!(source.place("/c/1"), at(3, 9));
}

#[test]
fn a_problem_in_an_expression_stands_at_its_character() {
    let text = "name: A\nsteps:\n  - action: test.read\n    if: inputs.a and inputs.b\n    params:\n      single: 'x ${inputs.a |}'\n      double: \"${inptus.a}\"\n      escaped: \"\\t${inptus.b}\"\n      block: |\n        first\n        second ${inptus.c}\n      folded: >\n        first\n        ${inptus.d}\n";
    let problems = loaded(text).unwrap_err();
    let places: Vec<(&str, u32, u32)> =
        problems.iter().map(|problem| (problem.pointer.as_str(), problem.line.unwrap(), problem.column.unwrap())).collect();
    assert_eq!(
        places,
        [
            ("/steps/0/if", 4, 18),
            ("/steps/0/params/single", 6, 29),
            ("/steps/0/params/double", 7, 18),
            ("/steps/0/params/escaped", 8, 16),
            ("/steps/0/params/block", 11, 18),
            ("/steps/0/params/folded", 13, 9),
        ]
    );
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_text() {
    all(&[(
        "name: A\nsignature: {by: me}\nsteps:\n  - {id: a, action: test.reed, nedds: []}\n  - {id: b, needs: [c], action: http.request, params: {url: \"${steps.d.output}\"}}\n  - {id: c, action: http.request}\n",
        "2:1 /signature NOT_YET_SUPPORTED: \"signature\" is not yet known: signed plans arrives later\n\
         4:21 /steps/0/action UNKNOWN_ACTION: the provider \"test\" has no action \"reed\"; did you mean \"read\"? (write test.read)\n\
         4:32 /steps/0/nedds UNKNOWN_FIELD: a step has no field \"nedds\"; did you mean \"needs\"? (write needs)\n\
         5:20 /steps/1/needs CYCLE: these steps wait for each other in a ring: b → c → b; take one of these edges away\n\
         5:64 /steps/1/params/url UNKNOWN_STEP: there is no step \"d\"; did you mean \"a\"? (write a)\n\
         6:5 /steps/2/params INVALID_PARAMS: http.request: the param \"url\" is missing",
    )]);
}

#[test]
fn a_value_without_text_has_pointers_only() {
    let value = serde_json::json!({"name": "A", "steps": [{"action": "test.read", "if": "a b"}]});
    let problems = mainspring_model::plan::load_value(value, &super::catalog(), &mainspring_model::id::Owner::LOCAL).unwrap_err();
    assert_eq!((problems[0].line, problems[0].column), (None, None));
    assert_eq!(problems[0].pointer, "/steps/0/if");
}
