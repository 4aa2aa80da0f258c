//! Who is at the other end of a loopback connection: the process that holds its socket, by the kernel's own tables.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// Looks at the table of connections: it changes while it is read, and a line may be missed.
const LOOKS: u32 = 5;

/// The one of these processes that has a socket bound to `peer`; `None` when it is gone already.
pub fn process_of(peer: SocketAddr, among: &[u32]) -> Option<u32> {
    (0..LOOKS).find_map(|_| look(peer, among))
}

fn look(peer: SocketAddr, among: &[u32]) -> Option<u32> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let inode = inode_of(&table, peer)?;
    let held = format!("socket:[{inode}]");
    among.iter().copied().find(|process| {
        let handles = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
        handles.filter_map(|handle| std::fs::read_link(handle.path()).ok()).any(|target| target == Path::new(&held))
    })
}

/// Of the line whose local end is `peer`: the address is its bytes in the machine's order, the port is not.
fn inode_of(table: &str, peer: SocketAddr) -> Option<&str> {
    let IpAddr::V4(ip) = peer.ip() else { return None };
    let local = format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), peer.port());
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.into_iter().find(|fields| fields.get(1) == Some(&local.as_str())).and_then(|fields| fields.get(9).copied())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_is_found_with_the_process_that_made_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let us = std::process::id();
        assert_eq!(process_of(stream.local_addr().unwrap(), &[1, us]), Some(us));
        assert_eq!(process_of(stream.local_addr().unwrap(), &[u32::MAX]), None);
    }
}
