//! How do two processes of one machine talk, and how does an open socket get from one to the other? Lines of text over a
//! Unix socket, and file descriptors beside a line (`SCM_RIGHTS`, unix(7)).
//!
//! Guarantees: both ends belong to the same user (`SO_PEERCRED`), whoever may reach the socket's file; a line that does
//! not come in time, or is too long, is an error; descriptors that came along and are not wanted are closed.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// The longest line, in bytes.
const LONGEST: usize = 8 * 1024;
/// The most descriptors beside a line.
const MOST: usize = 8;

/// One end.
#[derive(Debug)]
pub(super) struct Wire(UnixStream);

impl Wire {
    /// Between two processes of the same user; anybody else is an error.
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        Self::within(stream, rustix::process::geteuid().as_raw())
    }

    fn within(stream: UnixStream, this: u32) -> io::Result<Self> {
        let other = stream.peer_cred()?.uid();
        if other == this {
            return Ok(Self(stream));
        }
        let message =
            format!("the process at the other end belongs to user {other}, this one to user {this}");
        Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
    }

    /// Sends a line, and descriptors with it.
    pub(super) async fn send(&self, line: &str, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = format!("{line}\n").into_bytes();
        let mut rest = bytes.as_slice();
        let mut beside = descriptors;
        while !rest.is_empty() {
            let send = || {
                let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
                let mut ancillary = SendAncillaryBuffer::new(&mut space);
                if !beside.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(beside)) {
                    return Err(io::Error::other("too many sockets for one message"));
                }
                let sent = sendmsg(&self.0, &[IoSlice::new(rest)], &mut ancillary, SendFlags::NOSIGNAL);
                sent.map_err(io::Error::from)
            };
            let sent = self.0.async_io(Interest::WRITABLE, send).await?;
            rest = rest.get(sent..).unwrap_or_default();
            // They go with the first byte.
            beside = &[];
        }
        Ok(())
    }

    /// The next line, and what came with it. `Ok(None)`: the other end is gone.
    pub(super) async fn receive(&self, patience: Duration) -> io::Result<Option<(String, Vec<OwnedFd>)>> {
        let late = || io::Error::new(io::ErrorKind::TimedOut, "the other process does not answer");
        timeout(patience, self.line()).await.map_err(|_| late())?
    }

    async fn line(&self) -> io::Result<Option<(String, Vec<OwnedFd>)>> {
        let (mut line, mut descriptors) = (Vec::new(), Vec::new());
        while line.last() != Some(&b'\n') {
            let mut buffer = [0; 1024];
            let read =
                self.0.async_io(Interest::READABLE, || part(&self.0, &mut buffer, &mut descriptors)).await?;
            line.extend_from_slice(buffer.get(..read).unwrap_or_default());
            if read == 0 {
                return Ok(None);
            }
            if line.len() > LONGEST {
                return Err(io::Error::other("the other process talks too much"));
            }
        }
        line.pop();
        let line = String::from_utf8(line).map_err(io::Error::other)?;
        Ok(Some((line, descriptors)))
    }
}

fn part(stream: &UnixStream, buffer: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let slices = &mut [IoSliceMut::new(buffer)];
    let received = recvmsg(stream.as_fd(), slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(came) = message {
            descriptors.extend(came);
        }
    }
    Ok(received.bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    fn pair() -> (Wire, Wire) {
        let (one, other) = UnixStream::pair().unwrap();
        (Wire::new(one).unwrap(), Wire::new(other).unwrap())
    }

    #[tokio::test]
    async fn another_user_is_not_talked_to() {
        let (this, (one, other)) = (rustix::process::geteuid().as_raw(), UnixStream::pair().unwrap());
        assert!(Wire::within(one, this).is_ok());
        let refused = Wire::within(other, this + 1).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied, "{refused}");
    }

    #[tokio::test]
    async fn an_open_socket_arrives_as_it_is() {
        let (one, other) = pair();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        one.send("sockets", &[listener.as_fd()]).await.unwrap();
        drop(listener);
        let (line, mut came) = other.receive(SOON).await.unwrap().unwrap();
        assert_eq!((line.as_str(), came.len()), ("sockets", 1));
        let adopted = std::net::TcpListener::from(came.pop().unwrap());
        assert_eq!(adopted.local_addr().unwrap(), address);
        let mut client = std::net::TcpStream::connect(address).unwrap();
        adopted.accept().unwrap().0.write_all(b"here").unwrap();
        let mut got = String::new();
        client.read_to_string(&mut got).unwrap();
        assert_eq!(got, "here");
    }

    #[tokio::test]
    async fn the_end_a_flood_and_silence_are_told_apart() {
        let (one, other) = pair();
        assert_eq!(
            other.receive(Duration::from_millis(1)).await.unwrap_err().kind(),
            io::ErrorKind::TimedOut
        );
        drop(one);
        assert!(other.receive(SOON).await.unwrap().is_none());
        let (one, other) = pair();
        let flood = "x".repeat(LONGEST + 1);
        let (sent, received) = tokio::join!(one.send(&flood, &[]), other.receive(SOON));
        assert!(sent.is_ok() && received.is_err());
    }
}
