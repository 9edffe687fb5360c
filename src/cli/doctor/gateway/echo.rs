//! What would the app get? A listener in the app's place that writes down every request as it arrives and answers each
//! with the same few words.
//!
//! Guarantees: what is written down stays in this process; the words are the same for everybody. One request per
//! connection, bounded in size and time.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::message::Head;
use super::wire::hang_up;

/// The header that tells probes apart.
pub(super) const PROBE: &str = "X-Doctor-Probe";
/// How long a gateway may take to send a request.
const PATIENCE: Duration = Duration::from_secs(15);
/// Requests that are remembered, so that traffic of others cannot fill the memory.
const REMEMBERED: usize = 10_000;

/// The listener in the app's place.
#[derive(Debug)]
pub(super) struct Echo {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Head>>>,
    over: Arc<AtomicBool>,
}

impl Echo {
    /// Listens, until dropped.
    pub(super) fn listen(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let (address, seen, over) =
            (listener.local_addr()?, Arc::default(), Arc::new(AtomicBool::new(false)));
        let echo = Self { address, seen: Arc::clone(&seen), over: Arc::clone(&over) };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Acquire) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let seen = Arc::clone(&seen);
                // Whoever sends half a request must not keep the others waiting.
                std::thread::spawn(move || answer(&stream, &seen));
            }
        });
        Ok(echo)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The request of a probe, if it arrived; the last one where the gateway tried more than once.
    pub(super) fn saw(&self, probe: &str) -> Option<Head> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().rev().find(|head| head.value(PROBE) == Some(probe)).cloned()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // Wakes the listener.
        let _gone = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

fn answer(mut stream: &TcpStream, seen: &Mutex<Vec<Head>>) {
    const WORDS: &str = "anteroom doctor is standing in for the app\n";
    let timed = stream.set_read_timeout(Some(PATIENCE)).and(stream.set_write_timeout(Some(PATIENCE)));
    let Ok(Some(head)) = timed.and_then(|()| Head::read(&mut BufReader::new(stream))) else { return };
    {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < REMEMBERED {
            seen.push(head);
        }
    }
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{WORDS}",
        WORDS.len()
    );
    let _gone = stream.write_all(answer.as_bytes());
    hang_up(stream);
}
