//! The secret of a credential as bytes, and a field that an action cannot go without.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mainspring_model::action::Context;
use mainspring_model::credential::Credential;
use mainspring_model::{Code, Fault};

pub(super) fn credential(cx: &Context) -> Result<&Credential, Fault> {
    cx.credential.as_ref().ok_or_else(|| missing("there is no credential"))
}

/// A field's clear text.
pub(super) fn field<'a>(credential: &'a Credential, name: &str) -> Result<&'a str, Fault> {
    credential.field(name).ok_or_else(|| missing(&format!("the credential \"{}\" has no {name}", credential.name)))
}

/// What `secret` stands for. No message shows any of it.
pub(super) fn secret(cx: &Context) -> Result<Vec<u8>, Fault> {
    let credential = credential(cx)?;
    let text = field(credential, "secret")?;
    let wrong = |what: &str| Fault::invalid_params(format!("the secret of the credential \"{}\" is not {what}", credential.name));
    match credential.field("secret_encoding").unwrap_or("text") {
        "text" => Ok(text.as_bytes().to_vec()),
        "hex" => unhex(text).ok_or_else(|| wrong("hexadecimal")),
        "base64" => STANDARD.decode(text.trim()).map_err(|_| wrong("base64")),
        other => Err(Fault::invalid_params(format!("\"secret_encoding\" of the credential is \"{other}\"; write text, hex or base64"))),
    }
}

pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.trim().chars().map(|letter| letter.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).ok()).collect()
}

fn missing(message: &str) -> Fault {
    Fault::new(Code::MISSING_CREDENTIALS, message)
}
