//! Do real gateways ask Anteroom as they should, and do what it says? Each program is started with exactly what
//! `anteroom config` prints, between a real Anteroom and an app that writes down what reaches it.

mod browser;
mod echo;
mod examples;
mod hand_off;
mod matrix;
mod settings;
mod stranger;
mod upgrades;
mod world;
