//! Provider `transform`: CSV in and out, as RFC 4180 and real files have it.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::logic_fake::*;

#[test]
fn cells_may_hold_anything_in_quotes() {
    let text = "\u{feff}name,note\r\n\"Ada, Countess\",\"said \"\"hi\"\"\"\r\n\r\nBo,\"two\r\nlines\"\nCy,5\" nail\rDe,\"\"";
    assert_eq!(
        value("transform.csv_parse", json!({"text": text})),
        json!([
            {"name": "Ada, Countess", "note": "said \"hi\""},
            {"name": "Bo", "note": "two\r\nlines"},
            {"name": "Cy", "note": "5\" nail"},
            {"name": "De", "note": ""},
        ])
    );
    assert_eq!(value("transform.csv_parse", json!({"text": ""})), json!([]));
    assert_eq!(value("transform.csv_parse", json!({"text": "a,b\n"})), json!([]));
    assert_eq!(
        value("transform.csv_parse", json!({"text": "a;b\n1;2", "delimiter": ";", "header": false})),
        json!([["a", "b"], ["1", "2"]])
    );
    assert_eq!(value("transform.csv_parse", json!({"text": "a\tb\n1\t2", "delimiter": "tab"})), json!([{"a": "1", "b": "2"}]));
}

#[test]
fn no_column_is_lost() {
    assert_eq!(
        value("transform.csv_parse", json!({"text": "a,a, ,a_2,a\n1,2,3,4,5"})),
        json!([{"a": "1", "a_3": "2", "column_3": "3", "a_2": "4", "a_4": "5"}])
    );
}

#[test]
fn types_are_guessed_with_care() {
    let text = "v\n12\n-3.50\n007\n+4712\n1E5\ntrue\nFALSE\n\"\"\n18446744073709551615\n18446744073709551616\n0.1234567890123456\n.5\n1.\n-0\n0\n2026-03-01\n";
    let cells: Vec<Value> = value("transform.csv_parse", json!({"text": text, "types": "auto"}))
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["v"].clone())
        .collect();
    assert_eq!(
        json!(cells),
        json!([
            12,
            -3.5,
            "007",
            "+4712",
            "1E5",
            true,
            false,
            null,
            u64::MAX,
            "18446744073709551616",
            "0.1234567890123456",
            ".5",
            "1.",
            "-0",
            0,
            "2026-03-01"
        ])
    );
}

#[test]
fn errors_name_the_line() {
    for (text, message) in [
        ("a,b\n1,2\n\"x\ny\",3\n4\n", "INVALID_INPUT: line 5 has 1 cell, the header has 2"),
        ("a,b\r\n1,2,3\r\n", "INVALID_INPUT: line 2 has 3 cells, the header has 2"),
        ("a\n\"1\n2\n", "INVALID_INPUT: line 2: a quote is opened and never closed"),
        ("a\n\"1\"2\n", "INVALID_INPUT: line 2: text follows the quote that closes a cell; write \"\" for a quote inside"),
    ] {
        assert_eq!(error("transform.csv_parse", json!({"text": text})), message);
    }
    assert_eq!(
        error("transform.csv_parse", json!({"text": "a\nb,c", "header": false})),
        "INVALID_INPUT: line 2 has 2 cells, the first row has 1"
    );
    for delimiter in ["", ";;", "\"", "\n", "é"] {
        let message =
            format!("INVALID_PARAMS: \"delimiter\" must be one ASCII character such as , or ;, or the word tab; it is {delimiter:?}");
        assert_eq!(error("transform.csv_parse", json!({"text": "", "delimiter": delimiter})), message);
        assert_eq!(error("transform.csv_format", json!({"rows": [], "delimiter": delimiter})), message);
    }
    assert_eq!(
        error("transform.csv_parse", json!({"text": "a\n1\n".to_owned() + &"1\n".repeat(100_000)})),
        "LIMIT_EXCEEDED: \"the list of rows\" has 100001 items; an action takes and makes at most 100000"
    );
}

