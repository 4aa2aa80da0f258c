//! The part of the table that says what leaves to tell of the program: mail and reports of errors.

use mainspring_model::credential::Secret;

use super::setting::{Kind, Setting};
use super::values::{exposed, number, put};
use crate::mail;

pub(super) static ALL: &[Setting] = &[
    Setting {
        key: "smtp.url",
        variables: &["MAINSPRING_SMTP_URL", "SMTP_URL"],
        flag: None,
        kind: Kind::Address,
        default: "",
        meaning: "the mail server: `smtp://user:password@host:587` (STARTTLS), `smtps://…` (TLS from the first byte), see [notifications](notifications.md#mail)",
        examples: ["smtp://mainspring:pass@mail.example:587", "smtps://mainspring:other@mail2.example"],
        take: |settings, text| {
            mail::server(text)?;
            put(&mut settings.mail.url, Ok(Some(Secret::new(text))))
        },
        value: |settings| exposed(settings.mail.url.as_ref()),
    },
    Setting {
        key: "smtp.host",
        variables: &["MAINSPRING_SMTP_HOST", "SMTP_HOST"],
        flag: None,
        kind: Kind::Text,
        default: "",
        meaning: "its host alone, in place of the one in `smtp.url`",
        examples: ["mail.example", "localhost"],
        take: |settings, text| put(&mut settings.mail.host, Ok(Some(text.to_owned()))),
        value: |settings| settings.mail.host.clone(),
    },
    Setting {
        key: "smtp.port",
        variables: &["MAINSPRING_SMTP_PORT", "SMTP_PORT"],
        flag: None,
        kind: Kind::Number,
        default: "587; with TLS from the first byte 465, without TLS 25",
        meaning: "its port",
        examples: ["587", "2525"],
        take: |settings, text| put(&mut settings.mail.port, number(text, "a port").map(Some)),
        value: |settings| settings.mail.port.map(|port| port.to_string()),
    },
    Setting {
        key: "smtp.user",
        variables: &["MAINSPRING_SMTP_USER", "SMTP_USER", "SMTP_USERNAME"],
        flag: None,
        kind: Kind::Text,
        default: "",
        meaning: "who logs in there",
        examples: ["mainspring", "mainspring@example.com"],
        take: |settings, text| put(&mut settings.mail.user, Ok(Some(text.to_owned()))),
        value: |settings| settings.mail.user.clone(),
    },
    Setting {
        key: "smtp.password",
        variables: &["MAINSPRING_SMTP_PASSWORD", "SMTP_PASSWORD"],
        flag: None,
        kind: Kind::Secret,
        default: "",
        meaning: "with which password",
        examples: ["kV9-mail-password-of-the-server", "Tz2-another-mail-password-there"],
        take: |settings, text| put(&mut settings.mail.password, Ok(Some(Secret::new(text)))),
        value: |settings| exposed(settings.mail.password.as_ref()),
    },
    Setting {
        key: "smtp.from",
        variables: &["MAINSPRING_SMTP_FROM", "SMTP_FROM", "FROM_EMAIL"],
        flag: None,
        kind: Kind::Text,
        default: "",
        meaning: "whom mails are from; needed with a mail server",
        examples: ["Mainspring <mainspring@example.com>", "mainspring@example.com"],
        take: |settings, text| {
            mail::sender(text)?;
            put(&mut settings.mail.from, Ok(Some(text.to_owned())))
        },
        value: |settings| settings.mail.from.clone(),
    },
    Setting {
        key: "smtp.tls",
        variables: &["MAINSPRING_SMTP_TLS"],
        flag: None,
        kind: Kind::Text,
        default: "",
        meaning: "`starttls`, which holds unless `smtp.url` says otherwise, `tls` from the first byte, or `none` for a server on the same machine",
        examples: ["tls", "none"],
        take: |settings, text| put(&mut settings.mail.tls, text.parse().map(Some)),
        value: |settings| settings.mail.tls.map(|tls| tls.to_string()),
    },
    Setting {
        key: "sentry.dsn",
        variables: &["MAINSPRING_SENTRY_DSN", "SENTRY_DSN"],
        flag: None,
        kind: Kind::Secret,
        default: "",
        meaning: "where [errors of the program](observability.md#error-reports) are reported, by a service that speaks Sentry's protocol",
        examples: ["https://c3a1f09be27d4856@errors.example/42", "https://9d0be4718f5a6c32@errors.example/7"],
        take: |settings, text| put(&mut settings.sentry_dsn, Ok(Some(Secret::new(text)))),
        value: |settings| exposed(settings.sentry_dsn.as_ref()),
    },
];
