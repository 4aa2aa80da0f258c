//! What the drawings of a plan say, in each form.

use mainspring_model::catalog::BuiltIns;
use mainspring_model::id::Owner;
use mainspring_model::plan::{self, Format, Plan};
use mainspring_providers::egress::{Egress, Mode, Policy};

use super::{drawing, mermaid, svg, text};
use crate::cli::terminal::{ColorChoice, Style};

fn plan(document: &str) -> Plan {
    let egress = std::sync::Arc::new(Egress::new(Policy::new(Mode::Strict)));
    let catalog = BuiltIns::new(mainspring_providers::built_ins(&mainspring_providers::Parts {
        egress,
        apart: mainspring_providers::apart::Apart::here(),
    }));
    plan::load(document, Format::Auto, &catalog, &Owner::LOCAL).unwrap().plan
}

const FORKED: &str = r#"
name: Forked & <b>bold</b>
steps:
  - {id: ask, action: logic.if, params: {condition: "${1 < 2}"}}
  - {id: yes, needs: ['ask:true'], action: logic.set, params: {}}
  - {id: no, needs: ['ask:false'], if: 'run.id != "a"', action: logic.set, params: {}}
  - {id: each, needs: [yes, no], join: any, for_each: "[1]", steps: [{id: inner, action: logic.set, params: {}}, {id: next, action: logic.set, params: {}}]}
finally: [{id: bye, action: logic.set, params: {}}]
"#;

#[test]
fn a_step_a_line() {
    let plan = plan(FORKED);
    let drawn = text::render(&plan.name, &drawing::lists(&plan), Style::new(ColorChoice::Never, false, false));
    assert_eq!(
        drawn,
        "Forked & <b>bold</b>\n\
         ├─ ask   logic.if\n\
         ├─ yes   logic.set  ← ask:true\n\
         ├─ no    logic.set  if run.id != \"a\"  ← ask:false\n\
         └─ each  for each  ← yes, no\n\
         \u{20}  ├─ inner  logic.set\n\
         \u{20}  └─ next   logic.set\n\
         finally\n\
         └─ bye  logic.set\n"
    );
}

#[test]
fn what_a_plan_says_is_text_in_every_form() {
    let plan = plan(FORKED);
    let lists = drawing::lists(&plan);
    let mermaid = mermaid::render(&lists);
    assert!(mermaid.contains("step_ask -->|true| step_yes") && mermaid.contains("if run.id != #quot;a#quot;"), "{mermaid}");
    assert_eq!(mermaid.matches("subgraph").count(), mermaid.matches(" end").count(), "{mermaid}");
    let svg = svg::render(&plan.name, &lists);
    assert!(svg.contains("Forked &amp; &lt;b&gt;bold&lt;/b&gt;") && !svg.contains("<b>"), "{svg}");
    assert_eq!(svg.matches("marker-end").count(), 6 - 1, "each edge is an arrow: {svg}");
}