#[test]
fn rows_are_written() {
    let rows = json!([{"a": 1, "b": {"c": [1]}}, {"d": true, "a": null}]);
    assert_eq!(value("transform.csv_format", json!({"rows": rows})), json!("a,b,d\r\n1,\"{\"\"c\"\":[1]}\",\r\n,,true\r\n"));
    assert_eq!(
        value("transform.csv_format", json!({"rows": rows, "columns": ["d", "b.c[0]"], "delimiter": ";"})),
        json!("d;b.c[0]\r\n;1\r\ntrue;\r\n")
    );
    assert_eq!(
        value("transform.csv_format", json!({"rows": [[1, "x y"], [" x", null]], "header": false, "bom": true})),
        json!("\u{feff}1,x y\r\n\" x\",\r\n")
    );
    assert_eq!(value("transform.csv_format", json!({"rows": [["a"]], "columns": ["n"]})), json!("n\r\na\r\n"));
    assert_eq!(value("transform.csv_format", json!({"rows": [{"a.b": 1, "c[": 2}]})), json!("a.b,c[\r\n1,2\r\n"));
    assert_eq!(value("transform.csv_format", json!({"rows": []})), json!(""));
    assert_eq!(value("transform.csv_format", json!({"rows": [{"a": ""}]})), json!("a\r\n\"\"\r\n"));
    assert_eq!(
        error("transform.csv_format", json!({"rows": [{}, 3]})),
        "INVALID_PARAMS: item 1: a row must be an object or a list; this is a number"
    );
    assert_eq!(error("transform.csv_format", json!({"rows": "x"})), "INVALID_PARAMS: \"rows\" must be a list; it is text");
    assert_eq!(
        error("transform.csv_format", json!({"rows": [], "columns": ["a."]})),
        "INVALID_PARAMS: \"columns\": \"a.\" is not a path such as customer.emails[0]: a part is empty"
    );
}

#[test]
fn formulas_can_be_made_harmless() {
    let rows = json!([["=1+1", "+47 1", "-5", -5, "@x", "a=b"]]);
    assert_eq!(value("transform.csv_format", json!({"rows": rows, "escape_formulas": true})), json!("'=1+1,'+47 1,-5,-5,'@x,a=b\r\n"));
    assert_eq!(value("transform.csv_format", json!({"rows": rows})), json!("=1+1,+47 1,-5,-5,@x,a=b\r\n"));
}

#[test]
fn thousands_of_rows_come_back() {
    let rows: Vec<Value> = (0..5_000)
        .map(|n| json!({"id": n, "name": format!("Row \"{n}\", of many"), "price": f64::from(n) / 4.0, "ok": n % 2 == 0}))
        .collect();
    let text = value("transform.csv_format", json!({"rows": rows}));
    let read = value("transform.csv_parse", json!({"text": text, "types": "auto"}));
    assert_eq!(read.as_array().unwrap().len(), 5_000);
    assert_eq!(read[4_999], json!({"id": 4999, "name": "Row \"4999\", of many", "price": 1249.75, "ok": false}));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(rows in prop::collection::vec(prop::collection::vec("[a\"',;\r\n é=\\u{feff}]{0,6}", 3), 0..6)) {
        let text = value("transform.csv_format", json!({"rows": rows, "header": false}));
        prop_assert_eq!(value("transform.csv_parse", json!({"text": text, "header": false})), json!(rows));
    }

    #[test]
    fn one_column_is_read_back(cells in prop::collection::vec("[a\" \r\n]{0,3}", 0..6)) {
        let rows: Vec<Vec<String>> = cells.into_iter().map(|cell| vec![cell]).collect();
        let text = value("transform.csv_format", json!({"rows": rows, "header": false}));
        prop_assert_eq!(value("transform.csv_parse", json!({"text": text, "header": false})), json!(rows));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[a,\"\r\né]{0,40}") {
        _ = outcome("transform.csv_parse", json!({"text": text, "types": "auto"}));
    }
}
