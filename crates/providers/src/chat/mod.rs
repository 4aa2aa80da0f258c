//! Providers `openai` and `groq`: chat completion, against them or any server that speaks OpenAI's protocol.

mod completion;
mod fault;
mod params;
mod request;
mod spending;
mod stream;
mod verify;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, Output, TypedAction, erase};
use mainspring_model::budget::ModelCall;
use mainspring_model::catalog::{Provider, Verify};
use mainspring_model::credential::{CredentialField, host_of};
use mainspring_model::{Code, Fault};
use serde_json::{Value, json};

use crate::egress::Egress;
use completion::Completion;
use params::ChatParams;
use verify::ListModels;

/// Where two services that share a protocol differ.
pub(crate) struct Vendor {
    id: &'static str,
    title: &'static str,
    base_url: &'static str,
    model: &'static str,
    most: fn(&Value) -> ModelCall,
}

const OPENAI: Vendor =
    Vendor { id: "openai", title: "OpenAI", base_url: "https://api.openai.com/v1", model: "gpt-4o-mini", most: spending::of_openai };
/// The earlier default, llama3-70b-8192, is no longer served.
const GROQ: Vendor = Vendor {
    id: "groq",
    title: "Groq",
    base_url: "https://api.groq.com/openai/v1",
    model: "llama-3.3-70b-versatile",
    most: spending::of_groq,
};

/// Provider `openai`.
pub fn openai(egress: Arc<Egress>) -> Provider {
    provider(&OPENAI, egress)
}

/// Provider `groq`.
pub fn groq(egress: Arc<Egress>) -> Provider {
    provider(&GROQ, egress)
}

fn provider(vendor: &'static Vendor, egress: Arc<Egress>) -> Provider {
    let base_url_help = format!("Of any server that speaks the same protocol, up to /v1. {} unless given.", vendor.base_url);
    let field = |name: &str, title: &str, required: bool, secret: bool, help: &str| CredentialField {
        name: name.to_owned(),
        title: title.to_owned(),
        required,
        secret,
        help: Some(help.to_owned()),
    };
    Provider {
        id: vendor.id.to_owned(),
        title: vendor.title.to_owned(),
        category: "AI".to_owned(),
        version: 1,
        description: format!("Text from {}'s language models, or from any server with the same protocol.", vendor.title),
        credential: vec![
            field("api_key", "API key", true, true, "Sent as Authorization: Bearer …"),
            field("base_url", "Base address", false, false, &base_url_help),
        ],
        hosts: host_of(vendor.base_url).into_iter().collect(),
        verify: Some(Verify::Call(erase(ListModels { vendor, egress: egress.clone() }))),
        actions: vec![erase(ChatCompletion { vendor, egress })],
        aliases: BTreeMap::new(),
    }
}

struct ChatCompletion {
    vendor: &'static Vendor,
    egress: Arc<Egress>,
}

impl TypedAction for ChatCompletion {
    type Params = ChatParams;

    fn spec(&self) -> ActionSpec {
        let mut spec = ActionSpec::of::<ChatParams>("chat_completion", "Chat completion", "Asks a language model and gives its text.");
        // It costs money each time but changes nothing, and a plan's author expects a time-out to be repeated.
        spec.effect = Effect::Idempotent;
        spec.needs_credential = true;
        spec.model = Some(self.vendor.most);
        spec.output = Some(json!({"type": "string"}));
        spec.timeout = Some(Duration::from_secs(600));
        spec.example = json!({"prompt": "Three facts about rivers, one line each.", "model": self.vendor.model});
        if let Some(model) = spec.params.pointer_mut("/properties/model").and_then(|model| model.as_object_mut()) {
            model.insert("default".to_owned(), json!(self.vendor.model));
        }
        spec
    }

    async fn call(&self, params: ChatParams, cx: &Context) -> ActionResult {
        let Some((credential, key)) = cx.credential.as_ref().and_then(|credential| Some((credential, credential.field("api_key")?))) else {
            let id = self.vendor.id;
            let text = format!("{id}: there is no API key; store a credential for {id} with its api_key");
            return Err(Fault::new(Code::MISSING_CREDENTIALS, text));
        };
        let asked = request::build(self.vendor, params, credential.field("base_url"), key)?;
        let mut answer = self.egress.send(asked.request, cx).await?;
        if !answer.status.is_success() {
            return Err(fault::of(&mut answer, self.vendor, &credential.name, &asked.model, cx).await);
        }
        // Some servers answer a request for a stream with one object, and the other way round.
        let completion = match answer.media_type().as_str() {
            "text/event-stream" => stream::collect(&mut answer).await?,
            _ => completion::whole(&mut answer).await?,
        };
        Ok(Outcome::Done(output(completion, asked.model)))
    }
}

fn output(completion: Completion, asked: String) -> Output {
    let Completion { text, model, finish_reason, usage, tool_calls } = completion;
    let model = model.unwrap_or(asked);
    let tokens = usage.as_ref().and_then(|usage| usage.get("total_tokens")?.as_u64());
    let counted = tokens.map(|tokens| format!(", {tokens} tokens")).unwrap_or_default();
    let mut output = Output::new(text.into())
        .message(format!("{model} answered{counted}"))
        .metadata("model", model)
        .metadata("finish_reason", finish_reason);
    output = output.metadata("tokens_used", tokens).metadata("usage", usage);
    if !tool_calls.is_empty() {
        output = output.metadata("tool_calls", tool_calls);
    }
    output
}
