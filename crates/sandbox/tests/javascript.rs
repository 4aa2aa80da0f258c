//! `code.javascript` as its users know it.

use mainspring_model::id::OrgId;
use serde_json::{Value, json};

use crate::sandbox::{run, run_for, sandbox};

#[tokio::test]
async fn a_function_body_reads_input_and_returns_json() {
    let sandbox = sandbox();
    let cases = [
        ("return input.a + 1;", json!({"a": 41}), json!(42)),
        ("return input.map(x => x * 2)", json!([1, 2, 3]), json!([2, 4, 6])),
        ("", json!(null), Value::Null),
        ("return", json!(1), Value::Null),
        ("return await Promise.resolve(input)", json!("später 🎈"), json!("später 🎈")),
        ("const m = new Map([[1, 2]]); return [...m.entries()]", json!(null), json!([[1, 2]])),
        ("return {when: new Date(0), n: NaN, u: undefined, f() {}}", json!(null), json!({"when": "1970-01-01T00:00:00.000Z", "n": null})),
        ("return new Date(2026, 0, 1).getTimezoneOffset()", json!(null), json!(0)),
        ("// a comment at the end", json!(null), Value::Null),
        ("return `${input.name} ${1 + 1}`", json!({"name": "Ada"}), json!("Ada 2")),
        ("return 9007199254740991 + 0.5 - 0.5", json!(null), json!(9_007_199_254_740_992_i64)),
        ("return '\\ud800'.length", json!(null), json!(1)),
    ];
    for (code, input, wanted) in cases {
        let output = run_for(&sandbox, OrgId::LOCAL, json!({"code": code, "input": input})).await;
        assert_eq!(output.map(|output| output.value), Ok(wanted), "{code}");
    }
}

#[tokio::test]
async fn an_error_names_its_line() {
    let sandbox = sandbox();
    let cases = [
        ("const a = 1;\nreturn input.b.c;", "line 2: TypeError: cannot read property 'b' of null", 2),
        ("let x = 1;\nlet y = 2;\n\n  throw new Error('no money');", "line 4: Error: no money", 4),
        ("throw new RangeError('first line')", "line 1: RangeError: first line", 1),
        ("let a = 1;\nlet a = 2;", "line 2: SyntaxError: invalid redefinition of lexical identifier", 2),
        ("return (", "line 2: SyntaxError: unexpected token in expression: '}'", 2),
        ("const f = () => { throw new Error('deep') };\n\nf()", "line 1: Error: deep", 1),
        ("await Promise.reject(new Error('later'))", "line 1: Error: later", 1),
    ];
    for (code, message, line) in cases {
        let fault = run(&sandbox, code).await.unwrap_err();
        assert_eq!((fault.code.as_str(), &*fault.message), ("CODE_FAILED", message), "{code}");
        assert_eq!(fault.details.unwrap()["line"], json!(line), "{code}");
        assert!(!fault.retryable);
    }
    for (code, message) in [
        ("throw 'a text'", "a text"),
        ("throw {code: 7}", "{\"code\":7}"),
        ("throw null", "null"),
        ("await new Promise(() => {})", "it waits for a promise that nothing can settle: there are no timers and no network"),
    ] {
        assert_eq!(run(&sandbox, code).await.unwrap_err().message, message, "{code}");
    }
}

#[tokio::test]
async fn the_console_goes_along_with_the_result_and_with_the_error() {
    let sandbox = sandbox();
    let code = "console.log('a', 1, {b: [2]}); console.error(new Error('c')); console.info(undefined, null, () => 1, 5n); return 3";
    let output = run_for(&sandbox, OrgId::LOCAL, json!({"code": code})).await.unwrap();
    assert_eq!(output.value, json!(3));
    assert_eq!(output.metadata["console"], json!(["a 1 {\"b\":[2]}", "c", "undefined null [function] [big_int]"]));
    let fault = run(&sandbox, "console.log('before'); throw new Error('x')").await.unwrap_err();
    assert_eq!(fault.details.unwrap()["console"], json!(["before"]));
    let fault =
        run_for(&sandbox, OrgId::LOCAL, json!({"code": "console.log('before'); while (true) {}", "timeout": "50ms"})).await.unwrap_err();
    assert_eq!(fault.details.unwrap(), json!({"limit": "time", "console": ["before"]}));
}

#[tokio::test]
async fn params_that_make_no_sense_are_told() {
    let sandbox = sandbox();
    for (params, part) in [
        (json!({}), "code"),
        (json!({"code": "", "memory": "1MB"}), "4 MiB to 256 MiB"),
        (json!({"code": "", "memory": "1GB"}), "4 MiB to 256 MiB"),
        (json!({"code": "", "timeout": 0}), "more than 0"),
        (json!({"code": "", "wait": 0}), "wait"),
    ] {
        let fault = run_for(&sandbox, OrgId::LOCAL, params.clone()).await.unwrap_err();
        assert_eq!(fault.code.as_str(), "INVALID_PARAMS", "{params}");
        assert!(fault.message.contains(part), "{params}: {}", fault.message);
    }
}
