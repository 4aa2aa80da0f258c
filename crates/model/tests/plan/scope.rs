//! What expressions may read at each place.

use super::{all, good, problems};

#[test]
fn names_in_scope_by_place() {
    all(&[
        (
            "name: A\nsteps:\n  - for_each: inputs.rows\n    as: row\n    if: item.x\n    steps: [{action: test.read, params: {x: \"${row.id} ${item} ${index} ${loop}\"}}]\n",
            "5:9 /steps/0/if UNKNOWN_NAME: \"item\" is in scope only inside for_each; in scope are inputs, vars, org, steps, trigger and run\n\
             6:75 /steps/0/steps/0/params/x UNKNOWN_NAME: \"loop\" is in scope only inside repeat; in scope are inputs, vars, org, steps, trigger, run, item, index and row",
        ),
        (
            "name: A\nsteps:\n  - {action: test.read, params: {x: \"${inptus.a} ${error.code} ${wild}\"}}\n",
            "3:40 /steps/0/params/x UNKNOWN_NAME: nothing is called \"inptus\" here; did you mean \"inputs\"? (write inputs)\n\
             3:52 /steps/0/params/x UNKNOWN_NAME: \"error\" is in scope only inside on_error and finally; in scope are inputs, vars, org, steps, trigger and run\n\
             3:66 /steps/0/params/x UNKNOWN_NAME: nothing is called \"wild\" here; in scope are inputs, vars, org, steps, trigger and run",
        ),
        (
            "name: A\nvars: {a: \"${inputs.x}\", b: \"${vars.a} ${vars.c}\", c: \"${run.id} ${steps.a.output}\"}\nsteps: [{id: a, action: test.read}]\n",
            "2:42 /vars/b UNRESOLVED_REFERENCE: vars has no \"c\"; it has \"a\"; a variable sees those above it (write a)\n\
             2:58 /vars/c UNKNOWN_NAME: \"run\" is not in scope here; in scope are inputs, org and vars\n\
             2:68 /vars/c NOT_AN_ANCESTOR: steps cannot be read here: no run has begun",
        ),
        (
            "name: A\nsteps:\n  - {id: r, action: test.read, repeat: {until: loop.indx > 1, start: \"${loop.value}\", next: \"${loop.output}\"}, params: {v: \"${loop.value} ${index}\"}}\n",
            "3:48 /steps/0/repeat/until UNRESOLVED_REFERENCE: loop has no \"indx\"; it has \"index\", \"value\", \"output\" (write index)\n\
             3:73 /steps/0/repeat/start UNKNOWN_NAME: \"loop\" is in scope only inside repeat; in scope are inputs, vars, org, steps, trigger and run",
        ),
    ]);
}

#[test]
fn steps_are_read_after_they_have_ended() {
    all(&[
        (
            "name: A\nsteps:\n  - {id: a, action: test.read, params: {x: \"${steps.b.output}\"}}\n  - {id: b, action: test.read}\n",
            "3:47 /steps/0/params/x NOT_AN_ANCESTOR: \"b\" comes later than \"a\" and has not ended when it is read; move \"a\" behind it",
        ),
        (
            "name: A\nsteps:\n  - {id: a, action: test.read}\n  - {id: b, needs: [], action: test.read, params: {x: \"${steps.a.output} ${steps.b.output} ${steps[0].output} ${steps.7.output}\"}}\n",
            "4:58 /steps/1/params/x NOT_AN_ANCESTOR: \"b\" does not wait for \"a\"; add \"a\" to its needs\n\
             4:76 /steps/1/params/x NOT_AN_ANCESTOR: \"b\" reads itself; a step's output is there only after it has ended\n\
             4:94 /steps/1/params/x NOT_AN_ANCESTOR: \"b\" does not wait for \"a\"; add \"a\" to its needs\n\
             4:113 /steps/1/params/x UNKNOWN_STEP: there is no step 7; the top list has 2, counted from 0",
        ),
        (
            "name: A\nsteps:\n  - {id: first, action: test.read}\n  - {action: test.read, params: {x: \"${steps.frist.output} ${first.title}\"}}\n",
            "4:40 /steps/1/params/x UNKNOWN_STEP: there is no step \"frist\"; did you mean \"first\"? (write first)\n\
             4:62 /steps/1/params/x UNKNOWN_NAME: \"first\" is a step; write steps.first.output (write steps.first.output)",
        ),
    ]);
}

