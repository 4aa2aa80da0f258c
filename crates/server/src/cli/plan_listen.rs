//! `mainspring plan listen`: a test address for a plan's webhook, and what comes there as it comes.

use ::http::Method;
use clap::Args;
use serde_json::{Value, json};

use super::api::Api;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Cx, Format, pretty, yaml};
use super::place;
use super::plan::find;
use super::run::Interrupts;
use super::terminal::{self, Style};
use super::text::{moment_of, plain, plain_lines};

/// Between two looks at what came, in milliseconds.
const LOOK: i64 = 500;

#[derive(Args, Debug)]
pub(crate) struct Listen {
    /// The plan's name or id.
    #[arg(value_name = "PLAN")]
    plan: String,
    /// The id of the webhook trigger; the plan's only one when it is left out.
    #[arg(long, value_name = "ID")]
    trigger: Option<String>,
    /// How long the address holds, at most 24h.
    #[arg(long = "for", value_name = "DURATION", default_value = "1h")]
    holds: String,
    /// End after so many samples.
    #[arg(long, short = 'n', value_name = "N")]
    count: Option<usize>,
    /// Run the plan with each sample that would start it: the draft where there is one.
    #[arg(long)]
    run: bool,
}

pub(crate) async fn listen(cx: &Cx, wanted: &Listen) -> Result<Exit, Failure> {
    let Some(api) = place::server(cx)? else {
        return Err(Failure::usage("which server? add --server URL: the address is a running server's"));
    };
    let done = follow(cx, &api, wanted).await;
    api.close().await;
    done
}

async fn follow(cx: &Cx, api: &Api, wanted: &Listen) -> Result<Exit, Failure> {
    let plan = find(api, &wanted.plan).await?;
    let path = format!("/api/plans/{}", plan["id"].as_str().unwrap_or_default());
    let address = api.send(Method::POST, &format!("{path}/test-address"), &json!({"trigger": wanted.trigger, "for": wanted.holds})).await?;
    say(cx, &address, |style| format!("{}\n", style.bold(address["url"].as_str().unwrap_or_default())))?;
    cx.note(&format!("what is sent there until {} starts nothing and is shown here; Ctrl-C ends", moment_of(&address["expires_at"])));
    let (clock, mut interrupts) = (place::clock(), Interrupts::listen());
    let mut query = vec![("since", address["from"].as_str().unwrap_or_default().to_owned())];
    let mut seen = 0;
    loop {
        let answer = api.get(&format!("{path}/samples"), &query).await?;
        for sample in answer["samples"].as_array().into_iter().flatten() {
            say(cx, sample, |style| shown(style, sample))?;
            if wanted.run && sample["starts"] == true {
                start(cx, api, &plan, sample).await?;
            }
            seen += 1;
            query.truncate(1);
            query.push(("after", sample["id"].as_str().unwrap_or_default().to_owned()));
        }
        if wanted.count.is_some_and(|count| seen >= count) {
            return Ok(Exit::Ok);
        }
        tokio::select! {
            _ = interrupts.next() => return Ok(Exit::Ok),
            () = clock.sleep_until(clock.now() + LOOK) => {}
        }
    }
}

/// For people as text, for programs one value a line or document.
fn say(cx: &Cx, value: &Value, text: impl FnOnce(Style) -> String) -> Result<(), Failure> {
    terminal::out(&match cx.format {
        Format::Table => text(cx.style),
        Format::Json => format!("{value}\n"),
        Format::Yaml => format!("---\n{}", yaml(value)?),
    });
    Ok(())
}

fn shown(style: Style, sample: &Value) -> String {
    let trigger = &sample["trigger"];
    let text = |value: &Value| value.as_str().map(plain).unwrap_or_default().into_owned();
    let verdict = if sample["starts"] == true {
        style.green("✓ starts a run")
    } else if sample["refused"].is_object() {
        style.red(&format!("✗ {} {}", text(&sample["refused"]["code"]), text(&sample["refused"]["detail"])))
    } else {
        style.red("✗ starts nothing")
    };
    let mut lines = format!("\n{} {} {verdict}\n", moment_of(&sample["received_at"]), style.bold(&text(&trigger["method"])));
    for problem in sample["problems"].as_array().into_iter().flatten() {
        lines.push_str(&format!("  {} {}\n", text(&problem["code"]), text(&problem["message"])));
    }
    let mut part = |name: &str, value: &Value| {
        if !value.is_null() && value.as_object().is_none_or(|fields| !fields.is_empty()) {
            lines.push_str(&format!("{} {}\n", style.dim(name), plain_lines(&pretty(value))));
        }
    };
    part("query", &trigger["query"]);
    part("headers", &trigger["headers"]);
    part("body", &trigger["body"]);
    part("inputs", &sample["inputs"]);
    lines
}

async fn start(cx: &Cx, api: &Api, plan: &Value, sample: &Value) -> Result<(), Failure> {
    let body = json!({"plan_id": plan["id"], "sample": sample["id"], "draft": plan["draft"].is_u64(), "wait": false});
    let answer = api.send(Method::POST, "/api/execute", &body).await?;
    let run = answer["execution"]["id"].as_str().unwrap_or_default();
    cx.note(&format!("run {run} started; `mainspring run show {run}` shows it"));
    Ok(())
}
