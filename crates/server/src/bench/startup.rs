//! The very first start, later ones, and memory when idle.

use super::Options;
use super::child::Server;
use super::table::Row;

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Row>> {
    let data = options.folder.join("startup");
    let mut first = Vec::new();
    let mut later = Vec::new();
    let mut resident = 0;
    for _ in 0..5 {
        drop(std::fs::remove_dir_all(&data));
        first.push(Server::start(&data).await?.ready_us);
        for _ in 0..3 {
            let server = Server::start(&data).await?;
            later.push(server.ready_us);
            resident = server.resident();
        }
    }
    first.sort_unstable();
    later.sort_unstable();
    let first = first[first.len() / 2] as f64 / 1_000.0;
    let later = later[later.len() / 2] as f64 / 1_000.0;
    let memory = resident as f64 / (1 << 20) as f64;
    Ok(vec![
        Row::new("very first start → ready", format!("{first:.0} ms"), "", "≤ 250 ms", first <= 250.0),
        Row::new("start → ready", format!("{later:.0} ms"), "", "≤ 100 ms", later <= 100.0),
        Row::new("memory when idle", format!("{memory:.1} MB"), "", "≤ 40 MB", memory <= 40.0),
    ])
}
