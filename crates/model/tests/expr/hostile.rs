//! Texts meant to crash, hang or escape.

use std::time::{Duration, Instant};

use mainspring_model::expr::{Expr, Fuel, Template, field, older};
use serde_json::json;

use super::World;

#[expect(clippy::disallowed_methods, reason = "a hang is what is looked for")]
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = work();
    assert!(start.elapsed() < Duration::from_secs(5), "{what} took {:?}", start.elapsed());
    value
}

#[test]
fn deep_and_long_texts_are_refused() {
    let long = 16_000;
    let repeated = [
        "(",
        "[",
        "{",
        "!",
        "-",
        "+",
        "- -",
        "! ",
        "`${",
        "a?",
        "a?b:",
        "x=>",
        "(x=>",
        "({a:",
        "a[",
        "f(",
        "a.b(",
        "...",
        "[...",
        "**",
        "a**",
        "(a,",
        "[a,",
        "typeof ",
        "new ",
        "await ",
        "async x=>",
        "()=>",
        "a?(b)=>",
        "a=",
        "(a=",
        "{a:{b:",
        "[[",
        "a?.[",
        "x.map(y=>",
        "!(",
        "a&&(",
        "`${`",
        "$${",
        "'",
        "/",
        "//",
        "/*",
        "\\",
        "@",
        "#",
        "<",
        "=>{",
        "if(a)",
        "a:",
        "yield ",
        "class extends ",
        "function(){",
        "a ?? ",
        "a in ",
        "void ",
        "delete ",
        "import(",
        "super",
        "new.target",
        "0.",
        ".0",
        "1e",
        "0x",
        "\u{feff}",
        "é",
        "😀",
        "\u{2028}",
    ];
    for unit in repeated {
        for count in [1, 2, 30, 63, 64, 65, 200, long / unit.len()] {
            let text = unit.repeat(count);
            timed(unit, || Expr::parse(&text).map_err(|problems| assert!(!problems.is_empty())).ok());
            timed(unit, || field(&json!(format!("${{{text}}}"))).ok());
            timed(unit, || Template::parse(&json!(format!("${{{text}a")), "").ok());
        }
    }
    assert_eq!(Expr::parse(&"(".repeat(100_000)).unwrap_err()[0].code, "EXPRESSION_LIMIT");
    assert_eq!(Expr::parse(&format!("{}1{}", "(".repeat(65), ")".repeat(65))).unwrap_err()[0].code, "EXPRESSION_LIMIT");
    assert!(timed("[", || Template::parse(&json!(format!("${{{}", "[".repeat(1 << 20))), "")).is_err());
    assert!(timed("[", || Template::parse(&json!("${".repeat(1 << 19)), "")).is_err());
    assert!(timed("closed", || Template::parse(&json!("${1}".repeat(1 << 14)), "")).is_ok());
}

#[test]
fn balanced_nesting_within_the_bound_parses_quickly() {
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("(a,", "1", ")"),
        ("(a?", "1", ":b)"),
        ("[", "1", "]"),
        ("{a:", "1", "}"),
        ("({a:", "1", "})"),
        ("(x=>", "1", ")"),
        ("a?(b):", "c", ""),
        ("(a)?(b)=>", "c", ":d"),
        ("!(", "1", ")"),
        ("`${", "1", "}`"),
        ("[1].map(x=>", "x", ")"),
        ("a[", "0", "]"),
        ("String(", "1", ")"),
        ("(a)(", "1", ")"),
        ("((a),(", "1", "))"),
    ] {
        for depth in [5, 20, 30, 50, 62] {
            let text = format!("{}{middle}{}", open.repeat(depth), close.repeat(depth));
            if let Ok(expr) = timed(&text, || Expr::parse(&text)) {
                let _ = timed(&text, || expr.eval(&World::new(), &mut Fuel::default()));
            }
        }
    }
}

#[test]
fn long_chains_do_not_overflow() {
    for text in [
        vec!["1"; 8000].join("+"),
        vec!["'a'"; 4000].join("+"),
        vec!["a"; 8000].join("."),
        vec!["null"; 2000].join("??"),
        vec!["0"; 5000].join("||"),
        vec!["1"; 5000].join("<"),
        format!("[{}]", vec!["1"; 8000].join(",")),
        format!("a{}", "[0]".repeat(5000)),
        format!("'a'{}", ".trim()".repeat(2000)),
        format!("'a'{}", "?.trim()".repeat(1500)),
        format!("''{}", ".concat('')".repeat(60)),
        format!("{}1", "1 ? 2 : ".repeat(2000)),
        format!("f{}", "()".repeat(8000)),
        format!("{{{}}}", "a:1,".repeat(4000)),
        "a.0".to_owned() + &".0".repeat(5000),
    ] {
        if let Ok(expr) = timed(&text[..40], || Expr::parse(&text)) {
            let _ = timed(&text[..40], || expr.eval(&World::new(), &mut Fuel::default()));
            drop(expr.clone());
        }
    }
    let sum = Expr::parse(&vec!["1"; 5000].join("+")).unwrap();
    assert_eq!(sum.eval(&World::new(), &mut Fuel::default()), Ok(json!(5000)));
}

#[test]
fn patterns_take_linear_time() {
    for text in [
        "matches('a'.repeat(100000) + '!', '(a+)+$')",
        "matches('a'.repeat(100000), '(a*)*b')",
        "matches('a'.repeat(500000), '(.*)(.*)(.*)(.*)(.*)x')",
        "matches('a'.repeat(1000000), '[ab]{0,500}[bc]{0,200}d')",
        "allMatches('a'.repeat(500000), 'a*?b|a').length",
        "replaceMatches('ab'.repeat(200000), '.*c|b', '')",
        "splitMatches('ab'.repeat(200000), '.*c|b')",
        "matches('x', 'a{1000}{1000}' + '')",
        "range(0, 100000).filter(x => matches('x', '.{1,500}' + x))",
        "range(0, 10000).filter(x => matches('x', '' + '.{1,500}')).length",
        "matches('é'.repeat(400000), '\\\\w{1,50}\\\\W')",
    ] {
        let _ = timed(text, || super::eval(text));
    }
    assert!(Expr::parse("matches(x, 'a{1000}{1000}')").is_err());
    assert!(Expr::parse(&format!("matches(x, '{}a{}')", "(".repeat(1000), ")".repeat(1000))).is_err());
}

#[test]
fn the_older_spelling_is_read_in_linear_time() {
    let known = |_: &str| true;
    for text in [
        "{{".repeat(1 << 19),
        "{{a}}".repeat(1 << 14),
        "{{a".repeat(1 << 18),
        "}}".repeat(1 << 19),
        "{{".repeat(1 << 18) + &"}}".repeat(1 << 18),
    ] {
        timed(&text[..10], || older::normalise(&text, &known));
    }
}

#[test]
fn nothing_leads_out() {
    for text in [
        "constructor",
        "inputs.constructor",
        "inputs.__proto__.x",
        "''.constructor",
        "[].constructor.constructor",
        "globalThis",
        "process.env",
        "require",
        "Object",
        "Object.prototype",
        "Math.constructor",
        "inputs['__proto__']",
        "this",
        "arguments",
        "window",
        "(1).__proto__",
    ] {
        let Ok(expr) = Expr::parse(text) else { continue };
        let fault = expr.eval(&World::new(), &mut Fuel::default()).unwrap_err();
        assert_eq!(fault.code.as_str(), "UNRESOLVED_REFERENCE", "{text}");
    }
}
