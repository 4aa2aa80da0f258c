//! Many schedules cost nothing while none is due, and those that are due fire at their moment.
//!
//! `MAINSPRING_TEST_SCHEDULES=100000` is the long form.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::clock::{asked, now, pause, wall_ms};
use super::dice::Dice;
use super::dump::dump;
use super::process::Server;

/// Schedules that are not due, unless the environment says how many.
const IDLE: u64 = 3_000;
/// Triggers of one plan.
const OF_ONE: u64 = 100;
/// Schedules that fire each second, and for how long they are watched.
const FIRING: u64 = 20;
const WATCHED: Duration = Duration::from_secs(15);
/// Of one processor, over this time.
const MOST_CPU: f64 = 0.02;
const IDLES: Duration = Duration::from_secs(20);

/// Processor time of a process so far.
fn used(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // Behind the name, which may have spaces: state is the first field, utime and stime the twelfth and thirteenth.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

async fn save(client: &mut Client, plan: &Value) {
    let (status, answer) = client.post("/api/plans", plan).await.unwrap();
    assert_eq!(status, 201, "{answer}");
}

#[test]
fn many_schedules_are_idle_until_they_are_due() {
    let idle = asked("MAINSPRING_TEST_SCHEDULES").unwrap_or(IDLE);
    let folder = tempfile::Builder::new().prefix("schedules-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut server = Server::new(folder.path(), &mut Dice::new(31));
        server.start().await;
        let mut client = Client::new(server.address);
        let step = json!([{"id": "s", "action": "logic.set", "params": {}}]);
        // All hours but this one and the next, so that none of them is due while they are watched.
        let hour = u64::try_from(wall_ms()).unwrap() / 3_600_000;
        for from in (0..idle).step_by(usize::try_from(OF_ONE).unwrap()) {
            let triggers: Vec<Value> = (from..idle.min(from + OF_ONE))
                .map(|n| json!({"type": "cron", "cron": format!("{} {} * * *", n % 60, (hour + 2 + (n / 60) % 22) % 24)}))
                .collect();
            save(&mut client, &json!({"name": format!("Idle {from}"), "triggers": triggers, "steps": step})).await;
        }
        // A new process, and a moment for what it does at first.
        server.stop().await;
        server.start().await;
        pause(Duration::from_secs(5)).await;
        let (before, began) = (used(server.id().unwrap()), now());
        pause(IDLES).await;
        let share = (used(server.id().unwrap()) - before).as_secs_f64() / began.elapsed().as_secs_f64();

        client = Client::new(server.address);
        for n in 0..FIRING {
            let trigger = json!({"type": "cron", "cron": "* * * * * *"});
            save(&mut client, &json!({"name": format!("Tick {n}"), "triggers": [trigger], "steps": step})).await;
        }
        pause(WATCHED).await;
        server.stop().await;
        let runs = dump(server.data(), &folder.path().join("copy")).await;
        let due = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let mut late: Vec<i64> =
            runs.iter().map(|run| run.created_at - due(run.due_at.as_deref().expect("only schedules start runs here"))).collect();
        late.sort_unstable();
        let (p50, p99) = (late[late.len() / 2], late[late.len() * 99 / 100]);
        println!(
            "{idle} schedules: {:.2} % of a processor while none is due; {} firings beside them, {p50} ms late (p50), {p99} ms (p99)",
            share * 100.0,
            late.len()
        );
        assert!(late.len() as u64 >= FIRING * (WATCHED.as_secs() - 3), "{} firings", late.len());
        assert!(p99 <= 1_000, "{p99} ms late (p99)");
        assert!(share <= MOST_CPU, "{:.2} % of a processor while none is due", share * 100.0);
    });
}
