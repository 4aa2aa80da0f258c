//! A group of run writes before and after its statements: which run has which drafts, what they are judged to be, what is counted.

use std::collections::HashMap;

use mainspring_model::id::RunId;
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Committed, StoreError};

use super::draft::{Birth, Draft, HELD, Stand};
use super::judge::{Change, Known, Verdict, judge};

/// A verdict for each draft of a group, in their order.
pub(crate) type Verdicts = Vec<Result<Committed, StoreError>>;

/// One run's part in the group.
pub(crate) struct Entry<P> {
    pub(crate) run: RunId,
    /// Places among the group's drafts, in order.
    pub(crate) drafts: Vec<usize>,
    pub(crate) known: Option<Known<P>>,
    pub(crate) change: Change,
    pub(crate) born: bool,
    pub(crate) ended: bool,
}

/// A new run with the standing that its first batch leaves it in.
pub(crate) struct Newborn<'a, P> {
    pub(crate) run: RunId,
    pub(crate) birth: &'a Birth,
    pub(crate) known: &'a Known<P>,
    pub(crate) stand: &'a Stand,
}

impl<P> Newborn<'_, P> {
    pub(crate) fn is_queued(&self) -> bool {
        self.stand.status == RunStatus::Queued
    }
}

/// The group's drafts by run, in the order in which each run came first.
pub(crate) fn entries<P>(drafts: &[&Draft]) -> Vec<Entry<P>> {
    let mut places = HashMap::with_capacity(drafts.len());
    let mut entries: Vec<Entry<P>> = Vec::with_capacity(drafts.len());
    for (index, draft) in drafts.iter().enumerate() {
        let place = *places.entry(draft.run).or_insert_with(|| {
            entries.push(Entry {
                run: draft.run,
                drafts: Vec::with_capacity(1),
                known: None,
                change: Change::default(),
                born: false,
                ended: false,
            });
            entries.len() - 1
        });
        entries[place].drafts.push(index);
    }
    entries
}

impl<P> Entry<P> {
    /// Judges the writes of one run in order, against what is known of it. `epoch` is the process's own.
    pub(crate) fn judge(&mut self, drafts: &[&Draft], epoch: i64, verdicts: &mut Verdicts) {
        let Some(known) = &mut self.known else { return };
        let was_terminal = known.status.is_terminal();
        for (nth, index) in self.drafts.iter().enumerate() {
            let draft = drafts[*index];
            // A process without an epoch makes runs and writes nothing else of them.
            let foreign = draft.epoch != epoch || (epoch == 0 && !self.born);
            verdicts[*index] = if foreign {
                Ok(Committed::Late)
            } else if draft.birth.is_some() && !(self.born && nth == 0) {
                Ok(Committed::Exists(self.run))
            } else {
                match judge(known, &mut self.change, draft) {
                    Verdict::Accepted => Ok(Committed::Done),
                    Verdict::Late => Ok(Committed::Late),
                    Verdict::Refused(error) => Err(error),
                }
            };
        }
        self.ended = known.status.is_terminal() && !was_terminal;
    }

    /// Takes the run as born with this place, and judges its writes. A birth that is itself refused leaves nothing behind.
    pub(crate) fn bear(&mut self, place: P, drafts: &[&Draft], epoch: i64, verdicts: &mut Verdicts) -> bool {
        let draft = drafts[self.drafts[0]];
        self.born = true;
        self.known = Some(Known {
            place,
            status: RunStatus::Running,
            epoch: draft.epoch,
            seq: 0,
            crashed: false,
            parent: draft.birth.as_ref().and_then(|birth| birth.parent.as_ref()).map(|(parent, _)| *parent),
        });
        self.judge(drafts, epoch, verdicts);
        if verdicts[self.drafts[0]].is_ok() {
            return true;
        }
        self.forget();
        self.drafts[1..].iter().for_each(|index| verdicts[*index] = Ok(Committed::Late));
        false
    }

    /// The run could not be made: `there` is in its place.
    pub(crate) fn displace(&mut self, there: RunId, verdicts: &mut Verdicts) {
        self.forget();
        for index in &self.drafts {
            verdicts[*index] = Ok(Committed::Late);
        }
        verdicts[self.drafts[0]] = Ok(Committed::Exists(there));
    }

    /// As if nobody had tried to make it.
    fn forget(&mut self) {
        self.born = false;
        self.ended = false;
        self.known = None;
        self.change = Change::default();
    }

    pub(crate) fn first_birth<'d>(&self, drafts: &[&'d Draft]) -> Option<&'d Birth> {
        drafts[self.drafts[0]].birth.as_deref()
    }

    /// The run as it is to be inserted. For entries that [`Entry::bear`] accepted.
    pub(crate) fn newborn<'e>(&'e self, drafts: &[&'e Draft]) -> Newborn<'e, P> {
        Newborn {
            run: self.run,
            birth: self.first_birth(drafts).expect("a candidate begins with a birth"),
            known: self.known.as_ref().expect("a candidate was judged"),
            stand: self.stand(),
        }
    }

    /// How the run stands after this group, if its row has to say so.
    pub(crate) fn stand(&self) -> &Stand {
        self.change.stand.as_ref().unwrap_or(&HELD)
    }

    /// Made, ended well, ended badly. A run that somebody cancelled did not fail.
    pub(crate) fn counts(&self) -> [i64; 3] {
        let Some(known) = &self.known else { return [0; 3] };
        let well = known.status == RunStatus::Success;
        let badly = !well && known.status != RunStatus::Cancelled;
        [self.born, self.ended && well, self.ended && badly].map(i64::from)
    }
}

/// Accepted drafts with what is known of their run.
pub(crate) fn accepted<'e, P>(
    entries: &'e [Entry<P>],
    drafts: &'e [&'e Draft],
    verdicts: &'e Verdicts,
) -> impl Iterator<Item = (&'e Entry<P>, &'e Known<P>, &'e Draft)> {
    let done = |index: &&usize| matches!(verdicts[**index], Ok(Committed::Done));
    entries
        .iter()
        .filter_map(|entry| Some((entry, entry.known.as_ref()?)))
        .flat_map(move |(entry, known)| entry.drafts.iter().filter(done).map(move |index| (entry, known, drafts[*index])))
}
