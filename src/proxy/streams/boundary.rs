//! Where may something of ours follow what the upstream has sent so far? Between two WebSocket frames (RFC 6455 §5.2),
//! and after an event that is complete (HTML, "server-sent events", §9.2.6).
//!
//! Only lengths and line ends are looked at; no payload is kept.

/// How far a stream has come.
#[derive(Debug)]
pub(super) enum Boundary {
    /// Nothing of ours may follow.
    Nowhere,
    /// Between frames.
    Frames(Frames),
    /// Between events.
    Events(Tail),
}

impl Boundary {
    /// Whether something of ours may follow now.
    pub(super) fn reached(&self) -> bool {
        match self {
            Self::Nowhere => false,
            Self::Frames(frames) => frames.between() && !frames.closed,
            Self::Events(tail) => tail.ends_an_event(),
        }
    }
}

/// The frames of one direction of a WebSocket.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; 14],
    have: u8,
    left: u64,
    closed: bool,
}

impl Frames {
    /// Takes note of what is sent.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = bytes.get(self.step(bytes)..).unwrap_or_default();
        }
    }

    /// How much of this still belongs to the frame under way; the rest is not taken note of.
    pub(super) fn finish(&mut self, bytes: &[u8]) -> usize {
        if self.between() { 0 } else { self.step(bytes) }
    }

    /// Whether no frame is under way.
    pub(super) fn between(&self) -> bool {
        self.have == 0 && self.left == 0
    }

    /// Goes on to the end of a frame at most; says how far.
    fn step(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        if self.left == 0 {
            for byte in bytes {
                if let Some(place) = self.header.get_mut(usize::from(self.have)) {
                    *place = *byte;
                }
                self.have += 1;
                taken += 1;
                if let Some(length) = self.length() {
                    self.closed |= self.header.first().is_some_and(|b| b & 0x0f == 8);
                    (self.have, self.left) = (0, length);
                    break;
                }
            }
        }
        let payload = bytes.len().saturating_sub(taken);
        let payload = usize::try_from(self.left).map_or(payload, |left| left.min(payload));
        self.left -= payload as u64;
        taken + payload
    }

    /// The length of the payload, once the header is complete.
    fn length(&self) -> Option<u64> {
        let [_, second, rest @ ..] = &self.header;
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let key = if second & 0x80 == 0 { 0 } else { 4 };
        if self.have != 2 + extended + key {
            return None;
        }
        let big_endian = |digits: &[u8]| digits.iter().fold(0, |sum, digit| sum << 8 | u64::from(*digit));
        Some(match extended {
            0 => u64::from(second & 0x7f),
            more => big_endian(rest.get(..usize::from(more)).unwrap_or_default()),
        })
    }
}

/// The last bytes of an event stream.
#[derive(Debug, Default)]
pub(super) struct Tail {
    last: [u8; 3],
    begun: bool,
}

impl Tail {
    /// Takes note of what is sent.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        let new = bytes.get(bytes.len().saturating_sub(3)..).unwrap_or_default();
        self.last.rotate_left(new.len());
        self.last.iter_mut().rev().zip(new.iter().rev()).for_each(|(to, from)| *to = *from);
        self.begun |= !bytes.is_empty();
    }

    /// Whether an empty line came last, or nothing yet.
    fn ends_an_event(&self) -> bool {
        let empty_line = [&b"\n\n"[..], b"\n\r\n", b"\r\r", b"\r\r\n", b"\n\r"];
        !self.begun || empty_line.iter().any(|end| self.last.ends_with(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of a server's, or masked as a client's.
    fn frame(first: u8, length: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![first];
        match length {
            0..126 => frame.push(mask | length as u8),
            126..65_536 => {
                frame.push(mask | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            _ => {
                frame.push(mask | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(vec![0x88; if masked { 4 } else { 0 }]);
        frame.extend(vec![0x88; length]);
        frame
    }

    #[test]
    fn a_boundary_is_at_the_end_of_each_frame_and_nowhere_else() {
        for masked in [false, true] {
            for length in [0, 1, 125, 126, 300, 65_535, 65_536, 70_001] {
                let whole = frame(0x82, length, masked);
                for cut in [1, 2, 3, 5, 9, 13, whole.len() / 2, whole.len() - 1] {
                    let cut = cut.min(whole.len() - 1);
                    let mut frames = Frames::default();
                    frames.pass(&frame(0x01, 3, masked));
                    assert!(frames.between());
                    frames.pass(&whole[..cut]);
                    assert!(!frames.between(), "{length} {cut}");
                    let rest = [&whole[cut..], &frame(0x80, 9, masked)].concat();
                    assert_eq!(frames.finish(&rest), whole.len() - cut, "{length} {cut}");
                    assert!(frames.between());
                    assert_eq!(frames.finish(&rest), 0);
                }
            }
        }
    }

    #[test]
    fn nothing_follows_a_close_frame() {
        let mut boundary = Boundary::Frames(Frames::default());
        assert!(boundary.reached());
        if let Boundary::Frames(frames) = &mut boundary {
            frames.pass(&frame(0x88, 2, false));
        }
        assert!(!boundary.reached());
    }

    #[test]
    fn a_length_beyond_all_memory_is_never_reached() {
        let mut frames = Frames::default();
        frames.pass(&[0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255]);
        frames.pass(&[0; 4096]);
        assert!(!frames.between());
    }

    #[test]
    fn events_end_with_an_empty_line() {
        for (sent, want) in [
            ("", true),
            ("data: x\n\n", true),
            ("data: x\r\n\r\n", true),
            ("data: x\r\r", true),
            ("data: x\n\r\n", true),
            ("data: x\r\n\n", true),
            ("data: x\r\n", false),
            ("data: x\n", false),
            ("data: x", false),
            ("\n", false),
            ("data: x\n\n: comment", false),
        ] {
            let mut whole = Tail::default();
            whole.pass(sent.as_bytes());
            let mut bytewise = Tail::default();
            sent.as_bytes().iter().for_each(|byte| bytewise.pass(&[*byte]));
            bytewise.pass(b"");
            assert_eq!((whole.ends_an_event(), bytewise.ends_an_event()), (want, want), "{sent:?}");
        }
    }
}
