//! How many journal rows a second group commit takes: 5,000 runs, each made, ten awaited steps, ended; beside a bare loop
//! that inserts the same rows in transactions of the same size and answers nobody.
//!
//! `cargo run --release -p mainspring-store --example commit_rate [runs] [folder or postgres:// address]`

mod postgres;
mod runs;
mod sqlite;

use std::time::Instant;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let runs: u32 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(5_000);
    let place = arguments.next().unwrap_or_else(|| "target/commit_rate".to_owned());
    if place.starts_with("postgres") { postgres::measure(runs, &place).await } else { sqlite::measure(runs, &place).await }
}

/// What a loop took since `cpu` and `start`: of this process only, where the database is another.
fn report(what: &str, rows: f64, cpu: f64, start: Instant) {
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), self::cpu() - cpu);
    println!("{what} {seconds:.3} s, {:.0} rows/s, {:.2} us of our CPU a row", rows / seconds, cpu * 1e6 / rows);
}

#[expect(clippy::disallowed_methods, reason = "a measurement of the real machine")]
fn now() -> Instant {
    Instant::now()
}

/// CPU seconds of this process, both kinds; 0 where the system does not tell.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
