//! The part of the table that says to whom traces are told.

use mainspring_model::credential::Secret;

use super::setting::{Kind, Setting};
use super::values::{exposed, joined, list, put, switch};
use crate::traces::{address, pairs, ratio};

pub(super) static ALL: &[Setting] = &[
    Setting {
        key: "traces.endpoint",
        variables: &["MAINSPRING_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"],
        flag: None,
        kind: Kind::Text,
        default: "",
        meaning: "a collector of OpenTelemetry (OTLP over HTTP), to which [traces](observability.md#traces) are sent, at `/v1/traces` there; nothing is traced without one",
        examples: ["http://localhost:4318", "https://otlp.example.org"],
        take: |settings, text| put(&mut settings.traces.endpoint, address(text).map(Some)),
        value: |settings| settings.traces.endpoint.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()),
    },
    Setting {
        key: "traces.url",
        variables: &["MAINSPRING_TRACES_URL", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"],
        flag: None,
        kind: Kind::Text,
        default: "",
        meaning: "the whole address for traces, in place of `traces.endpoint`",
        examples: ["http://localhost:4318/v1/traces", "https://otlp.example.org/in"],
        take: |settings, text| put(&mut settings.traces.url, address(text).map(Some)),
        value: |settings| settings.traces.url.as_ref().map(ToString::to_string),
    },
    Setting {
        key: "traces.headers",
        variables: &["MAINSPRING_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"],
        flag: None,
        kind: Kind::Secret,
        default: "",
        meaning: "headers for the collector, `name=value` with commas between, values percent-encoded",
        examples: ["authorization=Bearer%20k3Qv8ZrT1x", "x-key=m7Wc2LpYd9"],
        take: |settings, text| {
            pairs(text)?;
            put(&mut settings.traces.headers, Ok(Some(Secret::new(text))))
        },
        value: |settings| exposed(settings.traces.headers.as_ref()),
    },
    Setting {
        key: "traces.service_name",
        variables: &["MAINSPRING_TRACES_SERVICE_NAME", "OTEL_SERVICE_NAME"],
        flag: None,
        kind: Kind::Text,
        default: "mainspring",
        meaning: "who tells, as the collector shows it",
        examples: ["automations", "mainspring-staging"],
        take: |settings, text| put(&mut settings.traces.service, Ok(Some(text.to_owned()))),
        value: |settings| Some(settings.traces.service.clone().unwrap_or_else(|| "mainspring".to_owned())),
    },
    Setting {
        key: "traces.resource",
        variables: &["MAINSPRING_TRACES_RESOURCE", "OTEL_RESOURCE_ATTRIBUTES"],
        flag: None,
        kind: Kind::List,
        default: "",
        meaning: "more about who tells, `name=value` each",
        examples: ["team=billing,zone=eu", "team=sales"],
        take: |settings, text| {
            pairs(text)?;
            put(&mut settings.traces.resource, Ok(list(text)))
        },
        value: |settings| joined(&settings.traces.resource),
    },
    Setting {
        key: "traces.sampler",
        variables: &["MAINSPRING_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER"],
        flag: None,
        kind: Kind::Text,
        default: "parentbased_always_on",
        meaning: "which traces are recorded: `always_on`, `always_off`, `traceidratio`, each also with `parentbased_` in front, where a caller that is believed decides",
        examples: ["parentbased_traceidratio", "always_off"],
        take: |settings, text| put(&mut settings.traces.sampler, text.parse()),
        value: |settings| Some(settings.traces.sampler.to_string()),
    },
    Setting {
        key: "traces.sampler_ratio",
        variables: &["MAINSPRING_TRACES_SAMPLER_RATIO", "OTEL_TRACES_SAMPLER_ARG"],
        flag: None,
        kind: Kind::Text,
        default: "1",
        meaning: "the share of traces that `traceidratio` records",
        examples: ["0.1", "0.01"],
        take: |settings, text| put(&mut settings.traces.ratio, ratio(text).map(Some)),
        value: |settings| Some(settings.traces.ratio.unwrap_or(1.0).to_string()),
    },
    Setting {
        key: "traces.accept",
        variables: &["MAINSPRING_TRACES_ACCEPT"],
        flag: None,
        kind: Kind::Switch,
        default: "false",
        meaning: "a caller's `traceparent` says which trace its request is a part of; for servers whose callers are one's own",
        examples: ["true", "false"],
        take: |settings, text| put(&mut settings.traces.accept, switch(text)),
        value: |settings| Some(settings.traces.accept.to_string()),
    },
    Setting {
        key: "traces.send_to",
        variables: &["MAINSPRING_TRACES_SEND_TO"],
        flag: None,
        kind: Kind::List,
        default: "",
        meaning: "hosts to which the calls of steps carry `traceparent`: names, `*.example.com` for those below, `*` for all",
        examples: ["api.example.com,*.inner.example", "*"],
        take: |settings, text| put(&mut settings.traces.send_to, Ok(list(text))),
        value: |settings| joined(&settings.traces.send_to),
    },
];
