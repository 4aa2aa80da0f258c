//! An organization's variables in its runs: plain ones as values, secret ones as marks that are opened only for the attempt that sends them.
//!
//! A secret never enters a run's header or journal. What expressions see of one is a mark: its name under a hash with the
//! organization's key and the run's id, which nobody can make for another run. Text from outside that looks like a mark is text.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use mainspring_model::clock::Millis;
use mainspring_model::credential::{Credential, Secret};
use mainspring_model::fault::{Class, Code, Fault};
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::run::RunHeader;
use mainspring_model::store::{SealedTable, Store, StoreError, VariableRecord, VariableValue};
use mainspring_vault::Sealed;
use serde_json::{Map, Value};

use crate::credentials::SealError;
use crate::driver::HOLD;
use crate::engine::{Engine, Inner};
use crate::inner::passes;
use crate::replay::lineage;
use crate::sealed_value::value_place;

/// How long variables that were read are used, in milliseconds: other processes may write them.
const KEEP: Millis = 1_000;
/// For how much longer they are used while somebody looks, in milliseconds.
const STALE: Millis = 2_000;
/// Organizations that are remembered.
const MOST: usize = 10_000;

/// Characters that no place of a request changes: a mark stays one in a URL, a header and a body.
const BEGIN: &str = "mainspring-secret.";
const END: &str = ".end";

/// Those that were read lately, and until when they are used without another look.
type Known = HashMap<OrgId, (Arc<Vec<VariableRecord>>, Millis)>;

#[derive(Clone, Default)]
pub(crate) struct Variables(Arc<Mutex<Known>>);

impl Variables {
    fn forget(&self, org: OrgId) {
        self.lock().remove(&org);
    }

    /// Reads them again. What was forgotten meanwhile stays so: it was read before somebody changed it.
    async fn renew(&self, store: &dyn Store, org: OrgId) {
        match store.list_variables(org).await {
            Ok(read) => {
                if let Some((known, _)) = self.lock().get_mut(&org) {
                    *known = Arc::new(read);
                }
            }
            Err(error) => tracing::debug!(%error, "variables could not be read; those of a moment ago are used"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().expect("no panic happens while variables are looked up")
    }
}

impl Inner {
    async fn variables_of(&self, org: OrgId) -> Result<Arc<Vec<VariableRecord>>, StoreError> {
        let now = self.clock.now();
        if let Some((known, until)) = self.variables.lock().get_mut(&org)
            && until.saturating_add(STALE) > now
        {
            if *until <= now {
                // One looks, and nobody waits for it: a start would be as slow as the store is busy.
                *until = now.saturating_add(KEEP);
                let (all, store) = (self.variables.clone(), self.store.clone());
                tokio::spawn(async move { all.renew(&*store, org).await });
            }
            return Ok(known.clone());
        }
        let read = Arc::new(self.store.list_variables(org).await?);
        let mut all = self.variables.lock();
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(org, (read.clone(), now.saturating_add(KEEP)));
        Ok(read)
    }

    /// The root `org` of a new run.
    pub(crate) async fn org_root(&self, org: OrgId, run: RunId) -> Result<Value, StoreError> {
        let mut root = Map::new();
        for variable in self.variables_of(org).await?.iter() {
            let value = match &variable.value {
                VariableValue::Plain(value) => value.clone(),
                VariableValue::Secret(_) => Value::String(self.mark(org, run, &variable.name)),
            };
            root.insert(variable.name.clone(), value);
        }
        Ok(Value::Object(root))
    }

    /// The variables with the keys that open them. That the store was away for a while is no failure of the step.
    async fn secrets_of(&self, org: OrgId) -> Result<Arc<Vec<VariableRecord>>, Fault> {
        loop {
            let read = async {
                let known = self.variables_of(org).await?;
                let newest = self.vault.data_key_version(org);
                let sealed = known.iter().filter_map(|variable| match &variable.value {
                    VariableValue::Secret(sealed) => Sealed::from_bytes(sealed.clone()).ok(),
                    VariableValue::Plain(_) => None,
                });
                // Another process may have made a newer data key since this one looked.
                if sealed.map(|sealed| Some(sealed.key_version())).max() > Some(newest) {
                    self.credentials.load_keys_of(org).await?;
                }
                Ok::<_, SealError>(known)
            };
            match read.await {
                Ok(known) => return Ok(known),
                Err(SealError::Store(error)) if passes(&error) => {
                    tracing::error!(%error, "variables could not be read; trying again");
                    self.clock.sleep_until(self.clock.now().saturating_add(HOLD)).await;
                }
                Err(error) => return Err(Fault::internal(error.to_string())),
            }
        }
    }

    /// What stands for a secret in one run. Names are identifiers, the rest is hexadecimal.
    fn mark(&self, org: OrgId, run: RunId, name: &str) -> String {
        let hash = self.vault.idempotency_key(org, run, &format!("variable/{name}")).unwrap_or_default();
        let hash: String = hash.chars().filter(char::is_ascii_alphanumeric).collect();
        format!("{BEGIN}{name}.{hash}{END}")
    }

    /// Puts secrets in the place of this run's marks, and of those that its caller's step gave it. The values that were used come
    /// back as fields, to be taken out of the result.
    ///
    /// # Errors
    /// `MISSING_CREDENTIALS` when a secret is not there any more or does not open.
    pub(crate) async fn open_variables(&self, header: &RunHeader, params: &mut Value) -> Result<Option<Credential>, Fault> {
        if !has_mark(params) {
            return Ok(None);
        }
        let org = header.owner.org;
        let known = self.secrets_of(org).await?;
        let own = [Some(header.id), header.parent.as_ref().map(|(run, _)| *run)];
        // What a replay takes over carries the marks of the runs that it comes from.
        let runs: Vec<RunId> = own.into_iter().flatten().chain(lineage(header)).collect();
        let mut used =
            Credential { id: None, provider: String::new(), name: String::new(), fields: Default::default(), hosts: Default::default() };
        let mut open = |name: &str, given: &str| -> Result<Option<Secret>, Fault> {
            if !runs.iter().any(|run| self.mark(org, *run, name) == given) {
                return Ok(None);
            }
            let gone =
                || Fault::new(Code::MISSING_CREDENTIALS, format!("the variable \"{name}\" is no secret of the organization any more"));
            let variable = known.iter().find(|variable| variable.name == name).ok_or_else(gone)?;
            let VariableValue::Secret(sealed) = &variable.value else { return Err(gone()) };
            let opened = Sealed::from_bytes(sealed.clone())
                .and_then(|sealed| self.vault.open(&value_place(SealedTable::Variables, org, None, &variable.id.0), &sealed));
            let secret = opened.map_err(|error| {
                Fault::new(Code::MISSING_CREDENTIALS, format!("the variable \"{name}\" cannot be opened: {error}")).class(Class::Auth)
            })?;
            // Never the name of a field that is shown.
            used.fields.insert(format!("variable {name}"), secret.clone());
            Ok(Some(secret))
        };
        put_in(params, false, &mut open)?;
        Ok((!used.fields.is_empty()).then_some(used))
    }
}

impl Engine {
    /// The root `org` of triggers' own fields: the variables that are no secrets, which belong to runs alone.
    ///
    /// # Errors
    /// The store's.
    pub async fn org_of_triggers(&self, org: OrgId) -> Result<Value, StoreError> {
        let known = self.0.variables_of(org).await?;
        let plain = known.iter().filter_map(|variable| match &variable.value {
            VariableValue::Plain(value) => Some((variable.name.clone(), value.clone())),
            VariableValue::Secret(_) => None,
        });
        Ok(Value::Object(plain.collect()))
    }

    /// Variables of the organization were written by this process: the next run has them.
    pub fn variables_changed(&self, org: OrgId) {
        self.0.variables.forget(org);
    }
}

pub(crate) fn has_mark(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(BEGIN),
        Value::Array(items) => items.iter().any(has_mark),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains(BEGIN) || has_mark(value)),
        _ => false,
    }
}

