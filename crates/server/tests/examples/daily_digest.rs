//! `daily-digest.yaml`: one run per morning, also on the days when the clocks change and after days without power.

use mainspring_model::clock::{Clock, FakeClock, Millis};
use mainspring_model::id::OrgId;
use mainspring_model::run::StepStatus::{Error, Success};
use mainspring_model::store::{Paging, RunFilter};
use serde_json::{Value, json};

use super::world::{Finished, World};
use crate::servers::{Server, json as answer};

pub const PLAN: &str = "daily-digest.yaml";

fn at(text: &str) -> Millis {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// The paper, the weather office, and whoever takes the digest.
async fn services() -> Server {
    Server::start(|asked| match asked.line().as_str() {
        "GET /news" => answer(200, &(1..=5).map(|n| json!({"title": format!("Story {n}"), "score": 100 - n})).collect::<Value>()),
        "GET /weather" => answer(200, &json!({"summary": "light rain, 14 °C"})),
        _ => answer(201, &json!({"ok": true})),
    })
    .await
}

struct Mornings {
    clock: FakeClock,
    world: World,
    services: Server,
    plan: mainspring_engine::LoadedPlan,
}

impl Mornings {
    async fn new(from: &str) -> Mornings {
        let clock = FakeClock::at(at(from));
        let services = services().await;
        let world = World::at(clock.clone()).await;
        // A schedule has no caller to say where the services are: the defaults do, and here they are ours.
        let text = std::fs::read_to_string(super::world::folder().join(PLAN)).unwrap();
        let default = "default: \"http://127.0.0.1:5010/api/webhook\"";
        assert_eq!(text.matches(default).count(), 1);
        let plan = world.save_text(PLAN, &text.replace(default, &format!("default: \"{}\"", services.url("")))).await;
        Mornings { clock, world, services, plan }
    }

    /// Time goes on to `moment`; the runs that this started, by when they were due.
    async fn reach(&self, moment: &str) -> Vec<(String, Finished)> {
        let before = self.runs().await;
        self.clock.advance_to(at(moment));
        self.world.app.engine.fire_due().await.unwrap();
        let mut fired = Vec::new();
        for id in self.runs().await.into_iter().filter(|id| !before.contains(id)) {
            let run = self.world.ended(id).await;
            let header = self.world.app.store.header(id).await.unwrap().unwrap();
            assert_eq!((&header.trigger["id"], &header.trigger["type"]), (&json!("morning"), &json!("cron")));
            fired.push((header.trigger["due_at"].as_str().unwrap().to_owned(), run));
        }
        fired
    }

    async fn runs(&self) -> Vec<mainspring_model::id::RunId> {
        let filter = RunFilter { plan: Some(self.plan.id), ..RunFilter::default() };
        let page = self.world.app.store.list_runs(OrgId::LOCAL, &filter, &Paging { limit: 200, cursor: None }).await.unwrap();
        page.items.into_iter().map(|run| run.id).collect()
    }

    async fn next(&self) -> Option<Millis> {
        self.world.app.store.next_due().await.unwrap()
    }
}

#[tokio::test]
async fn every_civil_morning_has_one_digest() {
    let mornings = Mornings::new("2026-03-27T12:00:00Z").await;
    // Half past seven in Berlin: 06:30 UTC in winter, 05:30 in summer.
    let spring = [("2026-03-28T06:30:00Z", "2026-03-28"), ("2026-03-29T05:30:00Z", "2026-03-29"), ("2026-03-30T05:30:00Z", "2026-03-30")];
    let autumn = [("2026-10-24T05:30:00Z", "2026-10-24"), ("2026-10-25T06:30:00Z", "2026-10-25"), ("2026-10-26T06:30:00Z", "2026-10-26")];
    let mut days = Vec::new();
    for (due, day) in spring {
        assert_eq!(mornings.next().await, Some(at(due)));
        // Nothing happens before, and only once at the time itself.
        let before = jiff::Timestamp::from_millisecond(at(due) - 1).unwrap().to_string();
        assert_eq!(mornings.reach(&before).await.len(), 0);
        days.extend(mornings.reach(due).await.into_iter().map(|(at, run)| (at, run, day)));
        assert_eq!(mornings.reach(due).await.len(), 0);
    }
    // Half a year without power: one digest is made up for, that of the last morning.
    let late = mornings.reach("2026-10-23T12:00:00Z").await;
    days.extend(late.into_iter().map(|(at, run)| (at, run, "2026-10-23")));
    for (due, day) in autumn {
        assert_eq!(mornings.next().await, Some(at(due)));
        days.extend(mornings.reach(due).await.into_iter().map(|(at, run)| (at, run, day)));
    }

    let due: Vec<&str> = days.iter().map(|(due, ..)| due.as_str()).collect();
    let missed = "2026-10-23T05:30:00Z";
    let expected: Vec<&str> = spring.iter().map(|(due, _)| *due).chain([missed]).chain(autumn.iter().map(|(due, _)| *due)).collect();
    assert_eq!(due.iter().map(|due| at(due)).collect::<Vec<_>>(), expected.iter().map(|due| at(due)).collect::<Vec<_>>());
    for (_, run, day) in &days {
        assert_eq!(run.output(), &json!({"day": day, "headlines": 3}));
        let expected = [("news", Success), ("weather", Success), ("top", Success), ("digest", Success), ("send", Success)];
        assert_eq!(run.statuses(), expected);
    }
    let sent = mornings.services.asked_for("POST /hook");
    let sent_days: Vec<Value> = sent.iter().map(|asked| asked.json()["day"].clone()).collect();
    assert_eq!(sent_days, days.iter().map(|(.., day)| json!(day)).collect::<Vec<_>>());
    assert_eq!(
        sent[1].json(),
        json!({
            "day": "2026-03-29", "title": "Digest of Sunday, 29 March", "weather": "light rain, 14 °C",
            "headlines": ["Story 1", "Story 2", "Story 3"],
        })
    );
    let keys: std::collections::BTreeSet<&str> = sent.iter().map(|asked| asked.header("idempotency-key")).collect();
    assert_eq!(keys.len(), days.len(), "each run has a key of its own");
}

#[tokio::test]
async fn by_hand_it_is_todays_and_without_the_weather_it_still_goes_out() {
    let clock = FakeClock::at(at("2026-06-30T23:10:00Z"));
    let services = Server::start(|asked| match asked.line().as_str() {
        "GET /news" => answer(200, &json!([{"title": "Only one"}])),
        "GET /weather" => answer(500, &json!({"error": "the mast fell over"})),
        _ => answer(201, &json!({"ok": true})),
    })
    .await;
    let world = World::at(clock.clone()).await;
    let plan = world.save(PLAN).await;
    let run = world.run(&plan, json!({"service": services.url(""), "headlines": 20})).await;
    // Already July in Berlin.
    assert_eq!(run.output(), &json!({"day": "2026-07-01", "headlines": 1}));
    assert_eq!(run.step("weather").status, Error);
    assert_eq!(services.asked_for("POST /hook")[0].json()["weather"], "no forecast today");
    assert_eq!(clock.now(), at("2026-06-30T23:10:00Z"));
}
