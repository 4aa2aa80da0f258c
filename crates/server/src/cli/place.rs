//! Where a command does its work: a server that was named, the data folder, or the server that holds the data folder.

use std::sync::Arc;

use mainspring_model::catalog::Catalog;
use mainspring_model::clock::Clock;
use mainspring_model::store::StoreError;
use mainspring_providers::Parts;
use mainspring_providers::apart::Apart;
use mainspring_providers::egress::{Egress, Mode, Policy};
use mainspring_sandbox::Sandbox;

use super::api::Api;
use super::environment;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::run::Place;
use super::serve::Egress as EgressChoice;
use crate::app::App;
use crate::http;
use crate::settings::{BadSettings, Settings};
use crate::wire::{self, OpenError, Opened};

/// The machine's clock.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(wire::SystemClock::new())
}

/// The settings of a command: the environment's, and the folder that was named. Whoever can open the folder is its owner.
pub(crate) fn settings(cx: &Cx) -> Result<Settings, Failure> {
    let mut settings = environment::settings(&cx.global, Vec::new())?;
    settings.dev = true;
    Ok(settings)
}

/// The server that was named, if one was.
pub(crate) fn server(cx: &Cx) -> Result<Option<Api>, Failure> {
    match cx.global.server.as_deref().filter(|url| !url.trim().is_empty()) {
        Some(url) => Api::of_server(url.trim(), cx.global.api_key.clone()).map(Some),
        None => Ok(None),
    }
}

/// Where a short command goes.
pub(crate) async fn api(cx: &Cx) -> Result<Api, Failure> {
    match server(cx)? {
        Some(server) => Ok(server),
        None => Ok(of_app(wire::open_for_command(&settings(cx)?).await?)),
    }
}

/// The data folder alone, for what has no operation over HTTP.
pub(crate) async fn folder(cx: &Cx) -> Result<Arc<App>, Failure> {
    Ok(wire::open_for_command(&settings(cx)?).await?)
}

/// Where a run goes: into this process when nobody drives the data folder, else to the server that does.
pub(crate) async fn to_run(cx: &Cx, egress: EgressChoice) -> Result<Place, Failure> {
    if let Some(server) = server(cx)? {
        return Ok(Place::Server(server));
    }
    let mut settings = settings(cx)?;
    egress.apply(&mut settings);
    match wire::open_for_running(&settings).await? {
        Opened::Here(app) => {
            wire::log::install(app.redactor.clone(), Some(settings.log.as_deref().unwrap_or("error")), false, None);
            // What a dead process left is given back first; it is taken up when this run has to wait.
            app.engine.recover().await?;
            Ok(Place::Here(of_app(app)))
        }
        Opened::Held { url: Some(url) } => {
            cx.note(&format!("a server holds {}; the run goes to {url}", settings.data.display()));
            Api::of_server(&url, cx.global.api_key.clone()).map(Place::Server)
        }
        Opened::Held { url: None } => {
            let pid = mainspring_store::holder(&settings.data).unwrap_or(0);
            let error = StoreError::Locked { folder: settings.data.display().to_string(), pid };
            Err(Failure::from(error).next("wait until it ends, or choose another folder with --data DIR"))
        }
    }
}

/// What steps can do here: with custom providers when there is a data folder, and without making one.
pub(crate) async fn catalog(cx: &Cx) -> Arc<dyn Catalog> {
    if let Ok(settings) = settings(cx)
        && settings.data.join(mainspring_store::DATABASE_FILE).exists()
    {
        match wire::open_for_command(&settings).await {
            Ok(app) => return app.catalog.clone(),
            Err(error) => {
                cx.note(&format!("custom providers are not known, because {} cannot be opened: {error}", settings.data.display()))
            }
        }
    }
    let egress = Arc::new(Egress::new(Policy::new(Mode::Strict)));
    Arc::new(wire::built_ins(Parts { egress, apart: Apart::here() }, Sandbox::new(mainspring_sandbox::Settings::default())))
}

fn of_app(app: Arc<App>) -> Api {
    Api::of_folder(app.clone(), http::router(app))
}

impl From<BadSettings> for Failure {
    fn from(error: BadSettings) -> Failure {
        let next = match &error.0[..] {
            [bad] => format!("correct or unset {}", bad.place),
            _ => "correct or unset each".to_owned(),
        };
        Failure::new(Exit::Invalid, error.code(), error.to_string()).next(next)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Failure {
        match error {
            OpenError::Store(error) => error.into(),
            OpenError::Vault(error) => error.into(),
            OpenError::Bucket(reason) => Failure::new(Exit::Unreachable, "BUCKET_UNUSABLE", reason),
            OpenError::Setting(reason) => Failure::new(Exit::Invalid, "BAD_SETTING", reason),
        }
    }
}
