//! For whom does a load balancer connect? The PROXY protocol, versions 1 and 2, asked only of peers that the operator
//! named: whoever else begins with such a header begins with nonsense.
//!
//! Guarantees: never more bytes than the header are taken, however it is cut into packets; a header that is missing,
//! garbled or longer than allowed is an error. <https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>

use std::io;
use std::net::IpAddr;

use bytes::{Bytes, BytesMut};
use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The longest line of version 1, its end included (§2.1).
const LINE: usize = 107;
/// The longest header of version 2 that is taken. Addresses are 216 bytes at most; the rest is for what load balancers
/// say about themselves and about TLS.
const BLOCK: usize = 4096;
/// Of version 2, up to and including the length of what follows.
const FIXED: usize = 16;

/// Why a connection that must begin with a header is closed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    /// No header, or none that can be read.
    #[error("it does not begin with a PROXY header")]
    Garbled,
    /// The peer left.
    #[error("it ended within the PROXY header")]
    Cut(#[from] io::Error),
}

/// Reads a header: the client's address, `None` when the peer speaks for itself (`LOCAL`, `UNKNOWN`), and what was read
/// beyond it.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<(Option<IpAddr>, Bytes), Unreadable> {
    let mut bytes = BytesMut::with_capacity(LINE);
    loop {
        match extent(&bytes) {
            Extent::Whole(length) if length <= bytes.len() => {
                let header = bytes.split_to(length);
                return Ok((client(&header)?, bytes.freeze()));
            }
            Extent::Garbled => return Err(Unreadable::Garbled),
            Extent::Whole(_) | Extent::Unknown => {
                if stream.read_buf(&mut bytes).await? == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
            }
        }
    }
}

/// How long a header is.
#[derive(Debug, PartialEq, Eq)]
enum Extent {
    /// So many bytes, some perhaps still to come.
    Whole(usize),
    /// Cannot be told yet.
    Unknown,
    /// There is none.
    Garbled,
}

fn extent(bytes: &[u8]) -> Extent {
    let begins = |mark: &[u8]| bytes.iter().zip(mark).all(|(a, b)| a == b);
    if begins(v2::PROTOCOL_PREFIX) {
        let Some([high, low]) = bytes.get(FIXED - 2..FIXED) else { return Extent::Unknown };
        let length = FIXED + usize::from(u16::from_be_bytes([*high, *low]));
        if length <= BLOCK { Extent::Whole(length) } else { Extent::Garbled }
    } else if begins(b"PROXY ") {
        let line = bytes.get(..LINE).unwrap_or(bytes);
        match line.windows(2).position(|end| end == b"\r\n") {
            Some(at) => Extent::Whole(at + 2),
            None if line.len() < LINE => Extent::Unknown,
            None => Extent::Garbled,
        }
    } else {
        Extent::Garbled
    }
}

