//! Is each setting valid by itself and together with the others? The collector that the checks in `valid/` report to.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::finding::{ConfigErrors, Finding, Mistake, Warning};
use super::key::KeyPath;
use super::layers::Layers;
use super::variables;

/// Collects mistakes and warnings, and knows where each setting came from.
pub(super) struct Check<'a> {
    layers: &'a Layers,
    folder: &'a Path,
    found: Vec<Finding>,
    warnings: Vec<Warning>,
}

impl<'a> Check<'a> {
    /// Goes on from what reading the layers found.
    pub(super) fn new(layers: &'a Layers, folder: &'a Path) -> Self {
        Self { layers, folder, found: layers.found.clone(), warnings: Vec::new() }
    }

    /// Reports a mistake; `None`, to be returned. Nothing is said of a setting that was already found unreadable.
    pub(super) fn wrong<T>(&mut self, key: &KeyPath, mistake: Mistake) -> Option<T> {
        if !self.unreadable(key) {
            let origin = self.layers.origin(key, mistake.shown);
            self.found.push(mistake.at(key, origin));
        }
        None
    }

    /// Whether this setting, or a part of it, was found unreadable; that has been reported.
    pub(super) fn unreadable(&self, key: &KeyPath) -> bool {
        let unreadable = |dropped: &KeyPath| dropped.starts_with(key) || key.starts_with(dropped);
        self.layers.dropped.iter().any(unreadable)
    }

    /// Reports something that is allowed and may not be meant.
    pub(super) fn warn(&mut self, key: &KeyPath, mistake: Mistake) {
        let origin = self.layers.origin(key, mistake.shown);
        self.warnings.push(mistake.at(key, origin));
    }

    /// Reports a required setting that is not set.
    pub(super) fn missing<T>(&mut self, key: &str, meaning: &str, remedy: &str) -> Option<T> {
        let mistake = Mistake::new(
            "config.missing",
            format!("`{key}` is not set"),
            meaning,
            format!("{remedy}, in the file or as {}", variables::name_of(key)),
        );
        self.wrong(&KeyPath::of(key), mistake)
    }

    /// A span of time between one millisecond and `most`.
    pub(super) fn span(&mut self, key: &str, text: &str, most: Duration) -> Option<Duration> {
        self.span_at(&KeyPath::of(key), text, most)
    }

    /// The same, in a list.
    pub(super) fn span_at(&mut self, key: &KeyPath, text: &str, most: Duration) -> Option<Duration> {
        match humantime::parse_duration(text) {
            Ok(span) if span >= Duration::from_millis(1) && span <= most => Some(span),
            Ok(_) => {
                let most = humantime::format_duration(most);
                self.wrong(
                    key,
                    Mistake::new(
                        "config.duration",
                        format!("`{key}` is out of range"),
                        "It has to be more than nothing, and short enough to end",
                        format!("write a span of at most {most}"),
                    )
                    .showing_the_value(),
                )
            }
            Err(_) => self.wrong(
                key,
                Mistake::new(
                    "config.duration",
                    format!("`{key}` is not a span of time"),
                    "A number alone does not say whether it counts seconds or minutes",
                    "write a number and a unit, for example \"500ms\", \"30s\", \"5m\", \"8h\", \"7d\"",
                )
                .showing_the_value(),
            ),
        }
    }

    /// A whole number from `least` to `most`.
    pub(super) fn count(&mut self, key: &KeyPath, count: u64, least: u64, most: u64) -> Option<u64> {
        if (least..=most).contains(&count) {
            return Some(count);
        }
        let mistake = Mistake::new(
            "config.limit",
            format!("`{key}` is out of range"),
            "Too little stops ordinary use, too much invites abuse",
            format!("write a number from {least} to {most}"),
        );
        self.wrong(key, mistake.showing_the_value())
    }

    /// An address and port to listen on.
    pub(super) fn address(&mut self, key: &str, text: &str) -> Option<SocketAddr> {
        // `:4180` and `localhost:4180` are what people write.
        let written = match text.split_once(':') {
            Some(("", port)) => format!("0.0.0.0:{port}"),
            Some(("localhost", port)) => format!("127.0.0.1:{port}"),
            _ => text.to_owned(),
        };
        written.parse().ok().or_else(|| {
            let mistake = Mistake::new(
                "config.address",
                format!("`{key}` is not an address and port"),
                "Anteroom does not know where to listen",
                "write for example \"127.0.0.1:4180\", or \"0.0.0.0:4180\" for all interfaces",
            );
            self.wrong(&KeyPath::of(key), mistake.showing_the_value())
        })
    }

    /// A path, from the working folder if relative.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        self.folder.join(text)
    }

    /// A file that has to be there to be read.
    pub(super) fn readable(&mut self, key: &str, text: Option<&str>) -> Option<Option<PathBuf>> {
        self.readable_at(&KeyPath::of(key), text)
    }

    /// The same, in a list.
    pub(super) fn readable_at(&mut self, key: &KeyPath, text: Option<&str>) -> Option<Option<PathBuf>> {
        let Some(text) = text else { return Some(None) };
        let path = self.path(text);
        match std::fs::File::open(&path).and_then(|file| file.metadata()) {
            Ok(about) if about.is_file() => Some(Some(path)),
            problem => {
                let reason = problem.err().map_or("it is not a file".into(), |error| error.to_string());
                let mistake = Mistake::new(
                    "config.unreadable-file",
                    format!("the file of `{key}` cannot be read: {reason}"),
                    "Anteroom would not have what it needs from it",
                    "check the path (relative ones count from the working folder) and who may read it",
                );
                self.wrong(key, mistake.showing_the_value())
            }
        }
    }

    /// Whether nothing has been found wrong.
    pub(super) fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// The warnings, or all mistakes.
    pub(super) fn finish(self) -> Result<Vec<Warning>, ConfigErrors> {
        if self.found.is_empty() {
            Ok(self.warnings)
        } else {
            Err(ConfigErrors::new(self.found, self.warnings))
        }
    }
}
