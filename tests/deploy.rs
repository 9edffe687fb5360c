//! Does what `deploy/` holds work? Linted by the tools of each format, and run: the service as its unit starts it, every
//! metric of the dashboard and the alerts asked for in a live exposition.

mod compose;
mod debian;
mod image;
mod machine;
mod metrics;
mod prometheus;
mod systemd;
mod tools;
mod unit;
mod workflows;
