//! `orders-report.yaml`: thousands of rows over HTTP become figures that agree with an independent count.

use std::collections::{BTreeMap, BTreeSet};

use mainspring_model::run::RunStatus;
use mainspring_model::run::StepStatus::{Error, NotReached, Success};
use serde_json::{Value, json};

use super::orders_data::{Order, csv, orders};
use super::world::{World, folder};
use crate::servers::{board, file};

pub const PLAN: &str = "orders-report.yaml";

/// What the report must hold, counted without CSV, expressions or actions.
struct Expected {
    totals: Value,
    countries: Value,
    csv: String,
    best: &'static str,
}

fn expected(orders: &[Order], since: &str, least: u64) -> Expected {
    let paid: Vec<&Order> =
        orders.iter().filter(|order| order.status == "paid" && *order.ordered_on >= *since && order.total_cents() >= least).collect();
    let cents = |orders: &[&Order]| orders.iter().map(|order| order.total_cents()).sum::<u64>();
    let mut countries: BTreeMap<&str, Vec<&Order>> = BTreeMap::new();
    let mut categories: BTreeMap<&'static str, Vec<&Order>> = BTreeMap::new();
    for order in &paid {
        countries.entry(order.country).or_default().push(order);
        categories.entry(order.category).or_default().push(order);
    }
    let countries = countries.iter().map(|(country, orders)| {
        let customers: BTreeSet<u32> = orders.iter().map(|order| order.customer).collect();
        // The first of the largest.
        let best = orders.iter().rev().max_by_key(|order| order.total_cents()).unwrap();
        json!({"country": country, "orders": orders.len(), "cents": cents(orders), "customers": customers.len(), "best": format!("{:07}", best.number)})
    });
    let mut ranking: Vec<(&'static str, u64, usize, u64)> = categories
        .iter()
        .map(|(category, orders)| (*category, cents(orders), orders.len(), orders.iter().map(|order| order.quantity).sum()))
        .collect();
    ranking.sort_by_key(|(_, cents, ..)| std::cmp::Reverse(*cents));
    let rows = ranking.iter().map(|(category, cents, orders, pieces)| format!("{category},{orders},{pieces},{cents}\r\n"));
    Expected {
        totals: json!({
            "orders": paid.len(), "cents": cents(&paid), "largest": paid.iter().map(|order| order.total_cents()).max(),
            "coupons": paid.iter().filter(|order| order.coupon.is_some()).count(),
        }),
        countries: countries.collect(),
        csv: std::iter::once("category,orders,pieces,cents\r\n".to_owned()).chain(rows).collect(),
        best: ranking[0].0,
    }
}

const STEPS: [&str; 10] = ["fetch", "parse", "paid", "totals", "by_category", "ranking", "group", "countries", "table", "send"];

#[tokio::test]
async fn the_report_agrees_with_an_independent_count() {
    let orders = orders();
    let text = std::fs::read_to_string(folder().join("data/orders.csv")).unwrap();
    let (shop, board) = (file("/orders.csv", "text/csv; charset=utf-8", text.clone()).await, board().await);
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let mut keys = BTreeSet::new();
    for (place, (since, least)) in [("2026-01-01", 1_000), ("2025-07-01", 0), ("2026-06-01", 20_000)].into_iter().enumerate() {
        let expected = expected(&orders, since, least);
        let inputs = json!({"csv_url": shop.url("/orders.csv"), "report_url": board.url("/report"), "since": since, "least_cents": least});
        let run = world.run(&plan, inputs).await;

        let countries = expected.countries.as_array().unwrap().len();
        assert_eq!(
            run.output(),
            &json!({"totals": expected.totals, "best_category": expected.best, "countries": countries, "answered": 201})
        );
        let statuses: Vec<_> = STEPS.iter().map(|step| (*step, Success)).collect();
        assert_eq!(run.statuses(), statuses);
        assert_eq!(run.count("attempted"), STEPS.len());
        // Larger than the journal takes in line, so it came back from a blob.
        assert_eq!(run.step("fetch").output, text);
        assert_eq!(run.step("parse").output.as_array().unwrap().len(), orders.len());

        assert_eq!((shop.asked().len(), board.asked().len()), (place + 1, place + 1));
        let sent = &board.asked()[place];
        assert_eq!((sent.line().as_str(), sent.header("content-type")), ("POST /report", "application/json"));
        assert_eq!(
            sent.json(),
            json!({
                "since": since, "rows_read": orders.len(), "totals": expected.totals, "countries": expected.countries,
                "csv": expected.csv,
            })
        );
        assert!(keys.insert(sent.header("idempotency-key").to_owned()), "each run has a key of its own");
    }
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| key.len() >= 26));
}

#[tokio::test]
async fn rows_keep_their_types_and_names_their_commas() {
    let orders = orders();
    assert!(orders.len() >= 3_000);
    let (shop, board) = (file("/orders.csv", "text/csv", csv(&orders[..3])).await, board().await);
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let run =
        world.run(&plan, json!({"csv_url": shop.url("/orders.csv"), "report_url": board.url("/report"), "since": "2025-01-01"})).await;
    let rows = run.step("parse").output.as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for (row, order) in rows.iter().zip(&orders) {
        assert_eq!((&row["order"], &row["total_cents"]), (&json!(format!("{:07}", order.number)), &json!(order.total_cents())));
        assert_eq!(row["coupon"], json!(order.coupon));
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_ends_the_run_before_anything_is_sent() {
    let (shop, board) = (file("/orders.csv", "text/csv", "").await, board().await);
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let run = world.run(&plan, json!({"csv_url": shop.url("/order.csv"), "report_url": board.url("/report")})).await;
    assert_eq!((run.ending.status, run.ending.error.as_ref().unwrap().code.as_str()), (RunStatus::Error, "HTTP_404"));
    let statuses: Vec<_> = STEPS.iter().map(|step| (*step, if *step == "fetch" { Error } else { NotReached })).collect();
    assert_eq!(run.statuses(), statuses);
    assert_eq!((shop.asked().len(), board.asked().len()), (1, 0));
}
