//! `mainspring schedule`: what is due when, and when a rule would fire.

use clap::{Args, Subcommand};
use mainspring_model::clock::Millis;
use mainspring_model::cron::Cron;
use mainspring_model::duration;
use serde_json::{Value, json};

use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::place;
use super::table::Rows;
use super::text::{moment_of, plain, span};

#[derive(Subcommand, Debug)]
pub(crate) enum ScheduleCommand {
    /// List the schedules of all plans, the next one due first.
    #[command(after_help = "\
Examples:
  mainspring schedule list
  mainspring schedule list -o json --server http://127.0.0.1:5000")]
    List,
    /// Show when a rule fires next, without saving anything.
    ///
    /// The rule is a cron expression of 5 fields (minute hour day-of-month month day-of-week), of 6 with seconds first,
    /// one of @hourly @daily @weekly @monthly @yearly, or `every <duration>`.
    #[command(after_help = "\
Examples:
  mainspring schedule next '0 9 * * MON-FRI' --timezone Europe/Berlin
  mainspring schedule next @daily --count 3
  mainspring schedule next 'every 15m'")]
    Next(Next),
}

#[derive(Args, Debug)]
pub(crate) struct Next {
    /// The rule; in quotes, so that the shell leaves its stars alone.
    #[arg(value_name = "RULE")]
    rule: String,
    /// The IANA time zone that the rule counts in.
    #[arg(long, visible_alias = "tz", value_name = "ZONE", default_value = "UTC")]
    timezone: String,
    /// How many moments to show.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: u16,
    /// Count from this moment (RFC 3339) instead of now.
    #[arg(long, value_name = "TIME")]
    after: Option<jiff::Timestamp>,
}

pub(crate) async fn run(cx: &Cx, command: &ScheduleCommand) -> Result<Exit, Failure> {
    match command {
        ScheduleCommand::List => list(cx).await,
        ScheduleCommand::Next(next) => {
            let from = next.after.map_or_else(|| place::clock().now(), jiff::Timestamp::as_millisecond);
            let value = preview(next, from)?;
            cx.show(&value, |style, width| {
                let mut rows = Rows::new(["in", "local", "utc"], "it never fires");
                for slot in value["next"].as_array().into_iter().flatten() {
                    let text = |name: &str| slot[name].as_str().unwrap_or_default().to_owned();
                    rows.add([text("in"), text("local"), moment_of(&slot["utc"])]);
                }
                format!("{}\n\n{}", plain(value["description"].as_str().unwrap_or_default()), rows.render(width, style))
            })
        }
    }
}

async fn list(cx: &Cx) -> Result<Exit, Failure> {
    let api = place::api(cx).await?;
    let answer = api.get("/api/scheduler/jobs", &[]).await;
    api.close().await;
    let answer = answer?;
    cx.show(&answer, |style, width| {
        let mut rows =
            Rows::new(["plan", "trigger", "next", "last", "status"], "no plan has a schedule; give one a trigger of type cron or interval");
        for job in answer["jobs"].as_array().into_iter().flatten() {
            let name = job["name"].as_str().unwrap_or_default();
            let name = name.strip_prefix("Execute Plan: ").unwrap_or(name).to_owned();
            let text = |field: &str| job[field].as_str().unwrap_or_default().to_owned();
            rows.add([name, text("trigger"), moment_of(&job["next_run"]), moment_of(&job["last_run"]), text("last_status")]);
        }
        rows.render(width, style)
    })
}

/// The next slots of a rule. Pure, given the moment to count from.
fn preview(next: &Next, from: Millis) -> Result<Value, Failure> {
    let zone = jiff::tz::TimeZone::get(&next.timezone).unwrap_or(jiff::tz::TimeZone::UTC);
    let show = |at: Millis| {
        let at_zone = jiff::Timestamp::from_millisecond(at).map(|at| at.to_zoned(zone.clone()));
        let local = at_zone.map(|at| at.strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string()).unwrap_or_default();
        let utc = jiff::Timestamp::from_millisecond(at).map(|at| at.to_string()).unwrap_or_default();
        json!({ "utc": utc, "local": local, "in": span(at.saturating_sub(from)) })
    };
    let rule = next.rule.trim();
    if let Some(every) = rule.strip_prefix("every ") {
        let every = duration::parse_text(every).map_err(|reason| Failure::new(Exit::Invalid, "INVALID_DURATION", reason))?;
        let step = Millis::try_from(every.as_millis()).unwrap_or(Millis::MAX);
        if step == 0 {
            return Err(Failure::new(Exit::Invalid, "INVALID_DURATION", "\"every 0s\" has no next time; the shortest pause is 1ms"));
        }
        let slots: Vec<Value> = (1..=Millis::from(next.count)).map(|turn| show(from.saturating_add(step.saturating_mul(turn)))).collect();
        return Ok(
            json!({ "rule": rule, "description": format!("Every {}, counted from when the plan is saved.", duration::format(every)), "next": slots }),
        );
    }
    let cron = Cron::parse(rule, Some(&next.timezone)).map_err(|problem| {
        let failure = Failure::new(Exit::Invalid, problem.code(), format!("{rule:?}: {problem}"));
        match &problem.fix {
            Some(fix) => failure.next(format!("write {fix}")),
            None => failure,
        }
    })?;
    let mut slots = Vec::new();
    let mut at = from;
    while slots.len() < usize::from(next.count) {
        let Some(slot) = cron.next_after(at) else { break };
        slots.push(show(slot));
        at = slot;
    }
    Ok(json!({ "rule": rule, "timezone": cron.timezone(), "description": cron.describe(), "next": slots }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: Millis = 1_772_352_000_000; // 2026-03-01T08:00:00Z

    fn next(rule: &str, zone: &str) -> Next {
        Next { rule: rule.into(), timezone: zone.into(), count: 2, after: None }
    }

    #[test]
    fn slots_are_shown_in_the_zone_and_in_utc() {
        let value = preview(&next("30 9 * * *", "Europe/Berlin"), FROM).unwrap();
        assert_eq!(value["timezone"], "Europe/Berlin");
        assert_eq!(value["next"][0], json!({"utc": "2026-03-01T08:30:00Z", "local": "Sun 2026-03-01 09:30:00 CET", "in": "30 min"}));
        assert_eq!(value["next"].as_array().unwrap().len(), 2);
        let value = preview(&next("every 90m", "UTC"), FROM).unwrap();
        assert_eq!(value["next"][1]["utc"], "2026-03-01T11:00:00Z");
    }

    #[test]
    fn a_wrong_rule_names_its_field_and_code() {
        let failed = |rule: &str, zone: &str| {
            let failure = preview(&next(rule, zone), FROM).unwrap_err();
            (failure.exit as u8, failure.code.into_owned(), failure.message.contains("minute"))
        };
        assert_eq!(failed("61 * * * *", "UTC"), (3, "CRON_FIELD".into(), true));
        assert_eq!(failed("0 9 * * *", "Mars/Olympus"), (3, "CRON_TIMEZONE".into(), false));
        assert_eq!(failed("every -5m", "UTC"), (3, "INVALID_DURATION".into(), false));
        assert_eq!(failed("every 0s", "UTC"), (3, "INVALID_DURATION".into(), false));
    }
}
