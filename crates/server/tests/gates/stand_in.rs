//! What the example plans call beside the ledger's own page: each answer follows from the request alone, so that a repeated
//! request gets the same.

use serde_json::{Value, json};

/// Status, media type and body.
pub fn answer(path: &str, query: &str) -> (u16, &'static str, String) {
    let id = query.split('&').find_map(|pair| pair.strip_prefix("id=")).and_then(|id| id.parse::<u64>().ok()).unwrap_or_default();
    let json = |status: u16, body: Value| (status, "application/json", body.to_string());
    match path {
        "/item" => json(200, json!({"id": id, "price_cents": 100 + id * 37 % 900})),
        "/news" => {
            json(200, json!([{"title": "Night trains return"}, {"title": "One file"}, {"title": "The clock runs"}, {"title": "Rain"}]))
        }
        "/weather" => json(200, json!({"summary": "light rain"})),
        "/price/first" => json(503, json!({"error": "being rebuilt"})),
        "/price/second" => json(200, json!({"cents": 8790})),
        "/publish" => json(404, json!({"error": "gone"})),
        "/jobs" => json(202, json!({"id": "7", "state": "queued"})),
        "/job" => json(200, json!({"state": "done", "url": "https://videos.example/7.mp4"})),
        "/orders.csv" => (200, "text/csv", orders()),
        _ => json(201, json!({"taken": path})),
    }
}

/// Forty orders, the same every time.
fn orders() -> String {
    let mut text = "order,customer,country,category,quantity,total_cents,status,ordered_on,coupon\n".to_owned();
    for n in 1..=40_u32 {
        let country = ["DE", "FR", "PL"][(n % 3) as usize];
        let category = ["books", "tools"][(n % 2) as usize];
        let status = if n % 5 == 0 { "open" } else { "paid" };
        text +=
            &format!("{n:07},c{},{country},{category},{},{},{status},2026-02-{:02},\n", n % 11, n % 4 + 1, n * 731 % 20_000, n % 28 + 1);
    }
    text
}
