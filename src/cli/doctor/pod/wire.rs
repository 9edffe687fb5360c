//! One question over plain HTTP/1.1 (RFC 9112), bounded in time and size; and whether somebody listens at all.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::Duration;

use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of an answer that are looked at.
const MOST: usize = 64 << 10;

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// Its status.
    pub(super) status: u16,
    /// Its body, chunks and all.
    pub(super) body: Vec<u8>,
}

/// Whether somebody listens there. An error is neither: nobody has said no.
pub(super) fn reached(at: SocketAddr) -> io::Result<bool> {
    match TcpStream::connect_timeout(&at, PATIENCE) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether an address is this pod's: one can listen there.
pub(super) fn is_own(address: IpAddr) -> bool {
    TcpListener::bind((address, 0)).is_ok()
}

/// A Service as people name it, without what would make a URL of it.
pub(super) fn plain(name: &str) -> &str {
    name.strip_prefix("http://").unwrap_or(name).trim_end_matches('/')
}

/// `NAME` or `NAME:PORT`; the port of http without one.
pub(super) fn resolve(name: &str) -> io::Result<Vec<SocketAddr>> {
    let plain = plain(name);
    if let Ok(at) = plain.parse::<SocketAddr>() {
        return Ok(vec![at]);
    }
    match plain.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
            let port =
                port.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "no such port"))?;
            Ok((host, port).to_socket_addrs()?.collect())
        }
        _ => Ok((plain, 80).to_socket_addrs()?.collect()),
    }
}

/// Asks for a path, as a script without a session.
pub(super) fn ask(at: SocketAddr, host: &str, path: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&at, PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let agent = concat!("anteroom/", env!("CARGO_PKG_VERSION"), " (doctor)");
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let (mut bytes, mut read) = (Vec::new(), Ok(()));
    // In all: what answers with a stream goes on for ever.
    let until = Instant::now() + PATIENCE;
    while bytes.len() < MOST {
        let left = until.saturating_duration_since(Instant::now());
        let mut piece = [0; 4096];
        let got = match left.is_zero() {
            true => break,
            false => stream.set_read_timeout(Some(left)).and_then(|()| stream.read(&mut piece)),
        };
        match got {
            Ok(0) => break,
            Ok(got) => bytes.extend_from_slice(piece.get(..got).unwrap_or_default()),
            Err(error) => {
                read = Err(error);
                break;
            }
        }
    }
    let no_http = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP");
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let Some(end) = end else { return Err(read.err().unwrap_or_else(no_http)) };
    let status = bytes.get(..12).and_then(|head| std::str::from_utf8(head).ok());
    let status = status.and_then(|head| head.strip_prefix("HTTP/1.")?.get(2..)?.parse().ok());
    let body = bytes.get(end + 4..).unwrap_or_default().to_vec();
    Ok(Answer { status: status.ok_or_else(no_http)?, body })
}
