//! Size, depth and work.

use mainspring_model::expr::{Expr, Fuel};

use super::{World, check, eval};

const SIZE: &str = "EXPRESSION_FAILED: the expression makes a value of more than 1 MiB (1048576 bytes), the bound for expressions";
const WORK: &str = "EXPRESSION_FAILED: the expression does too much work for one evaluation; split it over several steps";
const DEPTH: &str = "EXPRESSION_FAILED: the expression makes a value nested deeper than 64, the bound for expressions";

#[test]
fn size() {
    check(&[
        ("'x'.repeat(94371840)", SIZE),
        ("'x'.repeat(9e15)", SIZE),
        ("'x'.padStart(90000000)", SIZE),
        ("'x'.padEnd(9e15, 'é')", SIZE),
        ("''.repeat(9e15)", "\"\""),
        ("range(0, 1e15)", SIZE),
        ("`${'x'.repeat(600000)}${'x'.repeat(600000)}`", SIZE),
        ("'x'.repeat(600000) + 'x'.repeat(600000)", SIZE),
        ("'x'.repeat(1000).split('').map(a => 'y'.repeat(2000))", SIZE),
        ("range(0, 30).reduce((a, x) => a + a, 'x')", SIZE),
        ("range(0, 30).reduce((a, x) => [...a, ...a], [1])", SIZE),
        ("range(0, 30).reduce((a, x) => ({...a, [a.keys().length]: a}), {})", SIZE),
        ("'x'.repeat(1000).replaceAll('x', 'y'.repeat(2000))", SIZE),
        ("'x'.repeat(1000).split('').join('y'.repeat(2000))", SIZE),
        ("range(0, 1000).flatMap(x => range(0, 1000))", SIZE),
        ("replaceMatches('x'.repeat(1000), 'x', 'y'.repeat(2000))", SIZE),
        ("JSON.parse('[' + '1,'.repeat(500000) + '1]').length", SIZE),
        ("'\\u0000'.repeat(300000).concat('') == JSON.stringify('\\u0000'.repeat(300000))", SIZE),
    ]);
}

#[test]
fn work() {
    check(&[
        ("range(0, 3000).map(a => range(0, 3000).some(b => false))", WORK),
        ("range(0, 100).map(a => range(0, 100).every(b => range(0, 100).every(c => range(0, 100).every(d => true))))", WORK),
        ("range(0, 100000).length", "100000"),
        ("range(0, 100000).filter(x => x % 2 == 0).length", "50000"),
    ]);
    let expr = Expr::parse("1 + 2 + 3").unwrap();
    assert_eq!(expr.eval(&World::new(), &mut Fuel::new(2)).unwrap_err().to_string(), WORK);
    let mut fuel = Fuel::new(100);
    expr.eval(&World::new(), &mut fuel).unwrap();
    assert!(fuel.left() < 100 && fuel.left() > 50, "{}", fuel.left());
}

#[test]
fn depth() {
    check(&[
        ("range(0, 100).reduce((a, x) => [a], 1)", DEPTH),
        ("range(0, 100000).reduce((a, x) => ({a}), 1)", DEPTH),
        ("range(0, 60).reduce((a, x) => [a], 1).flat(100)", "[1]"),
        ("JSON.parse('['.repeat(100) + ']'.repeat(100))", DEPTH),
    ]);
    assert!(eval("JSON.parse('['.repeat(100000))").is_err());
}

#[test]
fn many_values_at_once_stay_bounded() {
    // each argument alone is within bounds; together they would not be
    let arguments = vec!["'x'.repeat(1000000)"; 60].join(", ");
    assert_eq!(eval(&format!("[{arguments}].length")).unwrap_err().to_string(), SIZE);
    assert_eq!(eval(&format!("''.concat({arguments})")).unwrap_err().to_string(), SIZE);
    let nested = "[1,2,3,4,5,6,7,8,9].map(a => ".repeat(20) + "a" + &")".repeat(20);
    assert_eq!(eval(&nested).unwrap_err().to_string(), SIZE);
}
