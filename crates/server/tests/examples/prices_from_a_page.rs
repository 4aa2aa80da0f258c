//! `prices-from-a-page.yaml`: a page becomes records, a feed and a letter.

use mainspring_model::run::StepStatus::Success;
use serde_json::json;

use super::world::World;

pub const PLAN: &str = "prices-from-a-page.yaml";

#[tokio::test]
async fn offers_become_a_feed_and_a_letter() {
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let run = world.run(&plan, json!({})).await;
    assert_eq!(run.statuses(), ["offers", "priced", "until", "feed", "letter", "html", "bundle", "listed"].map(|step| (step, Success)));
    assert_eq!(
        run.output(),
        &json!({
            "unpacked": "letter/letter.html",
            "offers": [
                {"sku": "C-2", "name": "Café cups", "link": "/cups", "cents": 2450},
                {"sku": "K-1", "name": "Kettle 1.7 l", "link": "/kettle?ref=list", "cents": 5490},
            ],
            // Clocks change on 29 March: the same time of the day, in summer time.
            "feed": "<offers until=\"2026-04-04T18:00:00+02:00\"><offer sku=\"C-2\"><name>Café cups</name><cents>2450</cents></offer>\
                <offer sku=\"K-1\"><name>Kettle 1.7 l</name><cents>5490</cents></offer></offers>",
            "letter": "<h2>Offers until 2026-04-04</h2>\n<ul>\n<li><strong>Café cups</strong> for 24.50 €</li>\n\
                <li><strong>Kettle 1.7 l</strong> for 54.90 €</li>\n</ul>\n",
        })
    );
    let run = world.run(&plan, json!({"below": 100})).await;
    assert_eq!(run.output()["feed"], "<offers until=\"2026-04-04T18:00:00+02:00\"/>");
    assert_eq!(run.output()["letter"], "<h2>Offers until 2026-04-04</h2>\n<p>Nothing this time.</p>\n");
}
