//! An attempt to be made: everything the driver needs, taken out of the run.

use std::sync::Arc;
use std::time::Duration;

use mainspring_model::action::{NoPerItem, PerItem};
use mainspring_model::clock::Millis;
use mainspring_model::expr::Fuel;
use mainspring_model::fault::Fault;
use mainspring_model::plan::{ActionStep, Cache, PerItemParam, Rate, Step, StepKind};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Run;
use super::memory::Pending;
use super::scope::{Captured, ItemScope};
use super::state::Addr;

/// One attempt of one action.
pub struct Call {
    pub addr: Addr,
    pub path: String,
    pub attempt: u32,
    pub provider: String,
    pub action: String,
    pub params: Value,
    pub per_item: Arc<dyn PerItem>,
    pub credential: Option<String>,
    /// As the plan says; the action's own default when absent.
    pub timeout: Option<Duration>,
    pub computes: bool,
    /// Where a result that is used again is found, and for how long one is, in milliseconds.
    pub cache: Option<([u8; 32], Millis)>,
    /// Under which it waits for its turn.
    pub rate: Option<RateTerms>,
    /// Of provider `state`: what this run has changed so far.
    pub pending: Pending,
    /// The journal must be durable up to here before anything leaves the process.
    pub after: u32,
}

/// At most `limit` calls of one key begin in any `per`.
pub struct RateTerms {
    pub limit: u32,
    pub per: Duration,
    /// What its template gave; `None`: the credential.
    pub key: Option<Value>,
}

impl Run {
    /// Resolves the params of a unit's next attempt.
    pub(super) fn build_call(&self, addr: Addr, attempt: u32, now: Millis) -> Result<Call, Fault> {
        let ix = self.step_ix(addr).ok_or_else(|| Fault::internal("the step's list is gone"))?;
        let step = self.plan.step(ix);
        let StepKind::Action(action) = &step.kind else { return Err(Fault::internal("the step has no action")) };
        let scope = self.scope_of(addr, now);
        let params = match self.undo_params(addr.frame) {
            Some(params) => params?,
            None => action.params.eval(&scope, &mut Fuel::default())?,
        };
        let per_item = per_item(action, &scope);
        let pending = if action.provider == "state" { self.memory.before(&params) } else { Pending::default() };
        let cache = match &step.cache {
            // A secret variable is another mark in each run: nothing would ever be found again.
            Some(cache) if !crate::variables::has_mark(&params) => {
                Some((self.cache_id(step, action, cache, &params, &scope)?, super::millis(cache.ttl)))
            }
            _ => None,
        };
        let rate = step.rate.as_ref().map(|rate| rate_terms(rate, &scope)).transpose()?;
        Ok(Call {
            addr,
            path: scope.path.clone(),
            attempt,
            provider: action.provider.clone(),
            action: action.action.clone(),
            params,
            per_item,
            credential: action.credential.clone(),
            timeout: step.timeout,
            computes: action.computes,
            cache,
            rate,
            pending,
            after: self.seq,
        })
    }
}

impl Run {
    /// The same for calls that may stand for one another: of one user, for credentials are a user's.
    fn cache_id(
        &self,
        step: &Step,
        action: &ActionStep,
        cache: &Cache,
        params: &Value,
        scope: &super::scope::RunScope<'_>,
    ) -> Result<[u8; 32], Fault> {
        let key = match &cache.key {
            Some(key) => key.eval(scope, &mut Fuel::default())?,
            None => Value::Null,
        };
        // What is evaluated for each item is not among the params: such a step's results are its own.
        let own = if action.per_item.is_empty() { Value::Null } else { json!([self.header.plan_id, self.header.plan_version, step.id]) };
        let named = json!([self.header.owner.user, action.provider, action.action, action.credential, key, params, own]);
        Ok(Sha256::digest(named.to_string().as_bytes()).into())
    }

    /// The per-item params of a unit that is under way.
    pub(super) fn per_item_of(&self, addr: Addr) -> Arc<dyn PerItem> {
        match self.step_ix(addr).map(|ix| &self.plan.step(ix).kind) {
            Some(StepKind::Action(action)) => per_item(action, &self.scope_of(addr, self.last_at)),
            _ => Arc::new(NoPerItem),
        }
    }
}

fn rate_terms(rate: &Rate, scope: &super::scope::RunScope<'_>) -> Result<RateTerms, Fault> {
    let key = rate.key.as_ref().map(|key| key.eval(scope, &mut Fuel::default())).transpose()?;
    if key.as_ref().is_some_and(crate::variables::has_mark) {
        let message = "the key of \"rate\" holds a secret variable, which is another text in each run; use a plain one";
        return Err(Fault::invalid_params(message));
    }
    Ok(RateTerms { limit: rate.limit, per: rate.per, key })
}

fn per_item(action: &ActionStep, scope: &super::scope::RunScope<'_>) -> Arc<dyn PerItem> {
    if action.per_item.is_empty() { Arc::new(NoPerItem) } else { Arc::new(StepPerItem::of(action, scope)) }
}

/// A step's per-item params with what they read.
struct StepPerItem {
    params: Vec<PerItemParam>,
    captured: Captured,
}

impl StepPerItem {
    fn of(action: &ActionStep, scope: &super::scope::RunScope<'_>) -> StepPerItem {
        let references = action.per_item.iter().flat_map(|param| -> Box<dyn Iterator<Item = _>> {
            match param {
                PerItemParam::Expr { expr, .. } => Box::new(expr.references().iter()),
                PerItemParam::Labelled { cases, .. } => Box::new(cases.iter().flat_map(|(_, expr)| expr.references())),
                PerItemParam::Template { template, .. } => Box::new(template.references().map(|(_, reference)| reference)),
            }
        });
        StepPerItem { captured: Captured::of(scope, references), params: action.per_item.clone() }
    }
}

impl PerItem for StepPerItem {
    fn eval(&self, param: &str, locals: &[(&str, &Value)]) -> Result<Value, Fault> {
        let scope = ItemScope { captured: &self.captured, locals };
        let mut fuel = Fuel::default();
        for known in &self.params {
            match known {
                PerItemParam::Expr { name, expr } if name == param => return expr.eval(&scope, &mut fuel),
                PerItemParam::Template { name, template } if name == param => return template.eval(&scope, &mut fuel),
                PerItemParam::Labelled { name, cases } => {
                    let label = param.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('.'));
                    if let Some((_, expr)) = label.and_then(|label| cases.iter().find(|(known, _)| known == label)) {
                        return expr.eval(&scope, &mut fuel);
                    }
                }
                _ => {}
            }
        }
        Err(Fault::invalid_params(format!("the step has no \"{param}\"")))
    }

    fn has(&self, param: &str) -> bool {
        self.params.iter().any(|known| known.name() == param)
    }

    fn labels(&self, param: &str) -> Vec<String> {
        self.params
            .iter()
            .find_map(|known| match known {
                PerItemParam::Labelled { name, cases } if name == param => Some(cases.iter().map(|(label, _)| label.clone()).collect()),
                _ => None,
            })
            .unwrap_or_default()
    }

    fn demand(&self, param: &str, local: &str) -> Option<(String, Value)> {
        let scope = ItemScope { captured: &self.captured, locals: &[] };
        self.params.iter().find_map(|known| match known {
            PerItemParam::Expr { name, expr } if name == param => expr.demand(local, &scope),
            _ => None,
        })
    }
}
