//! One reader: its topics and how far it has come in each. It takes from the rings when it can, so that a slow one holds up and fills nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use mainspring_model::id::{OrgId, Owner, PlanId, UserId};
use mainspring_model::store::StoreError;

use super::event;
use super::feed::Wake;
use super::hub::Hub;
use super::list::{About, Behind, List};
use super::people::WINDOW;
use super::topic::{Place, Topic};
use super::trail::{Ahead, PAGE, Row, Trail};

/// Counted as one of its organization's readers until it is dropped.
pub struct Reader {
    hub: Arc<Hub>,
    org: OrgId,
    user: UserId,
    /// Which plans it reaches.
    sees: Sees,
    wake: Wake,
    subscriptions: Vec<Subscription>,
    /// Taken and not yet given.
    ready: VecDeque<Item>,
    /// Whose turn it is: one busy topic must not hold back the others.
    turn: usize,
}

struct Subscription {
    topic: Topic,
    /// The plan that it is about, or whose run it is.
    plan: Option<PlanId>,
    source: Source,
}

enum Source {
    List { list: Arc<List>, after: u64 },
    Run { trail: Arc<Trail>, after: u32, state: u64 },
}

/// What a reader is given.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `place` is where to go on after it; without one it tells how a run stands now, and cannot be asked for again.
    Event { topic: Topic, place: Option<Place>, text: Arc<str> },
    /// Events were missed that nobody has any more: fetch the state anew. What follows begins behind `place`.
    Reset { topic: Topic, place: Place },
    /// The run is over and told to its end; the topic is left.
    End { topic: Topic },
}

/// Why a topic cannot be followed.
#[derive(Debug)]
pub enum Refused {
    /// Also for what belongs to somebody else.
    Unknown,
    /// This reader has as many topics as one may have.
    TooManyTopics,
    /// The node follows as many runs as it can.
    Full,
    Store(StoreError),
}

/// Which plans a reader reaches, as it was when somebody looked last.
pub type Sees = Arc<dyn Fn(PlanId) -> bool + Send + Sync>;

/// Taken from one topic at a time.
const HELPING: usize = 32;

impl Reader {
    /// `None` when the organization or the node has as many readers as it may.
    pub fn new(hub: &Arc<Hub>, owner: Owner, sees: Sees) -> Option<Reader> {
        hub.admit(owner.org).then(|| Reader {
            hub: hub.clone(),
            org: owner.org,
            user: owner.user,
            sees,
            wake: Wake::default(),
            subscriptions: Vec::new(),
            ready: VecDeque::new(),
            turn: 0,
        })
    }

