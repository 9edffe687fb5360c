//! What does one decision cost, and does it grow? From the headers of a browser with five cookies to everything that the
//! upstream's request needs: the permit, the identity headers, the names to remove, the `Cookie` line without ours.
//!
//! `warm`: the same cookie again. `in turn`: 5,000 people take turns, so little of a session is in the processor's caches.
//! `cold`: a cookie that this process has not seen yet, of a session that it knows. Goals: 0.5 µs warm, 2 µs cold, no
//! growth.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod fixture;

use std::cell::Cell;
use std::hint::black_box;

use anteroom::auth::{Auth, Check};
use anteroom::session::cookie;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use fixture::{Load, Site, facts};
use http::HeaderMap;
use http::header::COOKIE;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ONE: Load = Load { rules: 1, ended: 0, people: 1, assertion: false };

/// One decision, with all that the proxy takes from it.
fn decide(auth: &Auth, headers: &HeaderMap) {
    let Check::Forward(permit) = auth.check(&facts(headers)) else { panic!("not let through") };
    black_box(auth.identity_headers(&permit, "app.example.com").unwrap());
    black_box(auth.layout().reserved_in(headers).count());
    for line in headers.get_all(COOKIE) {
        black_box(cookie::strip(line.as_bytes(), auth.cookie_names()));
    }
}

fn warm(c: &mut Criterion, name: &str, load: Load) {
    let site = Site::with(load);
    let headers = site.request(0);
    c.bench_function(name, |b| b.iter(|| decide(&site.auth, &headers)));
}

fn cold(c: &mut Criterion, name: &str, load: Load) {
    let site = Site::with(load);
    let next = Cell::new(0);
    let stranger = || site.request(next.replace(next.get() + 1));
    c.bench_function(name, |b| {
        b.iter_batched_ref(stranger, |headers| decide(&site.auth, headers), BatchSize::SmallInput);
    });
}

fn in_turn(c: &mut Criterion) {
    let site = Site::with(Load { people: 5000, assertion: true, ..ONE });
    let requests: Vec<HeaderMap> = (0..5000).map(|n| site.request(n)).collect();
    requests.iter().for_each(|headers| decide(&site.auth, headers));
    let mut turns = requests.iter().cycle();
    c.bench_function("in turn", |b| b.iter(|| decide(&site.auth, turns.next().unwrap())));
}

fn decisions(c: &mut Criterion) {
    warm(c, "warm", Load { assertion: true, ..ONE });
    in_turn(c);
    cold(c, "cold", ONE);
    cold(c, "cold, with an assertion to sign", Load { assertion: true, ..ONE });
}

fn growth(c: &mut Criterion) {
    for (name, load) in [
        ("1 rule, 1 session, none ended", ONE),
        ("1,000 rules", Load { rules: 1000, ..ONE }),
        ("100,000 ended sessions", Load { ended: 100_000, ..ONE }),
        ("100,000 people in turn", Load { people: 100_000, ..ONE }),
    ] {
        warm(c, &format!("growth, warm: {name}"), load);
        cold(c, &format!("growth, cold: {name}"), load);
    }
}

criterion_group!(benches, decisions, growth);
criterion_main!(benches);
