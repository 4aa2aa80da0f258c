//! What a process does of the whole: answer callers, drive runs, fire schedules.

use std::fmt;
use std::str::FromStr;

/// The parts that one of many nodes takes on. A node alone takes on all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Answers callers. Without it only health is answered.
    pub api: bool,
    /// Drives runs. Without it runs are queued for those that do.
    pub worker: bool,
    /// Fires schedules, and removes runs that are no longer kept.
    pub scheduler: bool,
}

impl Roles {
    pub const ALL: Roles = Roles { api: true, worker: true, scheduler: true };
}

impl Default for Roles {
    fn default() -> Self {
        Roles::ALL
    }
}

impl FromStr for Roles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut roles = Roles { api: false, worker: false, scheduler: false };
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name {
                "api" => roles.api = true,
                "worker" => roles.worker = true,
                "scheduler" => roles.scheduler = true,
                "all" => roles = Roles::ALL,
                other => return Err(format!("\"{other}\" is no role; write a comma list of api, worker, scheduler")),
            }
        }
        if roles == (Roles { api: false, worker: false, scheduler: false }) {
            return Err("a node without a role does nothing; write a comma list of api, worker, scheduler".to_owned());
        }
        Ok(roles)
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(self.api, "api"), (self.worker, "worker"), (self.scheduler, "scheduler")];
        let names: Vec<&str> = names.into_iter().filter_map(|(taken, name)| taken.then_some(name)).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_a_comma_list() {
        assert_eq!("api, worker,".parse::<Roles>().unwrap().to_string(), "api,worker");
        assert_eq!("scheduler,all".parse::<Roles>().unwrap(), Roles::ALL);
        assert!("".parse::<Roles>().unwrap_err().contains("does nothing"));
        assert!("api,driver".parse::<Roles>().unwrap_err().starts_with("\"driver\" is no role"));
    }
}
