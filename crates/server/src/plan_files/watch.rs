//! Looking at the folder again and again: what changed is loaded, what went is taken out of force.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mainspring_model::Problem;
use mainspring_model::id::Owner;
use mainspring_model::store::{PlanRecord, PlanSource, Saving, StoreError};

use super::scan::{self, Listing, Stamp};
use super::{PlanFile, State, load};
use crate::app::App;
use crate::plans;

/// Between two looks, in milliseconds. A look at a thousand files takes about two.
const LOOK: i64 = 250;
/// A database that does not answer is asked again after this, in milliseconds.
const AGAIN: i64 = 1_000;
/// After so many looks what was not taken up is tried again: what stood in its way may have gone.
const RETRY: u32 = 40;

/// What the follower of the folder remembers between two looks.
#[derive(Debug, Default)]
pub struct Follower {
    folder: PathBuf,
    /// Files as they were loaded, or found broken.
    taken: BTreeMap<String, Stamp>,
    /// As of the last look; who writes slowly is waited for.
    last: Listing,
    /// The folder was taken up once.
    settled: bool,
    /// It has no files, and that may be an accident: what was loaded stays.
    keeps: bool,
    looks: u32,
    /// Files that were not there at the last look.
    missing: BTreeSet<String>,
}

/// Loads the folder before the first request is read.
pub async fn first_look(app: &Arc<App>, folder: &Path) -> Follower {
    app.plan_files.lock().folder = Some(folder.to_owned());
    let mut follower = Follower { folder: folder.to_owned(), ..Follower::default() };
    // What lies there at the start was written before it.
    follower.last = list(folder).await.unwrap_or_default();
    if let Err(error) = follower.look(app).await {
        tracing::error!(%error, "the plan files could not be loaded; trying again");
    }
    follower
}

/// Follows the folder as long as the process lives.
pub async fn serve(app: Arc<App>, follower: Option<Follower>) {
    let Some(mut follower) = follower else { return };
    loop {
        let pause = match follower.look(&app).await {
            Ok(()) => LOOK,
            Err(error) => {
                tracing::warn!(%error, "plan files could not be stored; trying again");
                AGAIN
            }
        };
        app.clock.sleep_until(app.clock.now() + pause).await;
    }
}

async fn list(folder: &Path) -> std::io::Result<Listing> {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || scan::list(&folder)).await.map_err(std::io::Error::other)?
}

impl Follower {
    async fn look(&mut self, app: &Arc<App>) -> Result<(), StoreError> {
        let listing = match list(&self.folder).await {
            Ok(listing) => listing,
            Err(error) => {
                // An unmounted folder is no reason to stop anything.
                trouble(app, Some(format!("the folder cannot be read: {error}")));
                return Ok(());
            }
        };
        let is_empty = listing.files.is_empty();
        self.keeps = is_empty && (self.keeps || !self.settled || listing.folder != self.last.folder);
        let mut ready: Vec<(String, Stamp)> = listing
            .files
            .iter()
            // As it was a look ago: nobody is writing it.
            .filter(|(below, stamp)| self.taken.get(*below) != Some(stamp) && self.last.files.get(*below) == Some(stamp))
            .map(|(below, stamp)| (below.clone(), *stamp))
            .collect();
        let missing: BTreeSet<String> = if self.keeps { BTreeSet::new() } else { self.gone(app, &listing).into_iter().collect() };
        // Missing twice: who writes a file by taking the old one away first is waited for.
        let gone: Vec<String> = missing.intersection(&self.missing).cloned().collect();
        self.missing = missing.into_iter().filter(|below| !gone.contains(below)).collect();
        self.refused(app, &listing);
        self.looks = (self.looks + 1) % RETRY;
        if !ready.is_empty() || !gone.is_empty() || self.looks == 0 {
            self.again(app, &listing, &mut ready);
        }
        let mut done = Ok(());
        if !ready.is_empty() || !gone.is_empty() || !self.settled {
            done = self.take(app, &listing, ready, gone).await;
            self.settled |= done.is_ok();
        }
        if !self.keeps {
            trouble(app, None);
        }
        self.last = listing;
        done
    }

    /// What was looked at before and not taken up.
    fn again(&self, app: &App, listing: &Listing, ready: &mut Vec<(String, Stamp)>) {
        let known = app.plan_files.lock();
        let open = known.files.iter().filter(|(_, file)| file.state != State::Loaded).map(|(below, _)| below);
        let open = open.filter(|below| !ready.iter().any(|(other, _)| other == *below)).collect::<Vec<_>>();
        let open = open.into_iter().filter_map(|below| {
            let stamp = self.taken.get(below).filter(|stamp| listing.files.get(below) == Some(stamp))?;
            Some((below.clone(), *stamp))
        });
        let open: Vec<_> = open.collect();
        ready.extend(open);
    }