fn client(header: &[u8]) -> Result<Option<IpAddr>, Unreadable> {
    /// Version 2, "the connection is the proxy's own": whatever follows is skipped (§2.2).
    const LOCAL: u8 = 0x20;
    if !header.starts_with(v2::PROTOCOL_PREFIX) {
        let header = v1::Header::try_from(header).map_err(|_| Unreadable::Garbled)?;
        return Ok(match header.addresses {
            v1::Addresses::Unknown => None,
            v1::Addresses::Tcp4(tcp) => Some(tcp.source_address.into()),
            v1::Addresses::Tcp6(tcp) => Some(tcp.source_address.into()),
        });
    }
    if header.get(v2::PROTOCOL_PREFIX.len()) == Some(&LOCAL) {
        return Ok(None);
    }
    let header = v2::Header::try_from(header).map_err(|_| Unreadable::Garbled)?;
    match (header.addresses, header.protocol) {
        (_, v2::Protocol::Datagram) => Err(Unreadable::Garbled),
        (v2::Addresses::IPv4(tcp), _) => Ok(Some(tcp.source_address.into())),
        (v2::Addresses::IPv6(tcp), _) => Ok(Some(tcp.source_address.into())),
        (v2::Addresses::Unspecified | v2::Addresses::Unix(_), _) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 2: the command, the family with the protocol, and what follows.
    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[command, family], &length, rest].concat()
    }

    fn v4_block() -> Vec<u8> {
        vec![192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0, 80]
    }

    /// Feeds it in pieces of `step` bytes.
    async fn judge(bytes: &[u8], step: usize) -> Result<(Option<String>, Vec<u8>), ()> {
        let (mut theirs, mut ours) = tokio::io::duplex(step);
        let bytes = bytes.to_vec();
        let sending = tokio::spawn(async move {
            let _closed = tokio::io::AsyncWriteExt::write_all(&mut theirs, &bytes).await;
        });
        let outcome = read(&mut ours).await;
        let mut beyond = Vec::new();
        let outcome = match outcome {
            Ok((client, ahead)) => {
                beyond.extend_from_slice(&ahead);
                ours.read_to_end(&mut beyond).await.unwrap();
                Ok((client.map(|ip| ip.to_string()), beyond))
            }
            Err(_) => Err(()),
        };
        drop(ours);
        sending.await.unwrap();
        outcome
    }

    #[tokio::test]
    async fn headers() {
        let mut v6_block = vec![0; 36];
        v6_block[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        v6_block[15] = 9;
        let with_extras = [v4_block(), vec![4, 0, 3, 1, 2, 3]].concat();
        let longest = "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
        let no_end = format!("PROXY UNKNOWN {}", "x".repeat(200));
        let proxy = |text: &str| text.as_bytes().to_vec();
        let own: Result<Option<&str>, ()> = Ok(None);
        for (header, want) in [
            (proxy("PROXY TCP4 192.0.2.7 10.0.0.1 12345 80\r\n"), Ok(Some("192.0.2.7"))),
            (proxy("PROXY TCP6 2001:db8::9 ::1 1 80\r\n"), Ok(Some("2001:db8::9"))),
            (proxy(longest), Ok(Some("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1"))),
            (proxy("PROXY UNKNOWN\r\n"), own),
            (proxy("PROXY UNKNOWN ff::1 ::1 1 2\r\n"), own),
            (proxy("PROXY TCP4 192.0.2.7 10.0.0.1 12345\r\n"), Err(())),
            (proxy("PROXY TCP4 192.0.2.256 10.0.0.1 12345 80\r\n"), Err(())),
            (proxy("PROXY TCP4 2001:db8::9 ::1 1 80\r\n"), Err(())),
            (proxy("PROXY TCP4 192.0.2.7 10.0.0.1 12345 80\n\r\n"), Err(())),
            (proxy("PROXY  TCP4 192.0.2.7 10.0.0.1 12345 80\r\n"), Err(())),
            (proxy("PROXY UDP4 192.0.2.7 10.0.0.1 12345 80\r\n"), Err(())),
            (proxy("proxy TCP4 192.0.2.7 10.0.0.1 12345 80\r\n"), Err(())),
            (proxy("PROXY TCP4 192.0.2.7"), Err(())),
            (proxy(&no_end), Err(())),
            (proxy("GET / HTTP/1.1\r\n\r\n"), Err(())),
            (Vec::new(), Err(())),
            (v2(0x21, 0x11, &v4_block()), Ok(Some("192.0.2.7"))),
            (v2(0x21, 0x11, &with_extras), Ok(Some("192.0.2.7"))),
            (v2(0x21, 0x21, &v6_block), Ok(Some("2001:db8::9"))),
            (v2(0x21, 0x00, &[]), own),
            (v2(0x21, 0x31, &[1; 216]), own),
            (v2(0x20, 0x11, &v4_block()), own),
            (v2(0x20, 0x00, &[]), own),
            (v2(0x21, 0x12, &v4_block()), Err(())),
            (v2(0x21, 0x11, &[1, 2, 3]), Err(())),
            (v2(0x22, 0x11, &v4_block()), Err(())),
            (v2(0x11, 0x11, &v4_block()), Err(())),
            (v2(0x21, 0x41, &v4_block()), Err(())),
            (v2(0x20, 0x00, &vec![0; BLOCK]), Err(())),
            (v2(0x21, 0x11, &v4_block())[..20].to_vec(), Err(())),
        ] {
            let rest = if want.is_ok() { b"GET / HTTP/1.1\r\n\r\n".as_slice() } else { b"" };
            let sent = [&header[..], rest].concat();
            for step in [1, 5, 64 * 1024] {
                let want = want.map(|client| (client.map(str::to_owned), rest.to_vec()));
                assert_eq!(judge(&sent, step).await, want, "{step}: {}", String::from_utf8_lossy(&header));
            }
        }
    }
}
