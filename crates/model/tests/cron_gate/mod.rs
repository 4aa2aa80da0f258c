//! Gate R5: a million timers on a virtual clock over both changes of the clocks in eight zones; fired = oracle, none early, none double.

use std::time::{Duration, Instant};

use jiff::tz::TimeZoneDatabase;
use jiff::{Timestamp, ToSpan};
use mainspring_model::cron::Cron;

const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Africa/Cairo",
    "Asia/Beirut",
    "America/Havana",
    "Europe/Dublin",
];
const DAY: usize = 86_400;
const TIMERS: usize = 1_000_000;
const LIMIT: Duration = Duration::from_secs(20);

/// A rule as the oracle understands it.
#[derive(Clone, Copy)]
enum Timer {
    /// Once a day, at this second of the day.
    Daily(usize),
    /// At this second of the day (of the morning) and twelve hours later.
    Twice(usize),
    /// At this second of every hour.
    Hourly(usize),
    /// At this second of every twenty minutes.
    Fine(usize),
}

impl Timer {
    fn expression(self) -> String {
        let (Timer::Daily(at) | Timer::Twice(at) | Timer::Hourly(at) | Timer::Fine(at)) = self;
        let (hour, minute, second) = (at / 3_600, at / 60 % 60, at % 60);
        match self {
            Timer::Daily(_) => format!("{second} {minute} {hour} * * *"),
            Timer::Twice(_) => format!("{second} {minute} {hour},{} * * *", hour + 12),
            Timer::Hourly(_) => format!("{second} {minute} * * * *"),
            Timer::Fine(_) => format!("{second} {minute}-59/20 * * * *"),
        }
    }
}

/// 125,000 different rules for one zone.
fn timers() -> Vec<Timer> {
    let mut timers: Vec<Timer> = (0..DAY).map(Timer::Daily).collect();
    timers.extend((0..3_600).step_by(3).map(Timer::Hourly));
    timers.extend((0..1_200).step_by(10).map(Timer::Fine));
    let rest = TIMERS / ZONES.len() - timers.len();
    timers.extend((0..rest).map(Timer::Twice));
    timers
}

/// The clock on the wall of one zone over the 24 hours around a change, and what the written rule makes of it.
struct Wall {
    start: i64,
    /// Per second of real time: the second of the civil day shown.
    shown: Vec<usize>,
    /// Per second of the civil day: the ticks at which a civil rule of that time is due (of one date or two).
    due: Vec<Vec<usize>>,
}

impl Wall {
    fn around(zone: &str, change: Timestamp) -> Wall {
        let tz = TimeZoneDatabase::bundled().get(zone).unwrap();
        let start = change.as_second() - 12 * 3_600;
        let local = |tick: usize| tz.to_datetime(Timestamp::from_second(start + tick as i64).unwrap());
        let midnight = local(0).date().to_datetime(jiff::civil::Time::midnight());
        let mut wall = Wall { start, shown: Vec::with_capacity(DAY), due: vec![Vec::new(); DAY] };
        let mut reached = None;
        for tick in 0..DAY {
            let civil = midnight.duration_until(local(tick)).as_secs() as usize;
            // Every time that the clock reaches or jumps over for the first time is due now.
            for first in reached.map_or(civil, |reached| reached + 1)..=civil {
                wall.due[first % DAY].push(tick);
            }
            reached = reached.max(Some(civil));
            wall.shown.push(civil % DAY);
        }
        wall
    }

    fn expects(&self, timer: Timer, tick: usize) -> bool {
        match timer {
            Timer::Daily(at) => self.due[at].contains(&tick),
            Timer::Twice(at) => self.due[at].contains(&tick) || self.due[at + DAY / 2].contains(&tick),
            Timer::Hourly(at) => self.shown[tick] % 3_600 == at,
            Timer::Fine(at) => self.shown[tick] % 1_200 == at,
        }
    }

