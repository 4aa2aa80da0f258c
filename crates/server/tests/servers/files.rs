//! A file server: one file, sent in pieces and without its length, as large files often come.

use bytes::Bytes;

use super::server::{Server, in_pieces, reply};

/// A prime, so that pieces end inside lines and characters.
const PIECE: usize = 8_191;

/// Serves `text` at `path`; everything else is missing.
pub async fn file(path: &'static str, media_type: &'static str, text: impl Into<Bytes>) -> Server {
    let text = text.into();
    Server::start(move |asked| match asked.path == path {
        true => in_pieces(
            200,
            &[("content-type", media_type)],
            (0..text.len()).step_by(PIECE).map(|at| text.slice(at..text.len().min(at + PIECE))).collect(),
        ),
        false => reply(404, &[("content-type", "text/html")], "<h1>404 Not Found</h1>"),
    })
    .await
}
