//! Finds each step's action in the catalogue, and the ports that the step can end in.

use super::code;
use super::layout::Laid;
use super::names::LATER_ACTIONS;
use super::near::{meant, nearest, shown, some_of};
use super::problems::Problems;
use crate::Problem;
use crate::action::Port;
use crate::catalog::Catalog;
use crate::id::Owner;

/// A written action: `slack@2.post_message`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ActionName<'t> {
    pub provider: &'t str,
    pub version: Option<&'t str>,
    pub action: &'t str,
}

impl<'t> ActionName<'t> {
    pub(crate) fn parse(text: &'t str) -> Option<ActionName<'t>> {
        let (provider, action) = text.split_once('.')?;
        let (provider, version) = match provider.split_once('@') {
            Some((provider, version)) => (provider, Some(version)),
            None => (provider, None),
        };
        (!provider.is_empty() && !action.is_empty()).then_some(ActionName { provider, version, action })
    }
}

/// Looks the action up. In a `lenient` check an unknown one is no problem: the step fails when it runs.
pub(crate) fn resolve(step: &mut Laid<'_>, catalog: &dyn Catalog, owner: &Owner, lenient: bool, problems: &mut Problems<'_>) {
    let Some(text) = step.doc.action.as_deref() else { return };
    let pointer = format!("{}/action", step.pointer);
    let Some(name) = ActionName::parse(text) else {
        let problem =
            Problem::new(code::INVALID_VALUE, pointer, format!("\"action\" is written provider.action; \"{}\" is not", shown(text)))
                .expected("provider.action");
        problems.push(match by_action(text, catalog, owner) {
            Some(full) => problem.fix(full),
            None => problem,
        });
        return;
    };
    let found = catalog.provider(owner, name.provider);
    if let (Some(provider), Some(version)) = (&found, name.version)
        && provider.version.to_string() != version
    {
        let message = format!("the provider \"{}\" is here in version {}, not {}", name.provider, provider.version, shown(version));
        problems.push(
            Problem::new(code::UNKNOWN_VERSION, pointer, message).fix(format!("{}@{}.{}", name.provider, provider.version, name.action)),
        );
        return;
    }
    let action = found.as_ref().and_then(|provider| provider.action(name.action)).cloned();
    match (found, action) {
        (Some(provider), Some(action)) => {
            if !step.is_composed() {
                step.ports = action.ports(&serde_json::Value::Object(step.doc.params.clone()));
                if step.ports.iter().all(|port| port.name != "success") {
                    step.ports.push(Port::main("success"));
                }
                step.port_names = step.ports.iter().map(|port| port.name.clone()).collect();
            }
            step.action = Some((provider, action));
        }
        _ if lenient => {}
        (found, _) => problems.push(unknown(&pointer, name, found.map(|provider| provider.action_names()), catalog, owner)),
    }
}

fn unknown(pointer: &str, name: ActionName<'_>, actions: Option<Vec<String>>, catalog: &dyn Catalog, owner: &Owner) -> Problem {
    let full = format!("{}.{}", name.provider, name.action);
    if let Some((_, what)) = LATER_ACTIONS.iter().find(|(later, _)| *later == full || (*later == name.provider && actions.is_none())) {
        return Problem::new(code::NOT_YET_SUPPORTED, pointer, format!("\"{}\" is not yet known: {what} arrives later", shown(&full)));
    }
    match actions {
        Some(actions) => {
            let message = format!("the provider \"{}\" has no action \"{}\"", name.provider, shown(name.action));
            let near = nearest(name.action, actions.iter().map(String::as_str));
            let problem =
                Problem::new(code::UNKNOWN_ACTION, pointer, meant(message, near)).expected(some_of(actions.iter().map(String::as_str)));
            near.map_or_else(|| problem.clone(), |near| problem.clone().fix(format!("{}.{near}", name.provider)))
        }
        None => {
            let ids = catalog.ids(owner);
            let near = nearest(name.provider, ids.iter().map(String::as_str));
            let message = meant(format!("there is no provider \"{}\"", shown(name.provider)), near);
            let problem = Problem::new(code::UNKNOWN_PROVIDER, pointer, message).expected(some_of(ids.iter().map(String::as_str)));
            near.map_or_else(|| problem.clone(), |near| problem.clone().fix(format!("{near}.{}", name.action)))
        }
    }
}

/// `http.request` for `request`, when one provider alone has such an action.
fn by_action(text: &str, catalog: &dyn Catalog, owner: &Owner) -> Option<String> {
    let ids = catalog.ids(owner);
    if let Some(provider) = ids.iter().find(|id| *id == text).and_then(|id| catalog.provider(owner, id)) {
        return provider.action_names().first().map(|action| format!("{text}.{action}"));
    }
    let mut having = ids.into_iter().filter(|id| catalog.provider(owner, id).is_some_and(|provider| provider.action(text).is_some()));
    let first = having.next()?;
    having.next().is_none().then(|| format!("{first}.{text}"))
}
