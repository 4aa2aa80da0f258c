//! What expressions give.

use mainspring_model::expr::{Expr, Fuel, functions};

use super::{World, check, eval};

#[test]
fn literals_and_paths() {
    check(&[
        ("1", "1"),
        ("1.0", "1.0"),
        ("1e3", "1000"),
        ("0x10", "16"),
        ("1_000", "1000"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775808", "9223372036854775808"),
        ("18446744073709551615", "18446744073709551615"),
        ("'a\\u00e9\\n'", "\"aé\\n\""),
        ("\"\\ud83d\\ude00\"", "\"😀\""),
        ("null", "null"),
        ("[1, 'a', [true]]", "[1,\"a\",[true]]"),
        ("{a: 1, 'b c': 2, 3: 4, ['d' + 1]: 5, ...{e: 6}}", r#"{"a":1,"b c":2,"3":4,"d1":5,"e":6}"#),
        ("{inputs}.inputs.name", "\"Ada\""),
        ("[...[1, 2], ...inputs.tags]", r#"[1,2,"b","a"]"#),
        ("{...null, a: 1}", r#"{"a":1}"#),
        ("{__proto__: 1}", r#"{"__proto__":1}"#),
        ("`a${1 + 1}b${null}c${[1]}`", "\"a2bc[1]\""),
        ("`plain`", "\"plain\""),
        ("inputs.name", "\"Ada\""),
        ("inputs['name']", "\"Ada\""),
        ("inputs.nested.deep.x", "1"),
        ("inputs.tags[1]", "\"a\""),
        ("inputs.tags.1", "\"a\""),
        ("inputs.tags.length", "2"),
        ("inputs.name.length", "3"),
        ("inputs.name[0]", "\"A\""),
        ("inputs['na' + 'me']", "\"Ada\""),
        ("inputs.tags[inputs.tags.length - 1]", "\"a\""),
        ("steps.a.output.title", "\"T\""),
        ("steps['a'].output.rows.1.n", "\"y\""),
        ("steps.0.output.rows[0].id", "1"),
        ("steps[1].status", "\"skipped\""),
        ("steps.skipped.output", "null"),
        ("steps.a.attempts", "null"),
        ("[{a: [5]}].0.a.0", "5"),
        ("{a: {b: 1}}.a", r#"{"b":1}"#),
        ("Math.PI > 3", "true"),
        ("inputs.big", "9007199254740993"),
        ("'😀é'.length", "2"),
        ("'a.0'", "\"a.0\""),
    ]);
}

#[test]
fn arithmetic() {
    check(&[
        ("7 / 2", "3.5"),
        ("6 / 2", "3"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("12.5 * 100", "1250"),
        ("9007199254740993 + 2", "9007199254740995"),
        ("9223372036854775807 / 1", "9223372036854775807"),
        ("18446744073709551615 - 1", "18446744073709551614"),
        ("-7 % 3", "-1"),
        ("5.5 % 2", "1.5"),
        ("2 ** 10", "1024"),
        ("2 ** -1", "0.5"),
        ("2 ** 3 ** 2", "512"),
        (
            "-1 ** 1 || 0",
            "1:1 EXPRESSION_SYNTAX: a unary expression with the '-' operator cannot be used as the left operand of an exponentiation expression",
        ),
        ("(-1) ** 3", "-1"),
        ("1 ** 99999999999", "1"),
        ("-(-5)", "5"),
        ("+5", "5"),
        ("1 - -1", "2"),
        ("'a' + 1 + null + true + [1, {b: 2}]", "\"a1true[1,{\\\"b\\\":2}]\""),
        ("1 + 2 + 'a'", "\"3a\""),
        ("'' + 1.0 + 1e21 + 1e-7 + 0.000001", "\"11e+211e-70.000001\""),
        ("-0.0 + 0", "0"),
    ]);
}

#[test]
fn comparing() {
    check(&[
        ("1 == 1.0", "true"),
        ("1 === 1.0", "true"),
        ("'1' == 1", "false"),
        ("null == false", "false"),
        ("[1, {a: 2}] == [1.0, {a: 2}]", "true"),
        ("{a: 1, b: 2} == {b: 2, a: 1}", "true"),
        ("[1] != [1, 2]", "true"),
        ("9007199254740993 == 9007199254740992.0", "false"),
        ("9007199254740993 > 9007199254740992.0", "true"),
        ("2 > 1.5", "true"),
        ("'a' < 'b'", "true"),
        ("'10' < '9'", "true"),
        ("1 <= 1 && 2 >= 2", "true"),
        ("'name' in inputs", "true"),
        ("'constructor' in inputs", "false"),
        ("'__proto__' in inputs", "false"),
        ("'none' in inputs", "true"),
        ("1 in {1: 2}", "true"),
    ]);
}

#[test]
fn truth() {
    check(&[
        ("0 || 'a'", "\"a\""),
        ("'' || 'b'", "\"b\""),
        ("[] && 'c'", "\"c\""),
        ("{} ? 1 : 2", "1"),
        ("null ? 1 : 2", "2"),
        ("!0.0", "true"),
        ("!''", "true"),
        ("!'false'", "false"),
        ("1 && 2 || 3", "2"),
        ("false ? 1 : 0 ? 2 : 3", "3"),
        ("true ? true ? 1 : 2 : 3", "1"),
        ("null ?? 'd'", "\"d\""),
        ("0 ?? 1", "0"),
        ("(null ?? false) || 'e'", "\"e\""),
    ]);
}

#[test]
fn what_may_be_missing() {
    check(&[
        ("inputs.nope?.x", "null"),
        ("inputs?.nope", "null"),
        ("inputs.nope.x.y?.z", "null"),
        ("inputs.none?.x", "null"),
        ("nowhere?.x", "null"),
        ("inputs.nope.x ?? 'd'", "\"d\""),
        ("inputs.none ?? 'd'", "\"d\""),
        ("inputs.nope.x + 1 ?? 'd'", "\"d\""),
        ("inputs.a ?? inputs.b ?? inputs.name", "\"Ada\""),
        ("default(inputs.nope.x, 'd')", "\"d\""),
        ("default(inputs.none, 'd')", "\"d\""),
        ("default(inputs.name, 'd')", "\"Ada\""),
        ("default(false, 'd')", "false"),
        ("default(inputs.nope.trim(), 'd')", "\"d\""),
        ("inputs.none?.trim()", "null"),
        ("inputs.nope?.map(x => x)", "null"),
        ("inputs.tags?.[5]", "null"),
        ("inputs.tags[-1] ?? 'none'", "\"none\""),
        ("inputs.tags[9] ?? 'none'", "\"none\""),
        ("inputs.tags?.[1]", "\"a\""),
        ("steps.gone?.output.x", "null"),
        ("steps.skipped.output?.x", "null"),
        ("steps.skipped.output.x ?? 1", "1"),
        ("inputs.tags.map(t => t.x ?? t)", r#"["b","a"]"#),
        ("inputs.name?.slice(0, 1)", "\"A\""),
    ]);
}

#[test]
fn arrow_functions() {
    check(&[
        ("[1, 2].map(x => [3].map(y => x * y + inputs.amount))", "[[1503],[1506]]"),
        ("[5].map((x, i) => x + i)", "[5]"),
        ("[1].map((x, i, z) => z)", "[null]"),
        ("[1, 2].map(() => 0)", "[0,0]"),
        ("[1, 2].map(inputs => inputs)", "[1,2]"),
        ("[1, '2'].map(String)", r#"["1","2"]"#),
        ("[0, 1, '', 'a'].filter(Boolean)", r#"[1,"a"]"#),
        ("[{a: 1}].map(x => ({...x, b: x.a + 1}))", r#"[{"a":1,"b":2}]"#),
        ("steps.a.output.rows.filter(r => r.id > 1).map(r => r.n).join()", "\"y\""),
        ("steps.a.output.rows.find(r => r.id == 3)", "null"),
        ("[3, 1, 2].sort((a, b) => a < b ? 1 : -1)", "[3,2,1]"),
        ("[3, 1, 2].sort((a, b) => 1).length", "3"),
        ("['b', 'a'].sort()", r#"["a","b"]"#),
        ("[[1, 2], [3]].reduce((a, b) => a.concat(b))", "[1,2,3]"),
        ("[{v: 1}, {v: null}, {v: 2}].sum('v')", "3"),
        ("[{v: 2}, {v: null}, {v: 1}].sortBy('v', 'desc').map(x => x.v)", "[2,1,null]"),
        ("[].sum()", "0"),
        ("[].max()", "null"),
        ("[1, 1.0, '1'].unique()", r#"[1,"1"]"#),
    ]);
}

#[test]
fn text_counts_characters() {
    check(&[
        ("'añ😀z'.slice(1, 3)", "\"ñ😀\""),
        ("'añ😀z'.slice(-2)", "\"😀z\""),
        ("'añ😀z'.indexOf('z')", "3"),
        ("'añ😀z'.at(-2)", "\"😀\""),
        ("'añ😀z'.split('')", r#"["a","ñ","😀","z"]"#),
        ("'a,b,c'.split(',', 2)", r#"["a","b"]"#),
        ("'x'.padStart(5, '😀é')", "\"😀é😀éx\""),
        ("'abc'.substring(2, 0)", "\"ab\""),
        ("'abc'.slice(2, 1)", "\"\""),
        ("'aXbX'.replace('X', '$&')", "\"a$&bX\""),
        ("'ab'.replaceAll('', '-')", "\"-a-b-\""),
        ("'x'.charAt(9)", "\"\""),
        ("''.split(',')", r#"[""]"#),
    ]);
}

#[test]
fn numbers_as_text() {
    check(&[
        ("(2.5).toFixed()", "\"3\""),
        ("(-2.5).toFixed()", "\"-3\""),
        ("(9.995).toFixed(2)", "\"9.99\""),
        ("(9.5).toFixed()", "\"10\""),
        ("(0.125).toFixed(2)", "\"0.13\""),
        ("(7).toFixed(2)", "\"7.00\""),
        ("(-0.001).toFixed(2)", "\"0.00\""),
        ("round(2.345, 2)", "2.35"),
        ("round(1234, -2)", "1200"),
        ("Math.round(-2.5)", "-2"),
        ("Number(' 12 ')", "12"),
        ("Number('1e3')", "1000"),
        ("Number('9007199254740993')", "9007199254740993"),
        ("parseInt('ff', 16)", "255"),
        ("parseInt(-3.9)", "-3"),
        ("formatNumber(-1234567.891, 2, '.', ',')", "\"-1.234.567,89\""),
        ("formatNumber(999)", "\"999\""),
    ]);
}

#[test]
fn dates() {
    check(&[
        ("now()", "\"2026-03-01T12:00:00.123Z\""),
        ("now('Asia/Tokyo')", "\"2026-03-01T21:00:00.123+09:00\""),
        ("Date.now()", "1772366400123"),
        ("date('2026-03-29T01:30:00', 'Europe/Berlin')", "\"2026-03-29T01:30:00.000+01:00\""),
        ("date('2026-03-29T02:30:00', 'Europe/Berlin')", "\"2026-03-29T03:30:00.000+02:00\""),
        ("addTime('2026-03-28T12:00:00', 1, 'day', 'Europe/Berlin')", "\"2026-03-29T12:00:00.000+02:00\""),
        ("addTime('2026-03-28T12:00:00', 24, 'hours', 'Europe/Berlin')", "\"2026-03-29T13:00:00.000+02:00\""),
        ("addTime('2026-01-01T00:00:00+05:30', 90, 'minutes')", "\"2026-01-01T01:30:00.000+05:30\""),
        ("addTime(now(), -1, 'week')", "\"2026-02-22T12:00:00.123Z\""),
        ("startOf('2026-03-18', 'week')", "\"2026-03-16T00:00:00.000Z\""),
        ("startOf('2026-03-18T12:34:56Z', 'hour')", "\"2026-03-18T12:00:00.000Z\""),
        ("endOf('2024-02-05', 'month')", "\"2024-02-29T23:59:59.999Z\""),
        ("diffTime('2026-01-31', '2026-03-01', 'months')", "1"),
        ("diffTime('2026-01-02', '2026-01-01', 'hours')", "-24"),
        ("formatDate('2026-03-01T23:30:00Z', \"EEEE dd/MM/yy 'at' h:mm a\", 'Asia/Tokyo')", "\"Monday 02/03/26 at 8:30 AM\""),
        ("formatDate('2026-03-01', 'yyyy-MM-ddTHH:mm:ss.SSSZ')", "\"2026-03-01T00:00:00.000Z\""),
        ("parseDate('01.02.2026 13:05', 'dd.MM.yyyy HH:mm', 'Europe/Paris')", "\"2026-02-01T13:05:00.000+01:00\""),
        ("date('Tue, 1 Jul 2003 10:52:37 +0200')", "\"2003-07-01T08:52:37.000Z\""),
        ("date(0)", "\"1970-01-01T00:00:00.000Z\""),
        ("datePart('2026-03-01', 'quarter')", "1"),
        ("inZone('2026-01-01', '-03:00')", "\"2025-12-31T21:00:00.000-03:00\""),
        ("date('2026-01-01') < date('2026-01-01T00:00:00.001Z')", "true"),
    ]);
}

#[test]
fn random_values_are_counted() {
    let twice = eval("[uuid(), uuid(), random(1, 6)]").unwrap();
    assert_ne!(twice[0], twice[1]);
    assert_eq!(twice[0].as_str().unwrap().len(), 36);
    assert_eq!(twice, eval("[uuid(), uuid(), random(1, 6)]").unwrap(), "a resumed run sees the same");
    assert!((1..=6).contains(&twice[2].as_i64().unwrap()));
    let expr = Expr::parse("[1].map(x => uuid())").unwrap();
    assert!(expr.uses_ambient() && !expr.is_constant());
    assert!(Expr::parse("1 + 1").unwrap().is_constant());
}

#[test]
fn every_example_of_the_table() {
    for doc in functions() {
        let expr = Expr::parse(doc.example).unwrap_or_else(|problems| panic!("{}: {}", doc.name, super::shown(&problems)));
        let value = expr.eval(&World::new(), &mut Fuel::default()).unwrap_or_else(|fault| panic!("{}: {fault}", doc.name));
        if let Some(result) = doc.result {
            assert_eq!(value.to_string(), result, "{}", doc.example);
        } else {
            assert!(expr.uses_ambient(), "{} has no result", doc.name);
        }
        assert!(doc.doc.ends_with('.') && doc.signature.contains(doc.name) && !doc.family.is_empty(), "{}", doc.name);
    }
    assert!(functions().len() > 120);
}

#[test]
fn everyday_patterns_fit_their_bound() {
    check(&[
        (r"matches('ada@example.com', '^[\\w.+-]+@[\\w-]+\\.[\\w.]{2,}$')", "true"),
        (r"matches('x', '.{1,200},[^,]{1,100}') || matches('straße', '^[^,]{6}$')", "true"),
        (r"[matches('é', '\\w'), matches('٣', '\\d'), matches('a-b', '[\\W]'), matches('ab', 'a\\b')]", "[false,false,true,false]"),
        (r"[matches('[', '[[a]'), matches('&', '[&&a]'), matches('a/b', 'a\\/b'), matches('a1', '^[\\w\\d]+$')]", "[true,true,true,true]"),
        (r"matches('2026-03-01', '^\\d{4}-\\d{2}-\\d{2}$')", "true"),
        (r"matches('+49 170 1234567', '^\\+?[\\d\\s()-]{7,20}$')", "true"),
        (r"firstMatch('see https://x.org/a?b=1 now', 'https?://[^\\s]+')[0]", "\"https://x.org/a?b=1\""),
        (r"allMatches('#a #b', '#(\\w{1,30})').map(m => m[1])", r#"["a","b"]"#),
        (r"matches('550e8400-e29b-41d4-a716-446655440000', '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', 'i')", "true"),
        (r"replaceMatches('a  b', '\\s+', ' $$1')", "\"a $1b\""),
        (r"splitMatches('a, b;c', '[,;]\\s*')", r#"["a","b","c"]"#),
        (r"parseFloat('1.5e3x') + parseFloat('-.5') + parseFloat('2.')", "1501.5"),
    ]);
}