type Open<'a> = dyn FnMut(&str, &str) -> Result<Option<Secret>, Fault> + 'a;

/// One pass: what a secret holds is not looked at again. In a URL its characters are escaped as those of any other value.
fn put_in(value: &mut Value, escaped: bool, open: &mut Open<'_>) -> Result<(), Fault> {
    match value {
        Value::String(text) if text.contains(BEGIN) => *text = replaced(text, escaped, open)?,
        Value::Array(items) => {
            for item in items {
                put_in(item, escaped, open)?;
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                put_in(value, name == "url", open)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn replaced(text: &str, escaped: bool, open: &mut Open<'_>) -> Result<String, Fault> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(BEGIN) {
        let (before, mark) = rest.split_at(at);
        out.push_str(before);
        let end = mark.find(END).map(|end| end + END.len());
        let name = mark[BEGIN.len()..].split('.').next().unwrap_or_default();
        let secret = match end {
            Some(end) => open(name, &mark[..end])?.map(|secret| (secret, end)),
            None => None,
        };
        match secret {
            Some((secret, end)) => {
                if escaped {
                    escape(secret.expose(), &mut out)
                } else {
                    out.push_str(secret.expose())
                }
                rest = &mark[end..];
            }
            None => {
                out.push_str(BEGIN);
                rest = &mark[BEGIN.len()..];
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Percent-encoding of all but the unreserved characters.
pub(crate) fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn opened(mut value: Value) -> Value {
        let mut open = |name: &str, given: &str| {
            let known = given == format!("{BEGIN}{name}.abc{END}");
            Ok((known && name == "KEY").then(|| Secret::new("s/e c&mainspring-secret.KEY.abc.end".to_owned())))
        };
        put_in(&mut value, false, &mut open).unwrap();
        value
    }

    #[test]
    fn marks_become_secrets_once_and_nothing_else_does() {
        let mark = "mainspring-secret.KEY.abc.end";
        let clear = "s/e c&mainspring-secret.KEY.abc.end";
        assert_eq!(
            opened(json!({"headers": {"authorization": format!("Bearer {mark}!")}})),
            json!({"headers": {"authorization": format!("Bearer {clear}!")}})
        );
        assert_eq!(opened(json!([mark, 7, {"deep": [mark]}])), json!([clear, 7, {"deep": [clear]}]));
        let url = opened(json!({"url": format!("https://x.example/?k={mark}&{mark}")}));
        assert_eq!(
            url,
            json!({"url": "https://x.example/?k=s%2Fe%20c%26mainspring-secret.KEY.abc.end&s%2Fe%20c%26mainspring-secret.KEY.abc.end"})
        );
        for text in [
            "mainspring-secret.KEY.abd.end",
            "mainspring-secret.OTHER.abc.end",
            "mainspring-secret.KEY.abc",
            "mainspring-secret.",
            "mainspring-secret.mainspring-secret.x.end",
        ] {
            assert_eq!(opened(json!(text)), json!(text));
        }
        assert_eq!(opened(json!(format!("mainspring-secret.{mark}"))), json!(format!("mainspring-secret.{clear}")));
        assert!(!has_mark(&json!({"a": ["mainspring", 1, null]})) && has_mark(&json!({"a": [mark]})));
    }
}
