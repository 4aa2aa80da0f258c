//! Hashes of text. MD5 and SHA-1 are left out: what still asks for them deserves better.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};

use super::encode::hex;
use super::{Args, Function, Of, text_value};
use crate::expr::eval::Out;
use crate::expr::words;

pub(super) const FUNCTIONS: [Function; 4] = [
    Function::new(
        Of::None,
        "sha256",
        "sha256(text, encoding?)",
        "SHA-256 of the text's UTF-8 bytes in `hex` (unless given), `base64` or `base64url`.",
        "sha256('')",
        r#""e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855""#,
        sha256,
    )
    .takes(1, 2),
    Function::new(Of::None, "sha512", "sha512(text, encoding?)", "SHA-512 likewise.", "sha512('a', 'base64url').length", "86", sha512)
        .takes(1, 2),
    Function::new(
        Of::None,
        "hmacSha256",
        "hmacSha256(key, text, encoding?)",
        "HMAC-SHA-256 of the text under the key, both as UTF-8 bytes.",
        "hmacSha256('key', 'text', 'base64url')",
        r#""avqQRqlXnK0UOjhMG1ZLmiUNJ9b2pj-fIL86dZTJ4sY""#,
        hmac256,
    )
    .takes(2, 3),
    Function::new(
        Of::None,
        "hmacSha512",
        "hmacSha512(key, text, encoding?)",
        "HMAC-SHA-512 likewise.",
        "hmacSha512('key', 'text').length",
        "128",
        hmac512,
    )
    .takes(2, 3),
];

fn digest<'e>(bytes: &[u8], encoding: usize, args: &mut Args<'_, 'e>) -> Out<'e> {
    match &*args.text_or(encoding, "hex")? {
        "hex" => text_value(hex(bytes)),
        "base64" => text_value(STANDARD.encode(bytes)),
        "base64url" => text_value(URL_SAFE_NO_PAD.encode(bytes)),
        other => Err(args.failed(format!("the encoding is \"hex\", \"base64\" or \"base64url\", not {:?}", words::shorten(other, 20)))),
    }
}

fn sha256<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = args.text(0)?;
    args.reserve(text.len())?;
    digest(&Sha256::digest(text.as_bytes()), 1, args)
}

fn sha512<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = args.text(0)?;
    args.reserve(text.len())?;
    digest(&Sha512::digest(text.as_bytes()), 1, args)
}

fn hmac256<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (key, text) = (args.text(0)?, args.text(1)?);
    args.reserve(key.len() + text.len())?;
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    digest(&mac.finalize().into_bytes(), 2, args)
}

fn hmac512<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (key, text) = (args.text(0)?, args.text(1)?);
    args.reserve(key.len() + text.len())?;
    let mut mac = Hmac::<Sha512>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    digest(&mac.finalize().into_bytes(), 2, args)
}
