//! Server-sent events: bytes as they arrive, to whole events.

/// One event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerEvent {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) data: String,
}

/// Longer events are given up on: no event of ours comes near it.
const LARGEST: usize = 32 << 20;

/// Cuts a stream into events. Chunks may end anywhere, in the middle of a character too.
#[derive(Default)]
pub(crate) struct Reader {
    rest: Vec<u8>,
    event: ServerEvent,
    has_data: bool,
}

impl Reader {
    /// The events that these bytes complete; `None` when the stream is no event stream.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Option<Vec<ServerEvent>> {
        self.rest.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if let Some(event) = self.line(line.trim_end_matches(['\n', '\r'])) {
                events.push(event);
            }
        }
        (self.rest.len() + self.event.data.len() <= LARGEST).then_some(events)
    }

    fn line(&mut self, line: &str) -> Option<ServerEvent> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                self.event.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.event.name),
            "id" => self.event.id = Some(value.to_owned()),
            // Comments keep the connection open; `retry` is ours to decide.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_whole_however_they_are_cut() {
        let stream =
            ": hello\n\nid: 1\nevent: attempted\ndata: {\"ä\": 1}\n\ndata: a\r\ndata: b\r\n\r\nevent: nothing\n\ndata: cut".as_bytes();
        let expected = [
            ServerEvent { id: Some("1".into()), name: "attempted".into(), data: "{\"ä\": 1}".into() },
            ServerEvent { id: None, name: String::new(), data: "a\nb".into() },
        ];
        for size in [1, 2, 7, 1_000] {
            let mut reader = Reader::default();
            let events: Vec<ServerEvent> = stream.chunks(size).flat_map(|chunk| reader.push(chunk).unwrap()).collect();
            assert_eq!(events, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn an_endless_line_is_given_up_on() {
        let mut reader = Reader::default();
        assert!(reader.push(&vec![b'x'; LARGEST + 1]).is_none());
    }
}
