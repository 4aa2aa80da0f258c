//! The provider of the simulated world: actions that succeed, fail, hang or take their time as the dice say.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::BoxFuture;
use mainspring_model::action::{Action, ActionResult, ActionSpec, Context, Effect, Outcome, Output};
use mainspring_model::catalog::{BuiltIns, Provider};
use mainspring_model::credential::CredentialField;
use mainspring_model::fault::{Code, Effected, Fault};
use serde_json::{Value, json};

use super::agenda::NodeClock;
use super::judge::Call;
use super::world::World;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Looks,
    Puts,
    Computes,
    Sleeps,
    Calls,
    Fails,
}

struct Simulated {
    spec: ActionSpec,
    does: Does,
    world: Arc<World>,
    node: usize,
    life: u32,
}

impl Action for Simulated {
    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn call<'a>(&'a self, params: Value, cx: &'a Context) -> BoxFuture<'a, ActionResult> {
        Box::pin(async move {
            match self.does {
                Does::Computes => Ok(Outcome::Done(Output::new(params))),
                Does::Sleeps => Ok(Outcome::SleepUntil(cx.clock.now() + params["ms"].as_i64().unwrap_or(0))),
                Does::Calls => {
                    Ok(Outcome::Call { plan: text(&params, "plan"), inputs: json!({"token": text(&params, "token")}), wait: true })
                }
                Does::Fails => Err(Fault::new(Code::other("USER_REFUSED"), "the world says no")),
                Does::Looks | Does::Puts => self.visit(&params, cx).await,
            }
        })
    }
}

impl Simulated {
    /// A call that leaves the node: it arrives, is written down by the world outside, and an answer comes back, or not.
    async fn visit(&self, params: &Value, cx: &Context) -> ActionResult {
        let clock = NodeClock { world: self.world.clone(), node: self.node, skew: Arc::default() };
        let bad = self.world.agenda.now() < self.world.weather().world_bad_until;
        let (chance, takes) = (self.world.between(1, 100), self.world.between(50, 7_000));
        if chance <= if bad { 40 } else { 3 } {
            return Err(Fault::new(Code::CONNECTION_FAILED, "refused").effect(Effected::Unsent));
        }
        clock.pause(Duration::from_millis(u64::try_from(takes / 2).unwrap())).await;
        cx.sent.store(true, Ordering::Release);
        let call = Call {
            run: cx.run.expect("a step belongs to a run"),
            path: cx.step.clone(),
            attempt: cx.attempt,
            key: cx.idempotency_key.clone(),
            once: params["once"] == true,
            params: params.to_string(),
        };
        self.world.called(self.node, self.life, call);
        match chance {
            95.. if bad => std::future::pending().await,
            85.. if bad => clock.pause(Duration::from_secs(20)).await,
            99.. => clock.pause(Duration::from_secs(12)).await,
            60.. if bad && params["once"] != true => return Err(Fault::new(Code::http(503), "busy").effect(Effected::Sent)),
            _ => {}
        }
        clock.pause(Duration::from_millis(u64::try_from(takes / 2).unwrap())).await;
        Ok(Outcome::Done(Output::new(json!({"path": cx.step}))))
    }
}

fn text(params: &Value, name: &str) -> String {
    params[name].as_str().unwrap_or_default().to_owned()
}

/// The catalogue of one life of one node.
pub fn catalog(world: &Arc<World>, node: usize, life: u32) -> BuiltIns {
    let action = |name: &str, effect, does| {
        let spec = ActionSpec {
            name: name.to_owned(),
            title: name.to_owned(),
            description: "For the simulation.".to_owned(),
            effect,
            computes: does == Does::Computes,
            apart: false,
            needs_credential: false,
            params: json!({"type": "object"}),
            output: None,
            model: None,
            param_kinds: Default::default(),
            timeout: None,
            example: json!({}),
        };
        Arc::new(Simulated { spec, does, world: world.clone(), node, life }) as Arc<dyn Action>
    };
    BuiltIns::new([Provider {
        id: "w".into(),
        title: "World".into(),
        category: "test".into(),
        version: 1,
        description: "Simulated.".into(),
        // Optional, so that each attempt asks the store for one and goes on without.
        credential: vec![CredentialField { name: "token".into(), title: "Token".into(), required: false, secret: true, help: None }],
        hosts: Vec::new(),
        verify: None,
        actions: vec![
            action("read", Effect::Read, Does::Looks),
            action("put", Effect::Idempotent, Does::Puts),
            action("write", Effect::Write, Does::Puts),
            action("echo", Effect::Read, Does::Computes),
            action("sleep", Effect::Read, Does::Sleeps),
            action("call", Effect::Read, Does::Calls),
            action("fail", Effect::Read, Does::Fails),
        ],
        aliases: Default::default(),
    }])
}
