//! How is one HTTP/1.1 message read as it came? Names in the case and order they had, nothing normalised (RFC 9112).
//!
//! Guarantees: bounded in size. Bytes that are not UTF-8 are shown with a replacement character.

use std::io::{self, BufRead, Read};

/// The longest head, in bytes.
const MAX_HEAD: u64 = 256 * 1024;
/// The longest body that is read, in bytes; what is behind it is of no interest.
const MAX_BODY: u64 = 256 * 1024;

/// The first line and the headers.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    /// `GET / HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub(super) first: String,
    /// Names and values in order.
    pub(super) lines: Vec<(String, String)>,
}

impl Head {
    /// Reads a head; `None` when the other end says nothing.
    pub(super) fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut from = from.take(MAX_HEAD);
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            if from.read_until(b'\n', &mut line)? == 0 {
                return if lines.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            let line = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let mut lines = lines.into_iter();
        let first = lines.next().unwrap_or_default();
        let lines = lines.map(|line| match line.split_once(':') {
            Some((name, value)) => (name.to_owned(), value.trim().to_owned()),
            None => (line, String::new()),
        });
        Ok(Some(Self { first, lines: lines.collect() }))
    }

    /// The values of a header, in any letter case.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The first value of a header.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.lines.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The target of a request.
    pub(super) fn target(&self) -> &str {
        self.first.split(' ').nth(1).unwrap_or_default()
    }

    /// The status of an answer; 0 when there is none.
    pub(super) fn status(&self) -> u16 {
        self.first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// Reads the body of an answer to a `GET` on a connection that carries nothing else. What is missing at the end is not
    /// missed.
    pub(super) fn body(&self, from: &mut impl BufRead) -> Vec<u8> {
        let chunked =
            self.all("transfer-encoding").any(|value| value.to_ascii_lowercase().contains("chunked"));
        let mut body = Vec::new();
        if chunked {
            let _ends_early = chunks(from, &mut body);
            return body;
        }
        let none = matches!(self.status(), 100..=199 | 204 | 304);
        let length = self.value("content-length").and_then(|length| length.parse().ok()).unwrap_or(MAX_BODY);
        let _ends_early = from.take(if none { 0 } else { length.min(MAX_BODY) }).read_to_end(&mut body);
        body
    }
}

fn chunks(from: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    while body.len() < usize::try_from(MAX_BODY).unwrap_or(usize::MAX) {
        let mut size = String::new();
        from.take(64).read_line(&mut size)?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        if size == 0 {
            break;
        }
        from.take(size.min(MAX_BODY)).read_to_end(body)?;
        from.read_line(&mut String::new())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> (Head, String) {
        let mut from = text.as_bytes();
        let head = Head::read(&mut from).unwrap().unwrap();
        let body = head.body(&mut from);
        (head, String::from_utf8(body).unwrap())
    }

    #[test]
    fn messages_as_they_came() {
        let (head, body) = answer("HTTP/1.1 200 OK\r\nX_A:  b \r\nx_a: c\r\nContent-Length: 2\r\n\r\nokay");
        assert_eq!((head.status(), body.as_str()), (200, "ok"));
        assert_eq!(head.all("X_a").collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(head.lines[0].0, "X_A");
        let (_, body) =
            answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n1\r\n!\r\n0\r\n\r\n");
        assert_eq!(body, "ok!");
        assert_eq!(answer("HTTP/1.1 200 OK\r\n\r\nto the end").1, "to the end");
        assert_eq!(answer("HTTP/1.1 204 No Content\r\n\r\nnothing").1, "");
        let request = Head::read(&mut &b"GET /a?b HTTP/1.1\r\n\r\n"[..]).unwrap().unwrap();
        assert_eq!(request.target(), "/a?b");
        assert!(Head::read(&mut &b""[..]).unwrap().is_none());
        assert!(Head::read(&mut &b"GET / HTTP/1.1\r\nA: b"[..]).is_err());
    }
}
