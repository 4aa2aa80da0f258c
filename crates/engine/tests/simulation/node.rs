//! One life of one node: an engine with its loops on a runtime of its own, so that its death drops every task it had.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use mainspring_engine::triggers::{self, Sight};
use mainspring_engine::{Engine, NoMarks, Parts, Settings, Start, StartError, StoreClock};
use mainspring_model::clock::Clock;
use mainspring_model::id::{OrgId, Owner, RunId};
use mainspring_model::store::Store;
use mainspring_vault::{Entropy, KeyRing, Redactor, Vault, VaultError};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

use super::actions;
use super::agenda::NodeClock;
use super::database::Sabotage;
use super::dice::Dice;
use super::scenario::{self, Request};
use super::store::NodeStore;
use super::world::World;

/// What a caller asks of a node.
pub enum Asked {
    Start(Request),
    Cancel(RunId),
    /// To go in order.
    Drain,
}

/// Told when a runtime has nothing more to do.
#[derive(Default)]
struct Idle {
    flag: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// Dropped, it drops every task where it stands.
pub struct Node {
    runtime: Runtime,
    idle: Arc<Idle>,
}

/// The vault's randomness, from the seed.
struct SeededEntropy(Mutex<Dice>);

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), VaultError> {
        let mut dice = self.0.lock().unwrap();
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&dice.next().to_be_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl Node {
    pub fn new(world: &Arc<World>, node: usize, life: u32, dice: &Dice) -> Node {
        let idle = Arc::<Idle>::default();
        let parked = idle.clone();
        let runtime = Builder::new_current_thread()
            .on_thread_park(move || {
                parked.flag.store(true, Ordering::SeqCst);
                if let Some(waker) = parked.waker.lock().unwrap().take() {
                    waker.wake();
                }
            })
            .build()
            .unwrap();
        let entropy = Arc::new(SeededEntropy(Mutex::new(dice.fork(&format!("{node}/{life}")))));
        let process = serve(world.clone(), node, life, entropy);
        runtime.spawn(watched(world.clone(), "the process", process));
        Node { runtime, idle }
    }

    /// Runs its tasks until all of them wait.
    pub fn turn(&self) {
        self.idle.flag.store(false, Ordering::SeqCst);
        self.runtime.block_on(std::future::poll_fn(|cx| {
            if self.idle.flag.load(Ordering::SeqCst) {
                return Poll::Ready(());
            }
            *self.idle.waker.lock().unwrap() = Some(cx.waker().clone());
            Poll::Pending
        }));
    }
}

/// A process from its start on: registers, takes up work, renews and sweeps, and answers callers.
async fn serve(world: Arc<World>, node: usize, life: u32, entropy: Arc<SeededEntropy>) {
    let skew = world.slots[node].skew.clone();
    let clock = NodeClock { world: world.clone(), node, skew: skew.clone() };
    let store = Arc::new(NodeStore {
        world: world.clone(),
        node,
        life,
        epoch: AtomicI64::new(0),
        sure_until: AtomicI64::new(0),
        renewed: Arc::default(),
        skew,
        arrived: Arc::default(),
        unanswered: Arc::default(),
    });
    let pause = {
        let clock = clock.clone();
        move |how_long| clock.pause(how_long)
    };
    let store_clock = Arc::new(StoreClock::new(Arc::new(clock.clone()), pause));
    let begun = async {
        let epoch = store.register().await?;
        world.set_epoch(node, epoch);
        store_clock.correct(&*store).await
    };
    if let Err(error) = begun.await {
        return world.kill(node, life, &format!("at its start: {error}"));
    }
    let follows: Arc<dyn Clock> =
        if world.sabotage == Some(Sabotage::MachineClock) { Arc::new(clock.clone()) } else { store_clock.clone() };
    let ring = KeyRing::parse(KEY).expect("a well-formed key");
    let engine = Engine::new(Parts {
        store: store.clone() as Arc<dyn Store>,
        catalog: Arc::new(actions::catalog(&world, node, life)),
        vault: Arc::new(Vault::new(ring, entropy)),
        redactor: Arc::new(Redactor::new()),
        clock: follows,
        marks: Arc::new(NoMarks),
        settings: Settings { poll: Duration::from_secs(4), ..Settings::default() },
    });
    let keyed = async {
        engine.credentials().load_keys().await?;
        engine.credentials().ensure_key(OrgId::LOCAL).await
    };
    if let Err(error) = keyed.await {
        return world.kill(node, life, &format!("at its start: {error}"));
    }
    let (callers, mut asked) = mpsc::unbounded_channel();
    world.note(format!("node {node} life {life} is ready"));
    world.listen(node, store.arrived.clone(), callers);
    let (claiming, scheduling) = (engine.clone(), engine.clone());
    tokio::spawn(watched(world.clone(), "the claims", async move { claiming.serve_claims().await }));
    tokio::spawn(watched(world.clone(), "the schedules", async move { scheduling.serve_schedules().await }));
    tokio::spawn(watched(world.clone(), "the lease", hold(world.clone(), node, life, clock.clone(), store.clone(), store_clock)));
    tokio::spawn(watched(world.clone(), "the sweep", sweep(clock.clone(), store.clone())));
    while let Some(asked) = asked.recv().await {
        if matches!(asked, Asked::Drain) {
            break;
        }
        tokio::spawn(watched(world.clone(), "an answer", answer(world.clone(), engine.clone(), asked)));
    }
    // As on a signal to end: whoever waits for the process kills it after a while.
    let done = async {
        engine.drain(3_000).await;
        store.sign_off().await
    };
    let (done, patience) = (std::pin::pin!(done), clock.pause(Duration::from_secs(15)));
    match futures_util::future::select(done, patience).await {
        futures_util::future::Either::Left((Ok(()), _)) => world.kill(node, life, "after it signed off"),
        futures_util::future::Either::Left((Err(_), _)) => world.kill(node, life, "without signing off"),
        futures_util::future::Either::Right(_) => world.kill(node, life, "while it drained"),
    }
}

/// A panic in a loop would leave a node that looks alive and does nothing: it is a broken promise.
async fn watched(world: Arc<World>, what: &'static str, work: impl Future<Output = ()> + Send + 'static) {
    if let Err(error) = tokio::spawn(work).await
        && error.is_panic()
    {
        world.judge().broke(format!("panic: {what} of a node failed: {error}"));
    }
}

/// Renews the registration; a node that was swept meanwhile begins anew.
async fn hold(world: Arc<World>, node: usize, life: u32, clock: NodeClock, store: Arc<NodeStore>, store_clock: Arc<StoreClock>) {
    loop {
        clock.pause(Duration::from_secs(3)).await;
        match store.renew().await {
            Ok(true) => {}
            // Its process may end; or it goes on under a new number, and what it drives under the old one learns that it is late.
            Ok(false) if world.percent(50) => return world.kill(node, life, "because it was swept"),
            Ok(false) => match store.register().await {
                Ok(epoch) => world.set_epoch(node, epoch),
                Err(error) => world.note(format!("node {node} was not registered again: {error}")),
            },
            Err(error) => {
                world.note(format!("node {node} was not renewed: {error}"));
                continue;
            }
        }
        // An error leaves the last known offset.
        let _ = store_clock.correct(&*store).await;
    }
}

async fn sweep(clock: NodeClock, store: Arc<NodeStore>) {
    loop {
        clock.pause(Duration::from_secs(2)).await;
        // An error leaves the rest to the next sweep.
        let _ = store.sweep().await;
    }
}

async fn answer(world: Arc<World>, engine: Engine, asked: Asked) {
    match asked {
        // Handled where the process is.
        Asked::Drain => {}
        Asked::Cancel(run) => match engine.cancel(OrgId::LOCAL, run, "a caller").await {
            Ok(asked) => world.note(format!("the cancellation of {run} is accepted: {asked}")),
            Err(error) => world.note(format!("the cancellation of {run} is refused: {error}")),
        },
        Asked::Start(request) => match start(&engine, &request).await {
            Ok(run) => world.acknowledge(&request, run),
            Err(error) => world.note(format!("request {} is refused: {error}", request.no)),
        },
    }
}

async fn start(engine: &Engine, request: &Request) -> Result<RunId, StartError> {
    let plan = scenario::loaded(request.plan);
    let given: Value = json!({"token": format!("t{}", request.no)});
    let mut start = match plan.plan.triggers.first() {
        // As a webhook does it.
        Some(trigger) if trigger.burst.is_some() => {
            let seen = json!({"id": trigger.id, "type": "webhook", "body": given});
            let sight = Sight { trigger: &seen, org: &json!({}), now: engine.clock().now() };
            let (inputs, burst) = triggers::fired(plan.id, &plan.plan, trigger, sight).unwrap().expect("no if");
            Start { trigger: seen, burst, ..Start::manual(Owner::LOCAL, plan, inputs) }
        }
        _ => {
            let inputs = plan.plan.inputs.accept(&given).map_err(StartError::Inputs)?;
            Start::manual(Owner::LOCAL, plan, inputs)
        }
    };
    start.key = request.key.clone();
    engine.start(start).await?.accepted().await
}

/// One key for all nodes of all worlds: nothing here is secret.
const KEY: &str = "MuS8AqfM801yaS238IqpRRAuKQvrSDLVZzuYcBXYy08=";
