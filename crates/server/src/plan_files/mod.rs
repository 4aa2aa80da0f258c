//! Plans that come from files: a folder that is looked at several times a second, and what became of each file in it.

mod load;
mod scan;
mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use mainspring_model::Problem;
use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, PlanId};

pub use scan::{MOST_FILES, is_plan_file, list};
pub use watch::{first_look, serve};

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its plan runs as it stands in the file.
    Loaded,
    /// It cannot be taken up; what was loaded before stays in force.
    Broken,
    /// Its plan was detached from it, so it is passed over.
    Detached,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Loaded => "loaded",
            State::Broken => "broken",
            State::Detached => "detached",
        }
    }
}

/// A file of the folder, as it was looked at last.
#[derive(Clone, Debug)]
pub struct PlanFile {
    /// Whose it is; `None` when its subfolder is no organization's.
    pub org: Option<OrgId>,
    pub state: State,
    pub plan: Option<PlanId>,
    pub name: Option<String>,
    pub version: Option<u32>,
    pub looked_at: Millis,
    /// Why it is broken.
    pub problems: Vec<Problem>,
}

/// What is known of the folder. Empty where none was named.
#[derive(Debug, Default)]
pub struct PlanFiles(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    folder: Option<PathBuf>,
    /// The folder itself cannot be read, or lost all of its files at once.
    trouble: Option<String>,
    files: BTreeMap<String, PlanFile>,
}

impl PlanFiles {
    pub fn folder(&self) -> Option<PathBuf> {
        self.lock().folder.clone()
    }

    pub fn trouble(&self) -> Option<String> {
        self.lock().trouble.clone()
    }

    /// Those of one organization, by path.
    pub fn of(&self, org: OrgId) -> Vec<(String, PlanFile)> {
        self.lock().files.iter().filter(|(_, file)| file.org == Some(org)).map(|(path, file)| (path.clone(), file.clone())).collect()
    }

    /// The broken ones, whoever owns them: path, and the first problem of each.
    pub fn broken(&self) -> Vec<(String, Option<Problem>)> {
        let known = self.lock();
        let broken = known.files.iter().filter(|(_, file)| file.state == State::Broken);
        broken.map(|(path, file)| (path.clone(), file.problems.first().cloned())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().expect("no panic happens while the files are held")
    }
}