    /// How many slots all timers together have.
    fn total(&self, timers: &[Timer]) -> usize {
        let mut of_hour = vec![0; 3_600];
        self.shown.iter().for_each(|shown| of_hour[shown % 3_600] += 1);
        let count = |timer: &Timer| match *timer {
            Timer::Daily(at) => self.due[at].len(),
            Timer::Twice(at) => self.due[at].len() + self.due[at + DAY / 2].iter().filter(|tick| !self.due[at].contains(tick)).count(),
            Timer::Hourly(at) => of_hour[at],
            Timer::Fine(at) => of_hour[at] + of_hour[at + 1_200] + of_hour[at + 2_400],
        };
        timers.iter().map(count).sum()
    }
}

/// Runs one zone's timers through a day: a virtual clock that ticks each second, and a wheel of who wakes when. Gives the count of firings.
fn run(crons: &[Cron], timers: &[Timer], wall: &Wall) -> usize {
    let mut wheel: Vec<Vec<u32>> = vec![Vec::new(); DAY];
    let tick_of = |slot: i64| usize::try_from(slot / 1_000 - wall.start).expect("a slot before its time");
    let arm = |wheel: &mut Vec<Vec<u32>>, index: usize, now: i64| {
        let slot = crons[index].next_after(now).expect("these rules never end");
        assert!(slot > now, "{:?} early or double at {now}", crons[index]);
        let tick = tick_of(slot);
        if tick < DAY {
            wheel[tick].push(index as u32);
        }
    };
    for index in 0..crons.len() {
        arm(&mut wheel, index, wall.start * 1_000 - 1);
    }
    let mut fired = 0;
    for tick in 0..DAY {
        for index in std::mem::take(&mut wheel[tick]) {
            let index = index as usize;
            assert!(wall.expects(timers[index], tick), "{:?} fired at tick {tick} from {}", crons[index], wall.start);
            fired += 1;
            arm(&mut wheel, index, (wall.start + tick as i64) * 1_000);
        }
    }
    fired
}

/// The first change in each direction in 2026.
fn changes(zone: &str) -> [Timestamp; 2] {
    let tz = TimeZoneDatabase::bundled().get(zone).unwrap();
    let from = "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap();
    let is_gap = |at: Timestamp| tz.to_offset(at).seconds() - tz.to_offset(at - 1.second()).seconds() > 0;
    [true, false].map(|gap| tz.following(from).map(|change| change.timestamp()).find(|at| is_gap(*at) == gap).unwrap())
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the gate's figure is a time")]
fn a_million_timers_fire_as_the_oracle_says_over_both_changes_in_eight_zones() {
    let start = Instant::now();
    let timers = timers();
    let per_zone = |zone: &str| {
        let crons: Vec<Cron> = timers.iter().map(|timer| Cron::parse(&timer.expression(), Some(zone)).unwrap()).collect();
        let mut fired = 0;
        for change in changes(zone) {
            let wall = Wall::around(zone, change);
            let once = run(&crons, &timers, &wall);
            // Every firing was expected and none came twice, so equal counts mean equal sets.
            assert_eq!(once, wall.total(&timers), "{zone} at {change}");
            fired += once;
        }
        (crons.len(), fired)
    };
    let halves: Vec<(usize, usize)> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            ZONES.chunks(4).map(|zones| scope.spawn(|| zones.iter().map(|zone| per_zone(zone)).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let (armed, fired) = halves.iter().fold((0, 0), |sum, half| (sum.0 + half.0, sum.1 + half.1));
    let (took, busy) = (start.elapsed(), processor_time().map_or(start.elapsed(), |time| time / 2));
    println!("{armed} timers, {fired} firings, {took:?}, {busy:?} of each of two processors");
    assert_eq!(armed, TIMERS);
    // On a machine that is shared, the time on the wall is the neighbours' too.
    assert!(took.min(busy) < LIMIT, "{took:?}, {busy:?} of each of two processors for {fired} firings");
}

/// What the threads of this process have used so far; the system counts in hundredths of a second.
fn processor_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in brackets may hold anything; user and system time are the 12th and 13th field after it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}