#[test]
fn bodies_see_outwards_and_nobody_sees_into_them() {
    let text = "name: A
steps:
  - {id: before, action: test.read}
  - id: outer
    for_each: inputs.rows
    steps:
      - {id: one, action: test.read, params: {x: \"${steps.before.output}\"}}
      - {id: two, action: test.read, params: {x: \"${steps.one.output}\"}}
      - id: deep
        repeat: {until: \"steps.last.output.title == 'x'\", next: \"${steps.last.output}\"}
        steps: [{id: last, action: test.read, params: {x: \"${steps.two.output} ${steps.before.output} ${item} ${loop.value}\"}}]
        on_error: [{id: handle, action: test.read, params: {x: \"${steps.deep.error.code} ${error.item} ${steps.two.output} ${item}\"}}]
output: \"${steps.outer.output}\"
on_error: [{action: test.read, params: {x: \"${steps.outer.status} ${error.code}\"}}]
finally: [{id: f, action: test.read, params: {x: \"${steps.before.output} ${error} ${run.status}\"}}, {action: test.read, params: {x: \"${steps.f.output}\"}}]
";
    good(text);
    let broken = text
        .replace("output: \"${steps.outer.output}\"", "output: \"${steps.one.output} ${steps.handle.output}\"")
        .replace("x: \"${steps.one.output}\"", "x: \"${steps.outer.output} ${steps.last.output}\"")
        .replace("${steps.outer.status} ${error.code}", "${steps.f.output} ${steps.deep.output}");
    assert_eq!(
        problems(&broken),
        "8:53 /steps/1/steps/1/params/x NOT_AN_ANCESTOR: \"outer\" encloses this step and ends after it\n\
         8:75 /steps/1/steps/1/params/x NOT_AN_ANCESTOR: \"last\" stands inside \"deep\" and is visible only there; read steps.deep.output\n\
         13:12 /output NOT_AN_ANCESTOR: \"one\" stands inside \"outer\" and is visible only there; read steps.outer.output\n\
         13:32 /output NOT_AN_ANCESTOR: \"handle\" stands in the on_error list of \"deep\" and is visible only there\n\
         14:47 /on_error/0/params/x NOT_AN_ANCESTOR: \"f\" stands in the plan's finally list and is visible only there\n\
         14:65 /on_error/0/params/x NOT_AN_ANCESTOR: \"deep\" stands inside \"outer\" and is visible only there; read steps.outer.output"
    );
}

#[test]
fn known_fields_of_outputs_and_inputs() {
    all(&[
        (
            "name: A\nsteps:\n  - {id: a, action: test.read}\n  - {action: test.write, params: {x: \"${steps.a.output.titel} ${steps.a.output.tags[0].nam} ${steps.a.output.title.x} ${steps.a.output.title.length} ${steps.a.output.more.any}\"}}\n",
            "4:41 /steps/1/params/x UNRESOLVED_REFERENCE: steps.a.output has no \"titel\"; it has \"title\", \"url\", \"tags\", \"more\" (write title)\n\
             4:65 /steps/1/params/x UNRESOLVED_REFERENCE: steps.a.output.tags[0] has no \"nam\"; it has \"name\" (write name)\n\
             4:95 /steps/1/params/x UNRESOLVED_REFERENCE: steps.a.output.title has no \"x\"; it has \"length\"",
        ),
        // Guarded, of a loop, of a failure's list, or of an action without a schema: nothing is known for certain.
        (
            "name: A\nsteps:\n  - {id: a, action: test.read}\n  - {id: b, action: test.read, for_each: [1]}\n  - {id: c, action: test.read, on_error: [{action: test.read}]}\n  - {id: d, action: test.write}\n  - {action: test.write, params: {x: \"${steps.a.output?.titel} ${steps.b.output.length} ${steps.b.output[0].title} ${steps.c.output.titel} ${steps.d.output.x} ${default(steps.a.output.x, 1)}\"}}\n",
            "passed",
        ),
        (
            "name: A\nsteps:\n  - {id: b, action: test.read, for_each: [1]}\n  - {action: test.write, params: {x: \"${steps.b.output[0].titel}\"}}\n",
            "4:41 /steps/1/params/x UNRESOLVED_REFERENCE: steps.b.output[0] has no \"titel\"; it has \"title\", \"url\", \"tags\", \"more\" (write title)",
        ),
        (
            "name: A\ninputs: {amount: {type: number}, who: {type: object, properties: {name: {type: string}}, additionalProperties: false}, any: {type: object, properties: {a: {}}}}\nsteps: [{action: test.read, params: {x: \"${inputs.amout} ${inputs.who.nme} ${inputs.any.other} ${inputs.amount.x}\"}}]\n",
            "3:44 /steps/0/params/x UNRESOLVED_REFERENCE: inputs has no \"amout\"; it has \"amount\", \"who\", \"any\" (write amount)\n\
             3:60 /steps/0/params/x UNRESOLVED_REFERENCE: inputs.who has no \"nme\"; it has \"name\" (write name)\n\
             3:98 /steps/0/params/x UNRESOLVED_REFERENCE: inputs.amount has no \"x\"",
        ),
    ]);
}

#[test]
fn expressions_say_the_right_spelling() {
    all(&[
        (
            "name: A\nsteps: [{action: test.read, if: inputs.a and inputs.b}]\n",
            "2:42 /steps/0/if EXPRESSION_SYNTAX: `and` is written `&&` (write &&)",
        ),
        (
            "name: A\nsteps: [{action: test.read, if: \"${inputs.a} == 1\"}]\n",
            "2:34 /steps/0/if EXPRESSION_SYNTAX: this field is one expression: write it bare, or wholly as one `${…}`, not a mix (write inputs.a == 1)",
        ),
    ]);
}

#[test]
fn older_braces_are_normalised_where_their_root_is_in_scope() {
    let document = good(
        "name: A\nsteps:\n  - {action: test.read, params: {x: \"{{inputs.a}} {{wild.b}} {{item}} {{ not an expression }}\", y: {z: [\"{{ run.id }}\"]}}, for_each: \"{{inputs.rows}}\"}\n  - {action: test.sql, params: {sql: \"{{inputs.a}}\", args: \"{{inputs.a}}\"}}\n  - {action: test.read, params: {x: \"{{item}} {{step_1.output.title}}\"}}\noutput: \"{{steps.step_1.output}}\"\n",
    )
    .document;
    assert_eq!(document["steps"][0]["params"]["x"], "${inputs.a} {{wild.b}} ${item} {{ not an expression }}");
    assert_eq!(document["steps"][0]["params"]["y"]["z"][0], "${run.id}");
    assert_eq!(document["steps"][0]["for_each"], "${inputs.rows}");
    assert_eq!(document["steps"][1]["params"], serde_json::json!({"sql": "{{inputs.a}}", "args": "${inputs.a}"}));
    assert_eq!(document["steps"][2]["params"]["x"], "{{item}} ${steps.step_1.output.title}");
    assert_eq!(document["output"], "${steps.step_1.output}");
}
