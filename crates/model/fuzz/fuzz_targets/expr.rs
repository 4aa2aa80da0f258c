//! Any text as an expression, a template, a field and the older spelling: nothing may panic, hang or grow beyond its bounds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mainspring_model::expr::{Expr, Fuel, NoScope, Template, field, older, rename_steps};
use serde_json::json;

fuzz_target!(|text: &str| {
    if let Ok(expr) = Expr::parse(text) {
        let _ = expr.eval(&NoScope, &mut Fuel::new(100_000));
    }
    let value = json!(text);
    let _ = field(&value);
    if let Ok(template) = Template::parse(&value, "") {
        let _ = template.eval(&NoScope, &mut Fuel::new(100_000));
    }
    let _ = older::normalise(text, &|_| true);
    let _ = rename_steps(text, &Some);
});
