//! What expressions refuse, with code and message.

use mainspring_model::expr::Expr;

use super::check;

#[test]
fn missing_paths_name_what_is_there() {
    check(&[
        (
            "steps.a.output.titel",
            r#"UNRESOLVED_REFERENCE: steps.a.output has no "titel"; it has "title", "url", "rows" (did you mean "title"?)"#,
        ),
        ("steps[0].output.rows[0].x", r#"UNRESOLVED_REFERENCE: steps[0].output.rows[0] has no "x"; it has "id", "n" (did you mean "n"?)"#),
        ("steps.b.output", r#"UNRESOLVED_REFERENCE: there is no step "b" before this one; there are "a", "skipped" (did you mean "a"?)"#),
        (
            "steps.skipped.output.x",
            r#"UNRESOLVED_REFERENCE: steps.skipped.output is null, so it has no "x"; `?.`, `??` or default() allow for that"#,
        ),
        ("inputs.none.trim()", "UNRESOLVED_REFERENCE: inputs.none is null, so it has no trim(); `?.`, `??` or default() allow for that"),
        ("inputs.tags[-1]", "UNRESOLVED_REFERENCE: inputs.tags has no [-1]; it is a list of 2, counted from 0"),
        ("inputs.tags[2]", "UNRESOLVED_REFERENCE: inputs.tags has no [2]; it is a list of 2, counted from 0"),
        (
            "inputs.tags.id",
            r#"UNRESOLVED_REFERENCE: inputs.tags is a list of 2, so it has no "id"; take one item, `[0]`, or use a method such as map()"#,
        ),
        ("inputs.name.x", r#"UNRESOLVED_REFERENCE: inputs.name is text, so it has no "x""#),
        ("inputs.amount.x", r#"UNRESOLVED_REFERENCE: inputs.amount is a number, so it has no "x""#),
        ("vars.x", r#"UNRESOLVED_REFERENCE: vars has no "x"; it is an empty object"#),
        (
            "input.x",
            r#"UNRESOLVED_REFERENCE: there is no "input" here; in scope are "inputs", "item", "vars", "steps" (did you mean "inputs"?)"#,
        ),
        (
            "inputs.__proto__",
            r#"UNRESOLVED_REFERENCE: inputs has no "__proto__"; it has "name", "amount", "ratio", "tags", "none", "nested", "big""#,
        ),
        ("inputs.tags.map(t => t.x)", r#"UNRESOLVED_REFERENCE: t is text, so it has no "x""#),
        (
            "inputs?.tags.map(t => inputs.nope)",
            r#"UNRESOLVED_REFERENCE: inputs has no "nope"; it has "name", "amount", "ratio", "tags", "none", "nested", "big" (did you mean "none"?)"#,
        ),
    ]);
}

#[test]
fn failing_operations() {
    check(&[
        (
            "9223372036854775807 + 9223372036854775807 + 2",
            "EXPRESSION_FAILED: the result of `+` does not fit a 64-bit integer; integers are exact here, so scale the numbers down first (`x / 1000`) or keep them as text",
        ),
        (
            "-9223372036854775809",
            "EXPRESSION_FAILED: the result of `-` does not fit a 64-bit integer; integers are exact here, so scale the numbers down first (`x / 1000`) or keep them as text",
        ),
        (
            "2 ** 64",
            "EXPRESSION_FAILED: the result of `**` does not fit a 64-bit integer; integers are exact here, so scale the numbers down first (`x / 1000`) or keep them as text",
        ),
        ("1 / 0", "EXPRESSION_FAILED: `/` by zero has no result"),
        ("1 % 0.0", "EXPRESSION_FAILED: `%` by zero has no result"),
        ("1e308 * 10", "EXPRESSION_FAILED: the result of `*` is infinite, which JSON cannot hold"),
        ("(-8) ** 0.5", "EXPRESSION_FAILED: the result of `**` is no number, which JSON cannot hold"),
        ("Math.log(0)", "EXPRESSION_FAILED: the result of `Math.log` is infinite, which JSON cannot hold"),
        ("Math.sqrt(-1)", "EXPRESSION_FAILED: the result of `Math.sqrt` is no number, which JSON cannot hold"),
        ("'500' > 1000", "EXPRESSION_FAILED: `>` compares two numbers or two texts, not text with a number; write Number(x) or String(x)"),
        ("null < 1", "EXPRESSION_FAILED: `<` compares two numbers or two texts, not null with a number; write `x ?? 0`"),
        ("'5' - 1", "EXPRESSION_FAILED: `-` takes numbers; its left side is text; write Number(x)"),
        ("1 + null", "EXPRESSION_FAILED: `+` takes numbers or text; its right side is null; write `x ?? 0`"),
        (
            "[1] + [2]",
            "EXPRESSION_FAILED: `+` takes numbers or text; its left side is a list; lists are joined by a.concat(b) or [...a, ...b]",
        ),
        ("-'a'", "EXPRESSION_FAILED: `-` takes numbers; this is text"),
        ("+'5'", "EXPRESSION_FAILED: `+` before text makes no number; write Number(x)"),
        ("1 in [1]", "EXPRESSION_FAILED: `x in y` tests a key of an object; y is a list; write y.includes(x)"),
        ("[...'ab']", "EXPRESSION_FAILED: `...` in a list spreads a list; this is text"),
        ("Number('abc')", "EXPRESSION_FAILED: Number(): \"abc\" is no number"),
        ("Number('')", "EXPRESSION_FAILED: Number(): \"\" is no number"),
        ("Number('Infinity')", "EXPRESSION_FAILED: Number(): \"Infinity\" is no number"),
        ("Number(null)", "EXPRESSION_FAILED: Number(): null is no number; write `x ?? 0`"),
        ("(5).trim()", "EXPRESSION_FAILED: a number has no trim(); the method is text.trim()"),
        ("'a'.startsWith(1)", "EXPRESSION_FAILED: startsWith(): argument 1 is text; this is a number; write String(x)"),
        (
            "[1, 'a'].sort()",
            "EXPRESSION_FAILED: `sort` compares two numbers or two texts, not text with a number; write Number(x) or String(x)",
        ),
        ("[].reduce((a, b) => a)", "EXPRESSION_FAILED: reduce(): the list is empty and no start value is given"),
        (
            "date('tomorrow')",
            "EXPRESSION_FAILED: date(): \"tomorrow\" is no date; one is written such as 2026-01-31 or 2026-01-31T12:00:00Z, and parseDate() reads other forms",
        ),
        ("now('Mars/Base')", "EXPRESSION_FAILED: now(): there is no time zone \"Mars/Base\"; one is called such as \"Europe/Berlin\""),
        ("JSON.parse('{')", "EXPRESSION_FAILED: JSON.parse(): this is no JSON: EOF while parsing an object at line 1 column 1"),
        ("fromBase64('!')", "EXPRESSION_FAILED: fromBase64(): this text is no base64"),
        ("matches('a', inputs.name + '(')", "EXPRESSION_FAILED: matches(): the pattern cannot be read: unclosed group"),
        ("[1].slice(1.5)", "EXPRESSION_FAILED: slice(): argument 1 is a whole number; this is 1.5"),
    ]);
}

/// Each row: an expression and its problems, one a line.
#[test]
fn spellings() {
    let rows: &[(&str, &str)] = &[
        ("", "1:1 EXPRESSION_SYNTAX: the expression is empty"),
        ("a and b", "1:3 EXPRESSION_SYNTAX: `and` is written `&&` (write &&)"),
        ("a or b and c", "1:3 EXPRESSION_SYNTAX: `or` is written `||` (write ||)\n1:8 EXPRESSION_SYNTAX: `and` is written `&&` (write &&)"),
        ("not a", "1:1 EXPRESSION_SYNTAX: `not x` is written `!x` (write !)"),
        ("a is null", "1:3 EXPRESSION_SYNTAX: `is` is written `==` (write ==)"),
        (
            "inputs.name | upper",
            "1:13 EXPRESSION_SYNTAX: there are no filters; `x | upper` is a method or a function here: `x.toUpperCase()` (write x.toUpperCase())",
        ),
        (
            "x | shout",
            "1:3 EXPRESSION_SYNTAX: there are no filters; `x | shout` is a method or a function here: `x.shout()` (write x.shout())",
        ),
        (
            "$json.name",
            "1:1 EXPRESSION_SYNTAX: there is no `$json`; a step's result is `steps.<id>.output`, the current item of a loop is `item` (write steps.<id>.output)",
        ),
        ("typeof x", "1:1 EXPRESSION_UNSUPPORTED: `typeof x` is written `type(x)` (write type(x))"),
        (
            "/a+/i",
            "1:1 EXPRESSION_UNSUPPORTED: there are no regular-expression literals; a pattern is text, given to matches(text, pattern, flags) (write matches(text, \"a+\", \"i\"))",
        ),
        ("x == undefined", "1:6 EXPRESSION_UNSUPPORTED: there is no `undefined`; a value that is not there is `null` (write null)"),
        ("(1, 2)", "1:2 EXPRESSION_UNSUPPORTED: there is no comma operator; a list is written `[a, b]`"),
        ("1, 2", "1:1 EXPRESSION_UNSUPPORTED: there is no comma operator; a list is written `[a, b]`"),
        ("1 & 2", "1:3 EXPRESSION_UNSUPPORTED: there are no bit operators; `and` is `&&` (write &&)"),
        ("2 ^ 2", "1:3 EXPRESSION_UNSUPPORTED: there are no bit operators; a power is `**`"),
        ("x = 1", "1:3 EXPRESSION_SYNTAX: `=` would assign, and nothing can be assigned; comparing is `==` (write ==)"),
        ("x += 1", "1:3 EXPRESSION_UNSUPPORTED: `+=` would assign, and nothing can be assigned"),
        ("x++", "1:2 EXPRESSION_UNSUPPORTED: `++` would assign, and nothing can be assigned"),
        ("new Date()", "1:1 EXPRESSION_UNSUPPORTED: there is no `new`; the time is `now()`, and `date(x)` reads a date (write now())"),
        ("this.x", "1:1 EXPRESSION_UNSUPPORTED: there is no `this`; name what you mean, such as `item`, `inputs` or `steps.<id>.output`"),
        ("f`x`", "1:1 EXPRESSION_UNSUPPORTED: there are no tagged templates; write the template literal alone"),
        ("trim?.()", "1:7 EXPRESSION_UNSUPPORTED: `f?.()` is not part of the language; functions are always there: `f()` (write ()"),
        ("max(...[1])", "1:5 EXPRESSION_UNSUPPORTED: a call has no spread arguments; give the list itself"),
        (
            "steps[inputs.x].output",
            "1:1 EXPRESSION_UNSUPPORTED: `steps` is indexed by a literal only, so that what a step reads is known when the plan is saved (expected steps.<id>.output, steps[\"<id>\"].output or steps[0].output)",
        ),
        (
            "steps",
            "1:1 EXPRESSION_UNSUPPORTED: `steps` is indexed by a literal only, so that what a step reads is known when the plan is saved (expected steps.<id>.output, steps[\"<id>\"].output or steps[0].output)",
        ),
        (
            "steps.a",
            "1:1 UNKNOWN_FIELD: `steps.a` is a step, not a value; name one of its fields (expected output, message, metadata, status, error, errors, attempts, idempotency_key) (write steps.a.output)",
        ),
        (
            "steps.a.outptu",
            "1:1 UNKNOWN_FIELD: `steps.a` has no \"outptu\" (expected output, message, metadata, status, error, errors, attempts, idempotency_key) (write steps.a.output)",
        ),
        (
            "steps.a.title",
            "1:1 UNKNOWN_FIELD: `steps.a` has no \"title\" (expected output, message, metadata, status, error, errors, attempts, idempotency_key) (write steps.a.output.title)",
        ),
        ("10n", "1:1 EXPRESSION_UNSUPPORTED: integers are written without `n`; they are exact to 64 bits (write 10)"),
        (
            "18446744073709551616",
            "1:1 EXPRESSION_LIMIT: 18446744073709551616 does not fit: integers are exact to 64 bits, other numbers reach 1.8e308; keep longer ones as text (write '18446744073709551616')",
        ),
        (
            "1e400",
            "1:1 EXPRESSION_LIMIT: 1e400 does not fit: integers are exact to 64 bits, other numbers reach 1.8e308; keep longer ones as text (write '1e400')",
        ),
        ("'\\ud800'", "1:1 EXPRESSION_SYNTAX: this text holds half of a surrogate pair, which is no character; write the whole character"),
        ("x.toUppercase()", "1:3 UNKNOWN_FUNCTION: there is no method `toUppercase` (write toUpperCase)"),
        ("x.includess(1)", "1:3 UNKNOWN_FUNCTION: there is no method `includess` (write includes)"),
        ("len(x)", "1:1 UNKNOWN_FUNCTION: there is no function `len` (write length)"),
        ("trim(x)", "1:1 UNKNOWN_FUNCTION: `trim` is a method: it stands after its value (write text.trim())"),
        ("eval('1')", "1:1 UNKNOWN_FUNCTION: there is no function `eval`"),
        ("x.constructor('a')", "1:3 UNKNOWN_FUNCTION: there is no method `constructor`"),
        ("now", "1:1 EXPRESSION_SYNTAX: `now` is a function; call it (write now())"),
        ("x.split()", "1:1 WRONG_ARGUMENTS: `split` takes 1 to 2 arguments; 0 given (expected text.split(separator, limit?))"),
        (
            "[1].map(1)",
            "1:9 WRONG_ARGUMENTS: argument 1 is a function of the element, such as `x => x.id` (expected list.map((item, index) => value))",
        ),
        ("sha256(x => x)", "1:8 WRONG_ARGUMENTS: argument 1 is a value, not a function (expected sha256(text, encoding?))"),
        (
            "x => x",
            "1:1 EXPRESSION_UNSUPPORTED: a function can stand only as an argument of a method that takes one, such as `list.map(x => x.id)`",
        ),
        ("[1].map(({a}) => a)", "1:10 EXPRESSION_UNSUPPORTED: a parameter is a plain name; read its fields by path, `x => x.id`"),
        (
            "[1].map(x => { return x })",
            "1:14 EXPRESSION_UNSUPPORTED: the body of a function is one expression, not a block; an object as its value stands in parentheses (write x => ({…}))\n1:16 EXPRESSION_UNSUPPORTED: `return` cannot stand in an expression; use `? :` or methods",
        ),
        ("[1].map((a = 1) => a)", "1:12 EXPRESSION_SYNTAX: `=` would assign, and nothing can be assigned; comparing is `==` (write ==)"),
        ("(x => x)(1)", "1:2 EXPRESSION_UNSUPPORTED: only a function or method of the language can be called, by its name"),
        ("[1, , 2]", "1:5 EXPRESSION_UNSUPPORTED: a list has no holes; write `null`"),
        ("a // b", "1:3 EXPRESSION_UNSUPPORTED: a comment cannot stand in an expression; `notes` of the step is the place for it"),
        ("'abc", "1:1 EXPRESSION_SYNTAX: this text is never closed"),
        ("a)+(b", "1:2 EXPRESSION_SYNTAX: this \")\" closes nothing"),
        ("(a", "1:1 EXPRESSION_SYNTAX: this \"(\" is never closed"),
        ("(a]", "1:3 EXPRESSION_SYNTAX: this \"]\" closes nothing"),
        ("a b", "1:3 EXPRESSION_SYNTAX: this cannot stand here: \"b\""),
        ("a +", "1:4 EXPRESSION_SYNTAX: the expression ends too early"),
        ("x.0.", "1:5 EXPRESSION_SYNTAX: the expression ends too early"),
        ("1 +\n  é and 2", "2:5 EXPRESSION_SYNTAX: `and` is written `&&` (write &&)"),
        ("a; b", "1:2 EXPRESSION_UNSUPPORTED: an expression is one value; there are no statements, and no `;`"),
        ("matches(x, '(a')", "1:1 EXPRESSION_SYNTAX: the pattern cannot be read: unclosed group"),
        (
            "matches(x, '(?=a)')",
            "1:1 EXPRESSION_SYNTAX: the pattern cannot be read: look-around, including look-ahead and look-behind, is not supported",
        ),
        ("matches(x, 'a', 'y')", "1:1 EXPRESSION_SYNTAX: there is no flag 'y'; flags are i, m and s"),
        ("010", "1:1 EXPRESSION_SYNTAX: 010 begins with a 0; a number does not, and a code of digits is text (write '010')"),
        (
            "Math",
            "1:1 UNKNOWN_FUNCTION: `Math` is no value; its functions are called (expected Math.random(), Math.abs(), Math.ceil(), Math.floor(), Math.round(), Math.trunc(), Math.sign(), Math.sqrt(), Math.cbrt(), Math.pow(), Math.exp(), Math.log(), Math.log10(), Math.log2(), Math.min(), Math.max())",
        ),
        ("#x in a", "1:1 EXPRESSION_SYNTAX: \"#\" cannot stand here"),
        (
            "{get a() { return 1 }}",
            "1:10 EXPRESSION_UNSUPPORTED: a block of statements cannot stand in an expression\n1:12 EXPRESSION_UNSUPPORTED: `return` cannot stand in an expression; use `? :` or methods",
        ),
        ("a <!-- b", "1:3 EXPRESSION_UNSUPPORTED: a comment cannot stand in an expression; `notes` of the step is the place for it"),
        ("import('x')", "1:1 EXPRESSION_UNSUPPORTED: `import` cannot stand in an expression; use `? :` or methods"),
        (
            "async () => 1",
            "1:1 EXPRESSION_UNSUPPORTED: a function can stand only as an argument of a method that takes one, such as `list.map(x => x.id)`",
        ),
    ];
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(text, expected)| {
            let found = Expr::parse(text).map_or_else(|problems| super::shown(&problems), |_| "parses".to_owned());
            (found != *expected).then(|| format!("{text}\n   gives {found}\n   not   {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn names_that_only_look_foreign() {
    for text in [
        "x.and",
        "{and: 1, or: 2, not: 3, if: 4, new: 5}",
        "or + 1",
        "not",
        "is.x",
        "x.typeof",
        "x?.new",
        "and == 1",
        "inputs.undefined",
        "x.default",
        "steps.a.output.class",
        "async",
    ] {
        assert!(Expr::parse(text).is_ok(), "{text}: {}", super::shown(&Expr::parse(text).unwrap_err()));
    }
}
