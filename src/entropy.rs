//! Where does chance come from? One trait, so that the core can be handed its randomness and tests can repeat it.

use std::sync::Mutex;
use std::time::Duration;

use aws_lc_rs::digest;

/// A source of random bytes, fit for keys, nonces and state.
pub trait Entropy: Send + Sync + 'static {
    /// Fills the whole buffer.
    fn fill(&self, buffer: &mut [u8]);
}

impl dyn Entropy {
    /// `N` fresh random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }
}

/// A tenth more or less, so that many who do a thing in the same span do not do it at the same moment.
pub fn jittered(span: Duration) -> Duration {
    let [byte] = <dyn Entropy>::bytes::<1>(&SystemEntropy);
    span.mul_f64(0.9 + f64::from(byte) / 255.0 * 0.2)
}

/// The operating system's generator, through aws-lc.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        // Without randomness no state or session ID may be made: stopping is the only safe answer.
        if aws_lc_rs::rand::fill(buffer).is_err() {
            std::process::abort();
        }
    }
}

/// A repeatable generator (SHA-256 in counter mode) for the emulator's fixed ids and for tests. Never for secrets.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: [u8; 32],
    counter: Mutex<u64>,
}

impl SeededEntropy {
    /// The same seed gives the same bytes.
    pub fn new(seed: u64) -> Self {
        let mut wide = [0; 32];
        wide.iter_mut().zip(seed.to_le_bytes()).for_each(|(to, from)| *to = from);
        Self { seed: wide, counter: Mutex::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        let mut counter = self.counter.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for chunk in buffer.chunks_mut(32) {
            let mut block = digest::Context::new(&digest::SHA256);
            block.update(&self.seed);
            block.update(&counter.to_le_bytes());
            *counter = counter.wrapping_add(1);
            chunk.iter_mut().zip(block.finish().as_ref()).for_each(|(to, from)| *to = *from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_moves_on() {
        let (a, b): (Box<dyn Entropy>, Box<dyn Entropy>) =
            (Box::new(SeededEntropy::new(7)), Box::new(SeededEntropy::new(7)));
        let first: [u8; 40] = a.bytes();
        assert_eq!(first, b.bytes::<40>());
        assert_ne!(first, a.bytes::<40>());
    }

    #[test]
    fn replicas_are_not_in_step() {
        let spans: std::collections::HashSet<Duration> =
            (0..50).map(|_| jittered(Duration::from_secs(10))).collect();
        assert!(spans.len() > 5);
        assert!(spans.iter().all(|span| (9_000..=11_000).contains(&span.as_millis())));
    }

    #[test]
    fn the_system_does_not_repeat() {
        let system: Box<dyn Entropy> = Box::new(SystemEntropy);
        assert_ne!(system.bytes::<16>(), system.bytes::<16>());
    }
}
