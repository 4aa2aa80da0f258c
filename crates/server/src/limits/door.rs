//! The paths at which strangers try their luck: each has a tight budget of its own, whether or not there are limits elsewhere.

use super::bucket::{Budgets, MOST};

/// What is asked for there. Its number is its place in [`Budgets`] of [`super::Terms`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    Login,
    Register,
    /// A link to set a new password.
    Forgot,
    Refresh,
    /// What a mailed link carries: a proof of the address, a new password.
    Verify,
}

impl Door {
    pub const ALL: [Door; 5] = [Door::Login, Door::Register, Door::Forgot, Door::Refresh, Door::Verify];

    /// The door that a path leads to. What follows it, such as a second factor after `login`, is behind the same one.
    pub fn at(path: &str) -> Option<Door> {
        let rest = path.strip_prefix("/api/auth/")?;
        match rest.split('/').next()? {
            "login" => Some(Door::Login),
            "register" => Some(Door::Register),
            "forgot-password" => Some(Door::Forgot),
            "refresh" => Some(Door::Refresh),
            "verify-email" | "reset-password" => Some(Door::Verify),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Door::Login => "login",
            Door::Register => "register",
            Door::Forgot => "forgot",
            Door::Refresh => "refresh",
            Door::Verify => "verify",
        }
    }

    /// Requests per minute and per hour unless the operator says otherwise.
    pub const fn budgets(self) -> Budgets {
        match self {
            Door::Login => [5, 0],
            Door::Register => [0, 3],
            Door::Forgot => [0, 5],
            Door::Refresh => [30, 0],
            Door::Verify => [0, 10],
        }
    }
}

/// The budgets of all doors, in their order.
pub type Doors = [Budgets; 5];

/// What holds when nobody says anything.
pub fn doors() -> Doors {
    Door::ALL.map(Door::budgets)
}

/// Reads `login=5/min,register=3/hour`. Doors that are not named keep their budget; 0 is none.
///
/// # Errors
/// The first entry that is none, and what to write.
pub fn read(text: &str) -> Result<Doors, String> {
    let mut all = doors();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let bad = || format!("\"{entry}\" is no limit of login, register, forgot, refresh or verify; write login=5/min or register=3/hour");
        let (name, budget) = entry.split_once('=').ok_or_else(bad)?;
        let door = Door::ALL.into_iter().find(|door| door.as_str() == name.trim()).ok_or_else(bad)?;
        let (requests, per) = budget.trim().split_once('/').unwrap_or((budget.trim(), "min"));
        let requests = requests.trim().parse().ok().filter(|requests| *requests <= MOST).ok_or_else(bad)?;
        all[door as usize] = match per.trim() {
            "min" | "minute" | "m" => [requests, 0],
            "hour" | "h" => [0, requests],
            _ => return Err(bad()),
        };
    }
    Ok(all)
}

/// As [`read`] reads it.
pub fn text(doors: &Doors) -> String {
    let of = |(door, [minute, hour]): (Door, &Budgets)| match (minute, hour) {
        (0, hour) if *hour > 0 => format!("{}={hour}/hour", door.as_str()),
        (minute, _) => format!("{}={minute}/min", door.as_str()),
    };
    Door::ALL.into_iter().zip(doors).map(of).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_their_doors_and_no_others() {
        assert_eq!(Door::at("/api/auth/login"), Some(Door::Login));
        assert_eq!(Door::at("/api/auth/login/totp"), Some(Door::Login));
        assert_eq!(Door::at("/api/auth/reset-password"), Some(Door::Verify));
        for other in ["/api/auth/me", "/api/auth/logins", "/api/auth", "/api/plans", "/API/auth/login"] {
            assert_eq!(Door::at(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_written_is_read_and_the_rest_stays() {
        assert_eq!(text(&doors()), "login=5/min,register=3/hour,forgot=5/hour,refresh=30/min,verify=10/hour");
        assert_eq!(read(&text(&doors())), Ok(doors()));
        let some = read("login=2/hour, refresh=0").unwrap();
        assert_eq!((some[0], some[1], some[3]), ([0, 2], [0, 3], [0, 0]));
        assert_eq!(read(&text(&some)), Ok(some));
        for bad in ["login", "logout=3/min", "login=-1", "login=3/day", "login=9999999999"] {
            assert!(read(bad).unwrap_err().contains(bad), "{bad}");
        }
    }
}
