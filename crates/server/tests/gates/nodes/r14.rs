//! R14: R2's load and kills while the clocks of the nodes are ten minutes ahead, ten minutes behind, and jump by an hour.
//!
//! `cargo x chaos r14 --minutes N --seed S` runs the long form on the release build. Only the wall clock is wrong, by
//! libfaketime; a machine without it skips this aloud.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::r2::{EVERY, storm};
use super::{gate, verdict};
use crate::gates::clock::{pause, wall_ms};
use crate::gates::dice::Dice;
use crate::gates::oracle::{Broken, Floor, Records};

const KILLS: u64 = 10;
const STEPS: usize = 1_000;
const HITS: usize = 60;
/// What the clocks of the first two are off by, in seconds, and by how much the third's jumps.
const OFF: [&str; 2] = ["+600", "-600"];
const JUMP: &str = "+3600";

#[test]
fn wrong_clocks_change_nothing() {
    let Some(library) = library() else {
        return println!("skipped: R14 needs libfaketime (Debian's package faketime), and this machine has none");
    };
    let kills = gate::minutes().map_or(KILLS, |minutes| minutes * 20);
    let floor = Floor { acked_steps: STEPS, kills: usize::try_from(kills).unwrap(), hits: HITS, settle_ms: 30_000 };
    gate::under_load("R14", &floor, async |folder, dice| mislead(folder, dice, kills, &library).await);
}

async fn mislead(folder: &Path, dice: &Dice, kills: u64, library: &Path) -> (Records, Vec<Broken>) {
    let hand = folder.join("clock");
    fs::write(&hand, "+0\n").unwrap();
    let tell = |index: usize| {
        let set = match OFF.get(index) {
            Some(off) => ("FAKETIME".to_owned(), (*off).to_owned()),
            None => ("FAKETIME_TIMESTAMP_FILE".to_owned(), hand.display().to_string()),
        };
        let own = [("LD_PRELOAD", library.display().to_string()), ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned())];
        let fresh = ("FAKETIME_NO_CACHE".to_owned(), "1".to_owned());
        own.into_iter().map(|(name, value)| (name.to_owned(), value)).chain([set, fresh]).collect()
    };
    let jump = async {
        pause(EVERY * u32::try_from(kills).unwrap() / 2).await;
        fs::write(&hand, format!("{JUMP}\n")).unwrap();
    };
    let ((records, mut found, ..), ()) = tokio::join!(storm("R14", folder, dice, kills, tell), jump);
    let real = wall_ms() / 1_000;
    for (index, off) in OFF.iter().chain([&JUMP]).enumerate() {
        let log = fs::read_to_string(folder.join(format!("n{index}")).join("server.log")).unwrap();
        let shown = verdict::last_moment(&log).map_or(0, |at| at - real);
        let wanted: i64 = off.parse().unwrap();
        println!("R14: the clock of node {index} was off by {shown} s");
        if (shown - wanted).abs() > Duration::from_secs(60).as_secs().cast_signed() {
            found.push(Broken { rule: "clock not wrong", text: format!("node {index} was off by {shown} s and should by {wanted} s") });
        }
    }
    (records, found)
}

fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|path| path.is_file())
}
