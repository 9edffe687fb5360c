//! Do two readers agree where a body in chunks ends, however its bytes arrive?
//!
//! Input: a step in bytes, then what a client sends behind its header. Claims: the scanner that sees the bytes in such steps
//! says of them what a reader says that has them all at once: malformed, without end yet, or with its end at this byte.
#![no_main]

use anteroom::proxy::chunks::Chunks;
use libfuzzer_sys::fuzz_target;

#[derive(Debug, PartialEq)]
enum Verdict {
    Malformed,
    Endless,
    Ends(usize),
}

/// Either there is more to come, or what is there breaks the rules.
enum Stop {
    Short,
    Wrong,
}

struct Reader<'a> {
    all: &'a [u8],
    at: usize,
}

fn is_token(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'^'..=b'z' | b'|' | b'~')
}

fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | 0x20..=0x7e | 0x80..=0xff)
}

impl Reader<'_> {
    fn peek(&self) -> Result<u8, Stop> {
        self.all.get(self.at).copied().ok_or(Stop::Short)
    }

    fn expect(&mut self, byte: u8) -> Result<(), Stop> {
        if self.peek()? != byte {
            return Err(Stop::Wrong);
        }
        self.at += 1;
        Ok(())
    }

    fn crlf(&mut self) -> Result<(), Stop> {
        self.expect(b'\r')?;
        self.expect(b'\n')
    }

    fn run(&mut self, wanted: fn(u8) -> bool) -> Result<&str, Stop> {
        let start = self.at;
        while wanted(self.peek()?) {
            self.at += 1;
        }
        Ok(std::str::from_utf8(&self.all[start..self.at]).unwrap_or("x"))
    }

    fn name(&mut self) -> Result<(), Stop> {
        let name = self.run(is_token)?;
        if name.is_empty() { Err(Stop::Wrong) } else { Ok(()) }
    }

    fn quoted(&mut self) -> Result<(), Stop> {
        self.expect(b'"')?;
        loop {
            match self.peek()? {
                b'"' => return self.expect(b'"'),
                b'\\' => {
                    self.at += 1;
                    if !is_text(self.peek()?) {
                        return Err(Stop::Wrong);
                    }
                }
                byte if is_text(byte) => {}
                _ => return Err(Stop::Wrong),
            }
            self.at += 1;
        }
    }

    fn size(&mut self) -> Result<u64, Stop> {
        let start = self.at;
        while self.peek().is_ok_and(|byte| byte.is_ascii_hexdigit()) {
            self.at += 1;
        }
        let digits = std::str::from_utf8(&self.all[start..self.at]).unwrap();
        if digits.len() > 16 {
            return Err(Stop::Wrong);
        }
        self.peek()?;
        let size = u64::from_str_radix(digits, 16).map_err(|_| Stop::Wrong)?;
        while self.peek()? == b';' {
            self.at += 1;
            self.name()?;
            if self.peek()? == b'=' {
                self.at += 1;
                if self.peek()? == b'"' { self.quoted()? } else { self.name()? }
            }
        }
        self.crlf()?;
        Ok(size)
    }

    fn body(&mut self) -> Result<(), Stop> {
        loop {
            let size = self.size()?;
            if size == 0 {
                break;
            }
            if size > (self.all.len() - self.at) as u64 {
                return Err(Stop::Short);
            }
            self.at += size as usize;
            self.crlf()?;
        }
        while self.peek()? != b'\r' {
            self.name()?;
            self.expect(b':')?;
            self.run(is_text)?;
            self.crlf()?;
        }
        self.crlf()
    }
}

fn at_once(bytes: &[u8]) -> Verdict {
    let mut reader = Reader { all: bytes, at: 0 };
    match reader.body() {
        Ok(()) => Verdict::Ends(reader.at),
        Err(Stop::Short) => Verdict::Endless,
        Err(Stop::Wrong) => Verdict::Malformed,
    }
}

fn in_steps(bytes: &[u8], step: usize) -> Verdict {
    let (mut chunks, mut taken) = (Chunks::default(), 0);
    for piece in bytes.chunks(step) {
        match chunks.take(piece) {
            Err(_) => {
                assert!(chunks.take(b"0\r\n\r\n").is_err());
                return Verdict::Malformed;
            }
            Ok(more) => taken += more,
        }
    }
    if chunks.ended() { Verdict::Ends(taken) } else { Verdict::Endless }
}

fuzz_target!(|data: &[u8]| {
    let Some((step, bytes)) = data.split_first() else { return };
    let want = at_once(bytes);
    assert_eq!(in_steps(bytes, usize::from(*step).max(1)), want);
    assert_eq!(in_steps(bytes, 1), want);
});
