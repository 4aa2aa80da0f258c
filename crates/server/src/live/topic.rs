//! What can be subscribed to, and a place in it to go on from.

use std::fmt;
use std::str::FromStr;

use mainspring_model::id::{PlanId, RunId};

/// A topic of the caller's organization. As text: `runs`, `plan:<id>`, `run:<id>`, `schedules`, `notices`, `notifications`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Every run: queued, started, waiting, finished.
    Runs,
    /// The same of one plan's runs.
    Plan(PlanId),
    /// One run with its steps.
    Run(RunId),
    Schedules,
    /// What somebody should look at.
    Notices,
    /// What the caller was told by rules of notifications.
    Notifications,
}

impl FromStr for Topic {
    type Err = ();

    fn from_str(text: &str) -> Result<Topic, ()> {
        match text.split_once(':') {
            None => match text {
                "runs" => Ok(Topic::Runs),
                "schedules" => Ok(Topic::Schedules),
                "notices" => Ok(Topic::Notices),
                "notifications" => Ok(Topic::Notifications),
                _ => Err(()),
            },
            Some(("plan", id)) => id.parse().map(Topic::Plan).map_err(|_| ()),
            Some(("run", id)) => id.parse().map(Topic::Run).map_err(|_| ()),
            Some(_) => Err(()),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Topic::Runs => f.write_str("runs"),
            Topic::Plan(id) => write!(f, "plan:{id}"),
            Topic::Run(id) => write!(f, "run:{id}"),
            Topic::Schedules => f.write_str("schedules"),
            Topic::Notices => f.write_str("notices"),
            Topic::Notifications => f.write_str("notifications"),
        }
    }
}

/// Up to where a reader has seen a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Of a run: the `seq` of its journal, the same on every node and for ever.
    Run(u32),
    /// Of a list: a number in the one ring of one node, which its tag names. Nowhere else does it mean anything.
    List { tag: u64, number: u64 },
}

impl Place {
    /// Reads what [`Place`]'s text said; `None` for anything else.
    pub fn parse(topic: Topic, text: &str) -> Option<Place> {
        if let Topic::Run(_) = topic {
            return text.parse().ok().map(Place::Run);
        }
        let (tag, number) = text.split_once('.')?;
        Some(Place::List { tag: u64::from_str_radix(tag, 16).ok()?, number: number.parse().ok()? })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Run(seq) => write!(f, "{seq}"),
            Place::List { tag, number } => write!(f, "{tag:016x}.{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_and_places_come_back_from_their_text() {
        let id = "0190b8a0-0000-7000-8000-000000000001";
        for text in ["runs", "schedules", "notices", "notifications", &format!("run:{id}"), &format!("plan:{id}")] {
            let topic: Topic = text.parse().unwrap();
            assert_eq!(topic.to_string(), text);
            let place = if matches!(topic, Topic::Run(_)) { Place::Run(7) } else { Place::List { tag: u64::MAX - 1, number: 12 } };
            assert_eq!(Place::parse(topic, &place.to_string()), Some(place));
        }
        for text in ["", "run", "run:", "run:1", "runs:", "plan:x", "Runs", "run:0190b8a0-0000-7000-8000-000000000001 "] {
            assert_eq!(text.parse::<Topic>(), Err(()), "{text}");
        }
        for text in ["", "7", ".", "x.1", "1.", "1.-1", "1.1.1", "99999999999999999999.1"] {
            assert_eq!(Place::parse(Topic::Runs, text), None, "{text}");
        }
        assert_eq!(Place::parse(Topic::Run(RunId(uuid::Uuid::nil())), "-1"), None);
    }
}
