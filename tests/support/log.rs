//! What does the log say of one test? Lines of this thread, from now until this is dropped.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

use super::{DEADLINE, secrets};

/// Collects warnings and worse.
pub(crate) struct Warnings {
    lines: Arc<Mutex<Vec<String>>>,
    _collecting: DefaultGuard,
}

impl Warnings {
    pub(crate) fn collect() -> Self {
        let lines = Arc::default();
        let collector = tracing_subscriber::registry().with(Collector(Arc::clone(&lines)));
        Self { lines, _collecting: tracing::subscriber::set_default(collector) }
    }

    /// Each as `message field=value …`.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Waits for one with all of these words.
    pub(crate) async fn wait_for(&self, words: &[&str]) -> String {
        let found = async {
            loop {
                let fits = |line: &String| words.iter().all(|word| line.contains(word));
                if let Some(line) = self.lines().into_iter().find(fits) {
                    return line;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let found = tokio::time::timeout(DEADLINE, found).await;
        found.unwrap_or_else(|_| panic!("no {words:?} in {:#?}", self.lines()))
    }
}

struct Collector(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Collector {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() > Level::WARN {
            return;
        }
        let mut line = Line(String::new());
        event.record(&mut line);
        secrets::check("the log of one test", &line.0);
        self.0.lock().unwrap().push(line.0);
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, "{}={value} ", field.name()).unwrap();
    }
}
