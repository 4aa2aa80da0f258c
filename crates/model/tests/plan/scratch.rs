//! Prints.
use super::*;

#[test]
fn scratch() {
    let text = std::fs::read_to_string("/tmp/plan_docs.txt").unwrap();
    for doc in text.split("\n=====\n") {
        println!("-----\n{doc}\n>>>");
        match loaded(doc) {
            Ok(checked) => println!("OK {}\n{}", serde_json::to_string(&checked.document).unwrap(), checked.notes.join("\n")),
            Err(problems) => println!("{}", lines(&problems)),
        }
    }
}