    fn gone(&self, app: &App, listing: &Listing) -> Vec<String> {
        let shown = app.plan_files.lock().files.keys().cloned().collect::<Vec<_>>();
        let known = self.taken.keys().cloned().chain(shown).collect::<BTreeSet<_>>();
        let refused = |below: &String| listing.refused.keys().any(|other| is_at_or_below(below, other));
        known.into_iter().filter(|below| !listing.files.contains_key(below) && !refused(below)).collect()
    }

    /// Files that are not looked into are shown as broken.
    fn refused(&self, app: &App, listing: &Listing) {
        let mut known = app.plan_files.lock();
        for (below, reason) in &listing.refused {
            let file = known.files.entry(below.clone()).or_insert_with(|| PlanFile {
                org: (!below.contains('/')).then_some(Owner::LOCAL.org),
                state: State::Broken,
                plan: None,
                name: None,
                version: None,
                looked_at: app.clock.now(),
                problems: Vec::new(),
            });
            file.state = State::Broken;
            file.problems = vec![Problem::new(mainspring_model::plan::code::SYNTAX, "", reason.clone())];
        }
    }

    async fn take(&mut self, app: &Arc<App>, listing: &Listing, ready: Vec<(String, Stamp)>, gone: Vec<String>) -> Result<(), StoreError> {
        let here: Vec<String> = listing.files.keys().chain(listing.refused.keys()).chain(&self.missing).cloned().collect();
        let mut owners = vec![Owner::LOCAL];
        for below in here.iter().chain(&gone) {
            if below.contains('/')
                && let Ok(owner) = load::owner_of(app, below).await
                && !owners.contains(&owner)
            {
                owners.push(owner);
            }
        }
        let mut known = load::known(app, &owners).await?;
        for (below, stamp) in ready {
            let Some(file) = load::load(app, &self.folder, &below, stamp, &known, &here).await else { continue };
            match file.state {
                State::Broken => {
                    let said: Vec<String> = file.problems.iter().map(ToString::to_string).collect();
                    tracing::error!(file = below, problems = said.join("; "), "a plan file was not loaded; its last good version stays");
                }
                _ => tracing::info!(file = below, name = file.name, version = file.version, "plan file loaded"),
            }
            if let (Some(plan), Some(org)) = (file.plan, file.org)
                && let Some(record) = app.store.get_plan(org, plan).await?
            {
                known.retain(|known| known.id != record.id);
                known.push(record);
            }
            self.taken.insert(below.clone(), stamp);
            app.plan_files.lock().files.insert(below, file);
        }
        if !self.keeps {
            self.leave(app, &known, &here).await?;
        } else if known.iter().any(|plan| plan.file.is_some() && plan.source == PlanSource::File && plan.version > 0) {
            trouble(app, Some("the folder has no plan file; what was loaded before stays".to_owned()));
        }
        for below in gone {
            self.taken.remove(&below);
            app.plan_files.lock().files.remove(&below);
        }
        Ok(())
    }

    /// Plans whose file is not there any more rest as drafts.
    async fn leave(&self, app: &App, known: &[PlanRecord], here: &[String]) -> Result<(), StoreError> {
        let lost = |plan: &&PlanRecord| plan.file.as_ref().is_some_and(|file| !here.iter().any(|other| is_at_or_below(file, other)));
        for plan in known.iter().filter(|plan| plan.source == PlanSource::File && plan.version > 0).filter(lost) {
            let file = plan.file.clone().unwrap_or_default();
            let saving = Saving { note: Some(format!("the plan file {file} is gone")), ..Saving::default() };
            match plans::unpublish(app, plan, saving).await {
                Ok(_) => tracing::warn!(file, name = plan.name, "a plan file is gone: its plan is out of force, its runs go on"),
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A folder that cannot be read stands for all that was in it.
fn is_at_or_below(file: &str, other: &str) -> bool {
    file.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn trouble(app: &App, trouble: Option<String>) {
    let mut known = app.plan_files.lock();
    if known.trouble != trouble {
        if let Some(trouble) = &trouble {
            tracing::error!(folder = %known.folder.clone().unwrap_or_default().display(), trouble, "plan files");
        }
        known.trouble = trouble;
    }
}
