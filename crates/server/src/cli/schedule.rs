//! `mainspring schedule`: what is due when, and when a rule would fire.

use clap::{Args, Subcommand};
use mainspring_model::clock::Millis;
use mainspring_model::cron::{Firing, Timing, Unreadable};
use serde_json::{Value, json};

use super::api::part;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::table::Rows;
use super::terminal::Style;
use super::text::{moment_of, plain, span};
use super::{place, plan};

#[derive(Subcommand, Debug)]
pub(crate) enum ScheduleCommand {
    /// List the schedules of all plans, the next one due first.
    #[command(after_help = "\
Examples:
  mainspring schedule list
  mainspring schedule list -o json --server http://127.0.0.1:5000")]
    List,
    /// Show when a plan's schedules fire next, or a rule, without saving anything.
    ///
    /// A rule is a cron expression of 5 fields (minute hour day-of-month month day-of-week), of 6 with seconds first,
    /// one of @hourly @daily @weekly @monthly @yearly, or `every <duration>`. What changes of the clocks do is told beside each moment.
    #[command(after_help = "\
Examples:
  mainspring schedule next 'Morning digest'
  mainspring schedule next --cron '0 9 * * MON-FRI' --timezone Europe/Berlin
  mainspring schedule next @daily -n 3
  mainspring schedule next 'every 15m'")]
    Next(Next),
}

#[derive(Args, Debug)]
pub(crate) struct Next {
    /// A plan's name or id; or a rule, in quotes, so that the shell leaves its stars alone.
    #[arg(value_name = "PLAN|RULE", required_unless_present = "cron", conflicts_with = "cron")]
    what: Option<String>,
    /// The rule, for certain.
    #[arg(long, value_name = "RULE")]
    cron: Option<String>,
    /// The IANA time zone that the rule counts in; a plan's schedules have their own.
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
            match next.rule() {
                Some(rule) => {
                    let value = preview(next, rule, from)?;
                    cx.show(&value, |style, width| text(&value, width, style, from))
                }
                None => of_plan(cx, next, from).await,
            }
        }
    }
}

impl Next {
    /// The rule, unless a plan is meant.
    fn rule(&self) -> Option<&str> {
        let what = self.what.as_deref().unwrap_or_default();
        let fields = what.split_whitespace().count();
        let is_rule = what.starts_with(['@', '*'])
            || what.starts_with("every ")
            || (matches!(fields, 5 | 6) && what.starts_with(|c: char| c.is_ascii_digit()));
        self.cron.as_deref().or(is_rule.then_some(what))
    }
}

async fn of_plan(cx: &Cx, next: &Next, from: Millis) -> Result<Exit, Failure> {
    let api = place::api(cx).await?;
    let asked = async {
        let plan = plan::find(&api, next.what.as_deref().unwrap_or_default()).await?;
        let path = format!("/api/plans/{}/schedule/next", part(plan["id"].as_str().unwrap_or_default()));
        let mut query = vec![("count", next.count.to_string())];
        query.extend(next.after.map(|after| ("after", after.to_string())));
        api.get(&path, &query).await
    };
    let answer = asked.await;
    api.close().await;
    let answer = answer?;
    cx.show(&answer, |style, width| {
        let schedules = answer["schedules"].as_array().map(Vec::as_slice).unwrap_or_default();
        let shown = schedules.iter().map(|schedule| {
            format!("{}: {}", plain(schedule["trigger_id"].as_str().unwrap_or_default()), text(schedule, width, style, from))
        });
        let shown: Vec<String> = shown.collect();
        if shown.is_empty() { "the plan has no trigger that is due by itself".to_owned() } else { shown.join("\n\n") }
    })
}

