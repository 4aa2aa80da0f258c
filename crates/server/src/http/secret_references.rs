//! Values of credentials that name a secret kept elsewhere: judged when they are saved, and noted as what they are.

use std::collections::BTreeMap;

use mainspring_model::Problem as Finding;
use mainspring_model::credential::Secret;
use mainspring_model::role::Permission;
use mainspring_model::secret_reference::{Reference, note};
use mainspring_model::value::pointer_join;

use super::api::Api;
use super::caller::Caller;
use super::problem::{Problem, Refusable};

/// All fields of a credential, with a note beside each that is a reference.
pub(super) fn noted(api: &Api, caller: &Caller, fields: BTreeMap<String, Secret>) -> Refusable<BTreeMap<String, Secret>> {
    let changes = noted_changes(api, caller, fields.into_iter().map(|(field, value)| (field, Some(value))).collect())?;
    Ok(changes.into_iter().filter_map(|(field, value)| Some((field, value?))).collect())
}

/// The same of fields that change: the note comes and goes with the value.
pub(super) fn noted_changes(
    api: &Api,
    caller: &Caller,
    given: BTreeMap<String, Option<Secret>>,
) -> Refusable<BTreeMap<String, Option<Secret>>> {
    let mut findings = Vec::new();
    let mut all = BTreeMap::new();
    for (field, value) in given {
        let reference = value.as_ref().filter(|value| Reference::begins(value.expose())).cloned();
        if let Some(reference) = &reference
            && let Err(reason) = judge(api, caller, &field, reference.expose())
        {
            let text = format!("\"{field}\" begins as a reference to a secret that is kept elsewhere does (env:, file:, vault:): {reason}");
            findings.push(Finding::new("SECRET_REFERENCE", pointer_join("/credentials", &field), text));
        }
        all.insert(note(&field), reference);
        all.insert(field, value);
    }
    if findings.is_empty() { Ok(all) } else { Err(Problem::invalid_all(findings)) }
}

/// Who names a secret of the operator's can send it anywhere, so it is not for everybody who may store a key of their own.
fn judge(api: &Api, caller: &Caller, field: &str, text: &str) -> Result<(), String> {
    api.engine.credentials().check_reference(caller.owner.org, field, text)?;
    if caller.may(Permission::CredentialManage) {
        return Ok(());
    }
    Err(format!("to name one needs the permission {}", Permission::CredentialManage))
}
