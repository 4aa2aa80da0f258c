//! The catalogue: which providers exist, by name, with the names that earlier documents used for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::action::Action;
use crate::credential::CredentialField;
use crate::id::Owner;

/// A provider: a name, what its credential holds, and its actions.
#[derive(Clone)]
pub struct Provider {
    pub id: String,
    pub title: String,
    pub category: String,
    /// Major version; `slack@2.post_message` pins it.
    pub version: u32,
    pub description: String,
    pub credential: Vec<CredentialField>,
    /// The hosts that its credential is for, when they are the same for everybody. A credential's `base_url` adds its own.
    pub hosts: Vec<String>,
    /// How to find out whether a credential works.
    pub verify: Option<Verify>,
    /// In the order that documents show them.
    pub actions: Vec<Arc<dyn Action>>,
    /// Earlier action name → name in `actions`.
    pub aliases: BTreeMap<String, String>,
}

/// How a provider finds out whether a credential works, without changing anything at the service.
#[derive(Clone)]
pub enum Verify {
    /// A call of its own, which takes no params.
    Call(Arc<dyn Action>),
    /// Only at an address that the caller names: this action reads it, and this param of it takes the address.
    Address { action: &'static str, param: &'static str },
}

impl Provider {
    /// The action of that name or earlier name.
    pub fn action(&self, name: &str) -> Option<&Arc<dyn Action>> {
        let name = self.aliases.get(name).map_or(name, String::as_str);
        self.actions.iter().find(|action| action.spec().name == name)
    }

    pub fn action_names(&self) -> Vec<String> {
        self.actions.iter().map(|action| action.spec().name.clone()).collect()
    }
}

/// What `GET /api/providers?detail=true` lists of a provider.
#[derive(Clone, Debug, Serialize)]
pub struct ProviderSummary {
    pub name: String,
    pub title: String,
    pub category: String,
    pub version: u32,
    pub description: String,
    pub actions: Vec<String>,
}

/// Finds providers. Custom integrations make the answer depend on who asks.
pub trait Catalog: Send + Sync {
    fn provider(&self, owner: &Owner, id: &str) -> Option<Arc<Provider>>;
    /// Ids visible to the owner, sorted.
    fn ids(&self, owner: &Owner) -> Vec<String>;
}

/// The providers that everybody has.
#[derive(Clone, Default)]
pub struct BuiltIns(BTreeMap<String, Arc<Provider>>);

impl BuiltIns {
    pub fn new(providers: impl IntoIterator<Item = Provider>) -> BuiltIns {
        BuiltIns(providers.into_iter().map(|provider| (provider.id.clone(), Arc::new(provider))).collect())
    }
}

impl Catalog for BuiltIns {
    fn provider(&self, _: &Owner, id: &str) -> Option<Arc<Provider>> {
        self.0.get(id).cloned()
    }

    fn ids(&self, _: &Owner) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

/// A built action found by its written name.
pub fn find_action(catalog: &dyn Catalog, owner: &Owner, provider: &str, action: &str) -> Option<(Arc<Provider>, Arc<dyn Action>)> {
    let provider = catalog.provider(owner, provider)?;
    let action = provider.action(action)?.clone();
    Some((provider, action))
}
