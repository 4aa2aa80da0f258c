//! The port: taken first, so that nobody else gets it, and opened when everything holds.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use super::ServeError;

/// How many callers may wait to be let in, as the standard library has it.
const WAITING: u32 = 1_024;

/// Takes the address without answering on it.
pub(super) fn reserve(address: SocketAddr) -> Result<TcpSocket, ServeError> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let bound = socket.and_then(|socket| {
        // What an earlier process left in the system's hands does not stand in the way.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    });
    bound.map_err(|error| unlistenable(address, &error))
}

pub(super) fn open_port(port: TcpSocket, address: SocketAddr) -> Result<TcpListener, ServeError> {
    port.listen(WAITING).map_err(|error| unlistenable(address, &error))
}

fn unlistenable(address: SocketAddr, error: &std::io::Error) -> ServeError {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => ServeError::PortInUse { address },
        _ => ServeError::Listen { address, reason: error.to_string() },
    }
}