/// One rule with its moments.
fn text(value: &Value, width: usize, style: Style, from: Millis) -> String {
    let mut rows = Rows::new(["in", "local", "utc", "clocks"], "it never fires");
    for slot in value["next"].as_array().into_iter().flatten() {
        let text = |name: &str| slot[name].as_str().unwrap_or_default().to_owned();
        let at = slot["utc"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok()).map_or(from, jiff::Timestamp::as_millisecond);
        rows.add([span(at.saturating_sub(from)), text("local"), moment_of(&slot["utc"]), text("note")]);
    }
    format!("{}\n\n{}", plain(value["description"].as_str().unwrap_or_default()), rows.render(width, style))
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
fn preview(next: &Next, rule: &str, from: Millis) -> Result<Value, Failure> {
    let timing = Timing::parse(rule, Some(&next.timezone)).map_err(|wrong| match wrong {
        Unreadable::Every(reason) => Failure::new(Exit::Invalid, "INVALID_DURATION", reason),
        Unreadable::Cron(problem) => {
            let failure = Failure::new(Exit::Invalid, problem.code(), format!("{rule:?}: {problem}"));
            match &problem.fix {
                Some(fix) => failure.next(format!("write {fix}")),
                None => failure,
            }
        }
    })?;
    let slots: Vec<Value> = timing.next(from, None, next.count).into_iter().map(|firing| slot(&firing, from)).collect();
    let mut value = json!({ "rule": rule.trim(), "description": timing.describe(), "next": slots });
    if let Timing::Cron(cron) = &timing {
        value["timezone"] = json!(cron.timezone());
    }
    Ok(value)
}

fn slot(firing: &Firing, from: Millis) -> Value {
    let utc = jiff::Timestamp::from_millisecond(firing.at).map(|at| at.to_string()).unwrap_or_default();
    let mut slot = json!({ "utc": utc, "local": firing.local, "in": span(firing.at.saturating_sub(from)) });
    if let Some(note) = &firing.note {
        slot["note"] = json!(note);
    }
    slot
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: Millis = 1_772_352_000_000; // 2026-03-01T08:00:00Z

    fn next(rule: &str, zone: &str) -> Next {
        Next { what: Some(rule.into()), cron: None, timezone: zone.into(), count: 2, after: None }
    }

    fn shown(next: &Next) -> Result<Value, Failure> {
        preview(next, next.rule().unwrap_or_else(|| panic!("{next:?} is a rule")), FROM)
    }

    #[test]
    fn a_name_or_an_id_is_a_plans() {
        for plan in ["Morning digest", "0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10", "2024 report"] {
            assert_eq!(next(plan, "UTC").rule(), None, "{plan}");
        }
        let cron = Next { what: None, cron: Some("Nonsense".into()), ..next("", "UTC") };
        assert_eq!(cron.rule(), Some("Nonsense"));
    }

    #[test]
    fn slots_are_shown_in_the_zone_and_in_utc() {
        let value = shown(&next("30 9 * * *", "Europe/Berlin")).unwrap();
        assert_eq!(value["timezone"], "Europe/Berlin");
        assert_eq!(value["next"][0], json!({"utc": "2026-03-01T08:30:00Z", "local": "Sun 2026-03-01 09:30:00 CET", "in": "30 min"}));
        assert_eq!(value["next"].as_array().unwrap().len(), 2);
        let value = shown(&next("every 90m", "UTC")).unwrap();
        assert_eq!(value["next"][1]["utc"], "2026-03-01T11:00:00Z");
    }

    #[test]
    fn a_wrong_rule_names_its_field_and_code() {
        let failed = |rule: &str, zone: &str| {
            let failure = shown(&next(rule, zone)).unwrap_err();
            (failure.exit as u8, failure.code.into_owned(), failure.message.contains("minute"))
        };
        assert_eq!(failed("61 * * * *", "UTC"), (3, "CRON_FIELD".into(), true));
        assert_eq!(failed("0 9 * * *", "Mars/Olympus"), (3, "CRON_TIMEZONE".into(), false));
        assert_eq!(failed("every -5m", "UTC"), (3, "INVALID_DURATION".into(), false));
        assert_eq!(failed("every 0s", "UTC"), (3, "INVALID_DURATION".into(), false));
    }
}