    /// Follows a topic: behind `after`, or without it a run from its beginning and a list from now. Gives the place behind which it
    /// begins, and nothing when it is followed already.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn subscribe(&mut self, topic: Topic, after: Option<Place>) -> Result<Place, Refused> {
        if let Some(known) = self.subscriptions.iter().find(|subscription| subscription.topic == topic) {
            return Ok(known.place());
        }
        if self.subscriptions.len() >= self.hub.terms.most_topics {
            return Err(Refused::TooManyTopics);
        }
        let plan = self.look_for(topic).await?;
        let wake = &self.wake;
        let source = match topic {
            Topic::Run(run) => {
                let after = if let Some(Place::Run(seq)) = after { seq } else { 0 };
                let trail = self.hub.trail(self.org, run, after, |trail| trail.listeners.add(wake)).ok_or(Refused::Full)?;
                Source::Run { trail, after, state: 0 }
            }
            Topic::Runs | Topic::Plan(_) | Topic::Schedules | Topic::Notices | Topic::Notifications => {
                // What is there before the bell rings is known already.
                let unread = match topic {
                    Topic::Notifications => self.hub.store.unread_of(self.org, &[self.user], WINDOW).await.map_err(Refused::Store)?,
                    _ => Vec::new(),
                };
                let list = self.hub.list(self.org, |list| {
                    list.listeners.add(wake);
                    if topic == Topic::Schedules {
                        list.of_schedules.fetch_add(1, Ordering::AcqRel);
                    }
                    if topic == Topic::Notifications {
                        list.people.follow(self.user, &unread);
                    }
                });
                // It may have been begun without them.
                list.bell.ring(None);
                let newest = list.newest();
                let after = match after {
                    None => newest,
                    Some(Place::List { tag, number }) if tag == list.tag => number,
                    Some(_) => {
                        // Of another node, or of a time that is gone.
                        let place = Place::List { tag: list.tag, number: newest };
                        self.ready.push_back(Item::Reset { topic, place });
                        newest
                    }
                };
                Source::List { list, after }
            }
        };
        let subscription = Subscription { topic, plan, source };
        let place = subscription.place();
        self.subscriptions.push(subscription);
        self.wake.notify_one();
        Ok(place)
    }

    /// Leaves a topic; `false` when it was not followed.
    pub fn unsubscribe(&mut self, topic: Topic) -> bool {
        let Some(index) = self.subscriptions.iter().position(|subscription| subscription.topic == topic) else { return false };
        self.subscriptions.swap_remove(index).leave(&self.wake);
        self.ready.retain(|item| item.topic() != topic);
        true
    }

    /// Goes by what the reader reaches now: topics that it reaches no longer end, and what waits of them is not told.
    pub fn look_again(&mut self, sees: Sees) {
        self.sees = sees;
        let gone = |subscription: &Subscription| subscription.plan.is_some_and(|plan| !(self.sees)(plan));
        let gone: Vec<Topic> =
            self.subscriptions.iter().filter(|subscription| gone(subscription)).map(|subscription| subscription.topic).collect();
        for topic in gone {
            self.unsubscribe(topic);
            self.ready.push_back(Item::End { topic });
        }
    }

    /// Every topic has ended and been told to its end.
    pub fn is_done(&self) -> bool {
        self.subscriptions.is_empty() && self.ready.is_empty()
    }

    /// The next item; waits until there is one. Nothing is lost when it is dropped before.
    pub async fn next(&mut self) -> Item {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return item;
            }
            match self.fill().await {
                Ok(true) => {}
                Ok(false) => self.wake.notified().await,
                Err(error) => {
                    if !self.hub.breathe(&error).await {
                        std::future::pending::<()>().await;
                    }
                }
            }
        }
    }

    /// A helping of the next topic that has something; `false` when none has.
    async fn fill(&mut self) -> Result<bool, StoreError> {
        let (plans, user) = (self.sees.clone(), self.user);
        let sees = move |about: About| match about {
            About::Run(plan) | About::Schedule(plan) | About::Notice(plan) => plans(plan),
            About::Notification(of) => of == user,
        };
        for _ in 0..self.subscriptions.len() {
            self.turn = (self.turn + 1) % self.subscriptions.len();
            let subscription = &mut self.subscriptions[self.turn];
            let over = subscription.take(&self.hub, &sees, &mut self.ready).await?;
            if over {
                let topic = subscription.topic;
                self.subscriptions.swap_remove(self.turn).leave(&self.wake);
                self.ready.push_back(Item::End { topic });
            }
            if !self.ready.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether there is such a thing in the organization, and the plan that it belongs to.
    async fn look_for(&self, topic: Topic) -> Result<Option<PlanId>, Refused> {
        let plan = match topic {
            Topic::Run(run) => {
                let found = self.hub.store.runs_by_id(self.org, &[run]).await.map_err(Refused::Store)?;
                found.first().map(|run| run.plan_id)
            }
            Topic::Plan(plan) => self.hub.store.get_plan(self.org, plan).await.map_err(Refused::Store)?.map(|_| plan),
            Topic::Runs | Topic::Schedules | Topic::Notices | Topic::Notifications => return Ok(None),
        };
        plan.filter(|plan| (self.sees)(*plan)).map(Some).ok_or(Refused::Unknown)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        for subscription in self.subscriptions.drain(..) {
            subscription.leave(&self.wake);
        }
        self.hub.dismiss(self.org);
    }
}

impl Item {
    pub fn topic(&self) -> Topic {
        match self {
            Item::Event { topic, .. } | Item::Reset { topic, .. } | Item::End { topic } => *topic,
        }
    }
}

impl Subscription {
    fn place(&self) -> Place {
        match &self.source {
            Source::List { list, after } => Place::List { tag: list.tag, number: *after },
            Source::Run { after, .. } => Place::Run(*after),
        }
    }

    /// Moves a helping into `ready`; whether nothing will come any more.
    async fn take(
        &mut self,
        hub: &Hub,
        sees: &(dyn Fn(About) -> bool + Send + Sync),
        ready: &mut VecDeque<Item>,
    ) -> Result<bool, StoreError> {
        let topic = self.topic;
        match &mut self.source {
            Source::List { list, after } => match list.take(topic, *after, HELPING, sees) {
                Ok((taken, upto)) => {
                    let place = |number| Some(Place::List { tag: list.tag, number });
                    ready.extend(taken.into_iter().map(|(number, text)| Item::Event { topic, place: place(number), text }));
                    *after = upto;
                }
                Err(Behind(newest)) => {
                    *after = newest;
                    ready.push_back(Item::Reset { topic, place: Place::List { tag: list.tag, number: newest } });
                }
            },
            Source::Run { trail, after, state } => {
                let rows: Vec<Row> = match trail.ahead(*after, HELPING) {
                    Ahead::Rows(rows) => rows,
                    Ahead::InTheJournal => {
                        let events = hub.store.journal_after(trail.org, trail.run, *after, PAGE).await?;
                        if events.is_empty() {
                            // Pruned meanwhile.
                            return Ok(true);
                        }
                        events.iter().map(|event| (event.seq, event::row(trail.run, event).map(Arc::from))).collect()
                    }
                    Ahead::Beyond(last) => {
                        *after = last;
                        ready.push_back(Item::Reset { topic, place: Place::Run(last) });
                        return Ok(false);
                    }
                    Ahead::Nothing { over } => {
                        let stands = trail.state();
                        if stands.version > *state {
                            *state = stands.version;
                            ready.extend(stands.text.map(|text| Item::Event { topic, place: None, text }));
                        }
                        return Ok(over);
                    }
                };
                for (seq, text) in rows {
                    *after = seq;
                    ready.extend(text.map(|text| Item::Event { topic, place: Some(Place::Run(seq)), text }));
                }
                // Rows without an event leave nothing: there may be more behind them.
                if ready.is_empty() {
                    return Box::pin(self.take(hub, sees, ready)).await;
                }
            }
        }
        Ok(false)
    }

    fn leave(self, wake: &Wake) {
        match self.source {
            Source::List { list, .. } => {
                list.listeners.remove(wake);
                if self.topic == Topic::Schedules {
                    list.of_schedules.fetch_sub(1, Ordering::AcqRel);
                }
            }
            Source::Run { trail, .. } => trail.listeners.remove(wake),
        }
    }
}
