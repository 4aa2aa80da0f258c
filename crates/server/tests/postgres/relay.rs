//! A relay between one node and its database, that can be cut: for that node alone the database is gone.

use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

#[derive(Default)]
struct State {
    cut: bool,
    open: Vec<TcpStream>,
}

pub struct Relay {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Relay {
    /// In front of the server of this address.
    pub fn start(url: &str) -> Relay {
        let server = url.rsplit_once('@').unwrap().1.rsplit_once('/').unwrap().0.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Relay { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        let state = relay.state.clone();
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let mut state = state.lock().unwrap();
                if state.cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&server) else { continue };
                for (mut from, mut to) in
                    [(&client, &server), (&server, &client)].map(|(a, b)| (a.try_clone().unwrap(), b.try_clone().unwrap()))
                {
                    thread::spawn(move || {
                        let _ = copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
                state.open.extend([client, server]);
            }
        });
        relay
    }

    pub fn in_place_of(&self, url: &str) -> String {
        let (login, rest) = url.rsplit_once('@').unwrap();
        format!("{login}@127.0.0.1:{}/{}", self.port, rest.rsplit_once('/').unwrap().1)
    }

    pub fn cut(&self, cut: bool) {
        let mut state = self.state.lock().unwrap();
        state.cut = cut;
        if cut {
            for stream in state.open.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}
