//! `newsletter.yaml`: a model's text by stream, on to a webhook, and what happens when the model is busy or the key wrong.

use mainspring_engine::LoadedPlan;
use mainspring_model::clock::{Clock, FakeClock};
use mainspring_model::event::AttemptStatus;
use mainspring_model::run::RunStatus;
use mainspring_model::run::StepStatus::{Error, NotReached, Success};
use serde_json::{Value, json};

use super::world::World;
use crate::servers::{Chat, Refusal, Server, board};

pub const PLAN: &str = "newsletter.yaml";

const KEY: &str = "sk-test-5f1c";
const TEXT: &str = "Night trains are back 🌙\n\nEleven cities are joined again by sleeping cars. Größere Züge follow in May.\n\
    Tickets <from> 29 € & up.\n";
const BODY: &str = "Eleven cities are joined again by sleeping cars. Größere Züge follow in May.\nTickets <from> 29 € & up.";

struct Case {
    world: World,
    plan: LoadedPlan,
    chat: Chat,
    hook: Server,
}

impl Case {
    async fn new(world: World, key: &str) -> Case {
        let (chat, hook) = (Chat::start(KEY, TEXT).await, board().await);
        world.credential("openai", &[("api_key", key), ("base_url", &chat.base_url())]).await;
        let plan = world.save(PLAN).await;
        Case { world, plan, chat, hook }
    }

    fn inputs(&self) -> Value {
        json!({"topic": "night trains", "webhook_url": self.hook.url("/in")})
    }

    /// The one delivery, and what it must be.
    fn delivered(&self, run: &str) {
        let asked = self.hook.asked();
        assert_eq!(self.hook.lines(), ["POST /in"]);
        assert_eq!((asked[0].header("content-type"), asked[0].header("x-newsletter-run")), ("application/json", run));
        assert_eq!(asked[0].header("authorization"), "", "the model's key goes to the model alone");
        assert_eq!(
            asked[0].json(),
            json!({
                "subject": "Night trains are back 🌙", "body": BODY, "tokens": 64,
                "html": "<h1>Night trains are back 🌙</h1><p>Eleven cities are joined again by sleeping cars. Größere Züge follow in May.\n\
                    Tickets &lt;from&gt; 29 € &amp; up.</p>",
            })
        );
    }
}

#[tokio::test]
async fn the_text_streams_in_and_goes_out_whole() {
    let case = Case::new(World::open().await, KEY).await;
    let run = case.world.run(&case.plan, case.inputs()).await;

    assert_eq!(
        run.output(),
        &json!({"subject": "Night trains are back 🌙", "words": 19, "model": "gpt-4o-mini-2024-07-18", "delivery": {"received": 1}})
    );
    assert_eq!(run.statuses(), [("write", Success), ("layout", Success), ("send", Success)]);
    assert_eq!(run.step("write").output, TEXT);
    assert_eq!(run.step("write").metadata["usage"]["completion_tokens"], 24);
    assert_eq!(run.step("send").metadata["status_code"], 201);
    assert_eq!(run.count("attempted"), 3);

    let asked = case.chat.server.asked();
    assert_eq!(case.chat.server.lines(), ["POST /v1/chat/completions"]);
    assert_eq!(asked[0].header("authorization"), format!("Bearer {KEY}"));
    assert_eq!(
        asked[0].json(),
        json!({
            "model": "gpt-4o-mini",
            "messages": [
                {"role": "system", "content": "You are the editor of a newsletter. Plain words, no hype, no emoji. The first line is the subject."},
                {"role": "user", "content": "Write a newsletter of about 150 words on night trains for curious engineers."},
            ],
            "temperature": 0.4, "max_tokens": 600, "stream": true, "stream_options": {"include_usage": true},
        })
    );
    case.delivered(&run.id.to_string());
    let journal = serde_json::to_string(&run.events).unwrap();
    assert!(!journal.contains(KEY), "the key is in the journal");
}

#[tokio::test]
async fn a_model_in_trouble_is_asked_again_when_it_said_and_not_before() {
    // Its own word where it gives one, else the plan's delay.
    for (refusal, wait, code) in [
        (Refusal::Busy { retry_after: 7 }, 7_000, "RATE_LIMITED"),
        (Refusal::Overloaded, 2_000, "HTTP_503"),
        (Refusal::Midway, 2_000, "PROVIDER_ERROR"),
    ] {
        let clock = FakeClock::at(1_800_000_000_000);
        let case = Case::new(World::at(clock.clone()).await, KEY).await;
        case.chat.refuse([refusal]);
        let mut handle = case.world.start(&case.plan, case.inputs()).await;
        assert!(handle.settled().await.parked, "{refusal:?}");
        assert_eq!((case.chat.server.asked().len(), case.hook.asked().len()), (1, 0));

        case.world.go_on_at(&clock, clock.now() + wait).await;
        let run = case.world.ended(handle.id).await;
        assert_eq!(run.output()["delivery"], json!({"received": 1}));
        assert_eq!(case.chat.server.asked().len(), 2);
        assert_eq!(case.chat.server.asked()[0].body, case.chat.server.asked()[1].body);
        case.delivered(&run.id.to_string());

        let attempts = &run.step("write").attempts;
        let statuses: Vec<AttemptStatus> = attempts.iter().map(|attempt| attempt.status).collect();
        assert_eq!(statuses, [AttemptStatus::Retrying, AttemptStatus::Success]);
        assert_eq!(attempts[0].error.as_ref().unwrap().code.as_str(), code);
        assert_eq!(attempts[0].retry_at, Some(clock.now()));
    }
}

#[tokio::test]
async fn what_no_waiting_helps_ends_the_run_at_once() {
    for (key, refusal, code, says) in [
        ("sk-wrong", None, "HTTP_401", "the api_key of the credential \"default\" is not accepted by OpenAI; store a valid one"),
        (KEY, Some(Refusal::Quota), "RATE_LIMITED", "the account's quota is used up; check its plan and billing"),
    ] {
        let case = Case::new(World::open().await, key).await;
        case.chat.refuse(refusal);
        let run = case.world.run(&case.plan, case.inputs()).await;
        let error = run.ending.error.as_ref().unwrap();
        assert_eq!((run.ending.status, error.code.as_str()), (RunStatus::Error, code));
        assert!(error.message.contains(says), "{error}");
        assert!(!error.message.contains(key), "{error}");
        assert_eq!(run.statuses(), [("write", Error), ("layout", NotReached), ("send", NotReached)]);
        assert_eq!((case.chat.server.asked().len(), case.hook.asked().len()), (1, 0));
    }
}
