//! What a waiting child still has, as the kernel tells it.

use std::fs;

use serde_json::json;

use super::eye::{children, status};
use crate::sandbox::{has_namespaces, run, sandbox};

#[tokio::test]
async fn a_child_has_no_files_no_network_no_environment_and_no_way_back() {
    let sandbox = sandbox();
    assert_eq!(run(&sandbox, "return 1").await, Ok(json!(1)));
    let id = children()[0];
    assert_eq!(status(id, "Seccomp").as_deref(), Some("2"), "a filter of system calls");
    assert_eq!(status(id, "NoNewPrivs").as_deref(), Some("1"));
    assert_eq!(status(id, "Threads").as_deref(), Some("1"));
    let limits = fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
    for name in ["Max core file size", "Max open files", "Max processes", "Max file size"] {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        assert_eq!(line[name.len()..].split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"], "{line}");
    }
    // The rest can be read by whoever may trace it, which a child forbids to all but root.
    let Ok(environment) = fs::read(format!("/proc/{id}/environ")) else { return };
    assert!(fs::read("/proc/self/environ").unwrap().len() > 100, "this process has an environment");
    let mut environment: Vec<_> = String::from_utf8_lossy(&environment).split_terminator('\0').map(str::to_owned).collect();
    environment.sort();
    assert_eq!(environment, ["MALLOC_MMAP_THRESHOLD_=131072", "MALLOC_TRIM_THRESHOLD_=131072", "TZ=UTC0"]);
    let mut open: Vec<u32> =
        fs::read_dir(format!("/proc/{id}/fd")).unwrap().filter_map(|one| one.ok()?.file_name().to_str()?.parse().ok()).collect();
    open.sort_unstable();
    assert_eq!(open, [0, 1, 2], "no descriptor of its parent");
    if !has_namespaces().await {
        return;
    }
    for space in ["user", "net", "mnt", "ipc", "uts", "cgroup"] {
        let of = |who: &str| fs::read_link(format!("/proc/{who}/ns/{space}")).unwrap();
        assert_ne!(of(&id.to_string()), of("self"), "{space}");
    }
    let devices = fs::read_to_string(format!("/proc/{id}/net/dev")).unwrap();
    assert_eq!(devices.lines().count(), 3, "loopback alone, and that down: {devices}");
    assert_eq!(fs::read_dir(format!("/proc/{id}/root")).unwrap().count(), 0, "an empty root");
}

#[tokio::test]
async fn an_organization_never_gets_the_child_of_another() {
    use crate::sandbox::{run_for, settings};
    use mainspring_model::id::OrgId;
    use mainspring_sandbox::{Sandbox, Settings};
    use std::collections::{BTreeMap, BTreeSet};

    let sandbox = Sandbox::new(Settings { children: 2, ..settings() });
    let orgs: Vec<OrgId> = (1..=3_u128).map(|number| format!("00000000-0000-7000-8000-{number:012}").parse().unwrap()).collect();
    let mut served: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
    for turn in 0..12 {
        let who = [0, 1, 0, 2, 2, 1][turn % 6];
        let before: BTreeMap<u32, u64> = children().into_iter().filter_map(|id| Some((id, times(id)?))).collect();
        run_for(&sandbox, orgs[who], json!({"code": "let sum = 0; for (let n = 0; n < 4e6; n++) sum += n; return sum"})).await.unwrap();
        for id in children() {
            // Whoever worked meanwhile worked for this one: a spare takes next to nothing.
            if times(id).is_some_and(|now| before.get(&id).is_some_and(|then| now >= then + 4)) {
                served.entry(id).or_default().insert(who);
            }
        }
    }
    assert!(served.values().any(|orgs| orgs.len() == 1), "children were seen at work: {served:?}");
    assert!(served.values().all(|orgs| orgs.len() == 1), "one served two: {served:?}");
}

/// Hundredths of a second that a process computed.
fn times(id: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    text.rsplit(") ").next()?.split(' ').nth(11)?.parse().ok()
}
