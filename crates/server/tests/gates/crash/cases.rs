//! The plans of the engine harness: samples of everything that journals, and the repository's own examples.

use mainspring_model::run::RunStatus;
use serde_json::{Value, json};

/// One plan to crash.
pub struct Case {
    pub name: String,
    pub document: String,
    /// Plans that it calls.
    pub others: Vec<String>,
    /// Beside the ledger's address, which every sample takes as `url`.
    inputs: Value,
    pub status: RunStatus,
    /// It has a `once` step: the run may stop in `needs_decision`.
    pub once: bool,
}

impl Case {
    pub fn inputs(&self, ledger: &str) -> Value {
        let text = self.inputs.to_string();
        serde_json::from_str(&text.replace("LEDGER", ledger.trim_end_matches('/'))).unwrap()
    }
}

const CHILD: &str = "
name: child
inputs: {url: {type: string, required: true}, who: {type: string, required: true}}
steps:
  - {id: hello, action: http.request, params: {method: POST, url: '${inputs.url}', idempotency_header: Idempotency-Key, body: {path: '${inputs.who}'}}}
  - {id: after, action: logic.set, params: {who: '${inputs.who}', receipt: '${steps.hello.output.receipt}'}}
";

/// Name, how it ends, and its steps; `CALL(x)` is a keyed call to the ledger under the path x.
const SAMPLES: &[(&str, RunStatus, &str)] = &[
    ("nothing waits for anything", RunStatus::Success, "
  - {id: a, action: logic.set, params: {n: 1}}
  - {id: b, action: logic.set, params: {n: '${steps.a.output.n + 1}'}}
  - {id: c, action: logic.set, params: {n: '${steps.b.output.n + 1}'}}"),
    ("computing and calling in turns", RunStatus::Success, "
  - {id: a, action: logic.set, params: {n: 1}}
  - {id: b, CALL(b)}
  - {id: c, action: logic.set, params: {r: '${steps.b.output.receipt}', key: '${steps.b.idempotency_key.length}'}}
  - {id: d, CALL(d)}"),
    ("side by side and joined", RunStatus::Success, "
  - {id: a, needs: [], CALL(a)}
  - {id: b, needs: [], CALL(b)}
  - {id: c, needs: [], action: logic.set, params: {n: 1}}
  - {id: d, needs: [a, b, c], action: logic.set, params: {a: '${steps.a.output.path}', b: '${steps.b.output.path}'}}"),
    ("state, at the end and at once", RunStatus::Success, "
  - {id: a, action: state.increment, params: {key: n, by: 2}}
  - {id: b, CALL(b)}
  - {id: c, action: state.increment, params: {key: m, commit: now}}
  - {id: d, action: state.unseen, params: {set: s, items: [1, 2, 2], commit: now}}
  - {id: e, for_each: '[1, 2, 3]', action: state.increment, params: {key: m, commit: now}}
  - {id: f, action: state.get, params: {key: m}}
  - {id: g, action: state.get, params: {key: n}}
  - {id: h, action: logic.set, params: {n: '${steps.g.output}', m: '${steps.f.output}', new: '${steps.d.output}'}}"),
    ("a loop over items", RunStatus::Success, "
  - {id: each, for_each: '[1, 2, 3, 4, 5]', max_parallel: 2, CALL('item ${item}')}
  - {id: sum, action: logic.set, params: {paths: '${steps.each.output.map(x => x.path)}'}}"),
    ("a loop with a body and batches", RunStatus::Success, "
  - id: outer
    for_each: '[1, 2, 3, 4, 5]'
    batch: 2
    steps:
      - {id: inner, CALL('batch ${index}')}
      - {id: size, action: logic.set, params: {n: '${item.length}', path: '${steps.inner.output.path}'}}
  - {id: after, action: logic.set, params: {all: '${steps.outer.output}'}}"),
    ("items that may fail", RunStatus::Success, "
  - id: each
    for_each: '[1, 2, 3]'
    on_item_error: continue
    steps:
      - {id: call, CALL('item ${item}')}
      - {id: odd, if: item == 2, action: logic.fail, params: {code: USER_ODD, message: no}}
  - {id: after, action: logic.set, params: {errors: '${steps.each.errors.length}'}}"),
    ("passes", RunStatus::Success, "
  - id: passes
    repeat: {start: 0, next: loop.value + 1, until: loop.index == 2, max: 5, delay: 300ms}
    steps:
      - {id: call, CALL('pass ${loop.index}')}
      - {id: value, action: logic.set, params: {v: '${loop.value}'}}
  - {id: after, action: logic.set, params: {v: '${steps.passes.output}'}}"),
    ("retries", RunStatus::Success, "
  - {id: flaky, retry: {max_attempts: 4, delay: 200ms, jitter: false}, action: http.request, params: {method: POST, url: '${inputs.url}', idempotency_header: Idempotency-Key, body: {path: flaky, fail_first: 2}}}
  - {id: after, action: logic.set, params: {path: '${steps.flaky.output.path}'}}"),
    ("a group that begins again", RunStatus::Success, "
  - id: group
    retry: {max_attempts: 3, delay: 100ms, jitter: false, codes: [HTTP_503]}
    steps:
      - {id: first, CALL(first)}
      - {id: flaky, retry: {max_attempts: 1}, action: http.request, params: {method: POST, url: '${inputs.url}', idempotency_header: Idempotency-Key, body: {path: flaky, fail_first: 1}}}
  - {id: after, action: logic.set, params: {path: '${steps.group.output.path}'}}"),
    ("a failure that is handled", RunStatus::Success, "
  - id: bad
    retry: {max_attempts: 1}
    action: http.request
    params: {method: POST, url: '${inputs.url}', idempotency_header: Idempotency-Key, body: {path: bad, down: true}}
    on_error:
      - {id: instead, CALL(instead)}
  - {id: worse, retry: {max_attempts: 1}, on_error: continue, action: http.request, params: {method: POST, url: '${inputs.url}', body: {path: worse, down: true}}}
  - {id: last, needs: ['worse'], action: logic.set, params: {code: '${steps.worse.error.code}', path: '${steps.bad.output.path}'}}"),
    ("a failure of the run", RunStatus::Error, "
  - {id: a, CALL(a)}
  - {id: b, action: logic.fail, params: {code: USER_STOP, message: 'as asked'}}
on_error:
  - {id: tell, CALL(tell)}
finally:
  - {id: clean, CALL('clean ${run.status}')}"),
    ("waits", RunStatus::Success, "
  - {id: short, action: logic.sleep, params: {for: 200ms}}
  - {id: a, CALL(a)}
  - {id: long, action: logic.sleep, params: {for: 1500ms}}
  - {id: b, CALL(b)}"),
    ("branches", RunStatus::Success, "
  - {id: which, action: logic.switch, params: {value: 7, cases: {small: item < 5, large: item >= 5}, default: none}}
  - {id: low, needs: ['which:small'], CALL(low)}
  - {id: high, needs: ['which:large'], CALL(high)}
  - {id: after, needs: [low, high], join: any, action: logic.set, params: {path: '${steps.high.output.path}'}}"),
    ("an early end", RunStatus::Success, "
  - {id: a, CALL(a)}
  - {id: stop, action: logic.stop, params: {output: '${steps.a.output.path}'}}
  - {id: never, CALL(never)}
finally:
  - {id: clean, CALL(clean)}"),
    ("recorded chance", RunStatus::Success, "
  - {id: chance, retry: {max_attempts: 3, delay: 200ms, jitter: false}, action: http.request, params: {method: POST, url: '${inputs.url}', idempotency_header: Idempotency-Key, body: {path: chance, fail_first: 1, run: '${uuid()} ${random()} ${now()}'}}}
  - {id: after, action: logic.set, params: {path: '${steps.chance.output.path}'}}"),
    ("a large value", RunStatus::Success, "
  - {id: large, action: logic.set, params: {text: \"${'0123456789'.repeat(40000)}\"}}
  - {id: a, CALL(a)}
  - {id: after, action: logic.set, params: {n: '${steps.large.output.text.length}'}}"),
    ("another plan's run", RunStatus::Success, "
  - {id: one, action: logic.call, params: {plan: child, inputs: {url: '${inputs.url}', who: one}}}
  - {id: many, for_each: '[1, 2]', max_parallel: 2, action: logic.call, params: {plan: child, inputs: {url: '${inputs.url}', who: 'child ${item}'}}}
  - {id: after, action: logic.set, params: {a: '${steps.one.output.who}', b: '${steps.many.output.map(x => x.who)}'}}"),
    ("once", RunStatus::Success, "
  - {id: a, CALL(a)}
  - {id: pay, once: true, action: http.request, params: {method: POST, url: '${inputs.url}', body: {path: pay, once: true}}}
  - {id: b, CALL(b)}"),
];

pub fn samples() -> Vec<Case> {
    let case = |(name, status, steps): &(&str, RunStatus, &str)| Case {
        name: (*name).to_owned(),
        document: format!("name: {name}\ninputs: {{url: {{type: string, required: true}}}}\nsteps:{}\n", with_calls(steps)),
        others: if steps.contains("logic.call") { vec![CHILD.to_owned()] } else { Vec::new() },
        inputs: json!({"url": "LEDGER/"}),
        status: *status,
        once: steps.contains("once: true"),
    };
    SAMPLES.iter().map(case).collect()
}

fn with_calls(steps: &str) -> String {
    let mut text = String::new();
    let mut rest = steps;
    while let Some((before, after)) = rest.split_once("CALL(") {
        let (path, behind) = after.split_once(')').unwrap();
        text += before;
        text += &format!(
            "action: http.request, params: {{method: POST, url: '${{inputs.url}}', idempotency_header: Idempotency-Key, body: {{path: {path}}}}}"
        );
        rest = behind;
    }
    text + rest
}

/// The plans of `plans/` that call no one but local servers, with what they are started with.
pub fn examples() -> Vec<Case> {
    let plans = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plans");
    let read = |file: &str| std::fs::read_to_string(plans.join(file)).unwrap();
    let example = |file: &str, inputs: Value| Case {
        name: file.to_owned(),
        document: read(file),
        others: Vec::new(),
        inputs,
        status: RunStatus::Success,
        once: false,
    };
    vec![
        example("hello.yaml", json!({"name": "Ada", "loud": true})),
        example("github-webhook.yaml", json!({"event": "ping", "payload": {"zen": "Design for failure."}})),
        example("daily-digest.yaml", json!({"service": "LEDGER"})),
        example("fallback.yaml", json!({"service": "LEDGER"})),
        example("fan-out.yaml", json!({"service": "LEDGER", "count": 12})),
        example("orders-report.yaml", json!({"csv_url": "LEDGER/orders.csv", "report_url": "LEDGER/hook"})),
        example("poll-until-ready.yaml", json!({"service": "LEDGER"})),
        Case { others: vec![read("hello.yaml")], ..example("welcome-team.yaml", json!({"people": ["Ada", "Grace"]})) },
    ]
}
