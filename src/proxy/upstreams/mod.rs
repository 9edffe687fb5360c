//! Which connection carries a request to which app? The app follows from host and path; the server from how the app is
//! balanced and how its servers are.
//!
//! A request that belongs to no app is answered 404, never by another app. The path that is compared is the canonical one
//! that the decision saw; were it to lead to different apps in different readings, it leads to none.

mod app;
mod backend;
mod balance;
mod failure;
mod health;
mod names;
mod peers;
mod pool;
mod question;
mod rewrite;
mod tls;
mod websocket_gate;

use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;
use pingora::server::configuration::ServerConf;
use tokio::task::JoinSet;

use super::settings;
use super::setup_error::SetupError;
use crate::gate::{CanonicalPath, Hosts, OriginId};
use crate::identity::headers::Layout;
use crate::metrics::Metrics;

pub(super) use self::app::{MAX_TRIES, Upstream};
pub(super) use self::backend::{Backend, InFlight};
pub(super) use self::failure::{of_connection, of_exchange};
pub(super) use self::peers::{Kind, keep_alive};
pub(super) use self::question::{Question, ask, connector};

/// All apps, and the tasks that watch over their servers.
#[derive(Debug)]
pub(super) struct Upstreams {
    /// The most particular first: named hosts before any host, longer paths before shorter ones.
    rules: Vec<Rule>,
    /// While it serves. Dropping it stops them.
    tasks: Mutex<Option<JoinSet<()>>>,
}

#[derive(Debug)]
struct Rule {
    hosts: Hosts,
    /// Without the slash at its end.
    path: Box<str>,
    upstream: Arc<Upstream>,
}

impl Upstreams {
    /// Prepares all of them and reads their files; opens no connection and looks no name up.
    pub(super) fn new(upstreams: &[settings::Upstream], layout: &Layout) -> Result<Self, SetupError> {
        if upstreams.is_empty() {
            return Err(SetupError::NoServer("app".into()));
        }
        let (resolver, mut system) = (Arc::default(), None);
        let rule = |settings: &settings::Upstream| {
            Ok(Rule {
                hosts: settings.hosts.clone(),
                path: settings.path.trim_end_matches('/').into(),
                upstream: Arc::new(Upstream::new(settings, &resolver, &mut system, layout)?),
            })
        };
        let mut rules = upstreams.iter().map(rule).collect::<Result<Vec<Rule>, SetupError>>()?;
        rules.sort_by_key(|rule| (rule.hosts == Hosts::Any, std::cmp::Reverse(rule.path.len())));
        Ok(Self { rules, tasks: Mutex::new(None) })
    }

    /// The app of a request that is allowed. `path` is the target's, as the client wrote it. `Err` is the status to answer.
    pub(super) fn of(&self, host: Option<OriginId>, path: &str) -> Result<&Arc<Upstream>, StatusCode> {
        if let [Rule { hosts: Hosts::Any, path, upstream }] = self.rules.as_slice()
            && path.is_empty()
        {
            return Ok(upstream);
        }
        let path = CanonicalPath::parse(path).map_err(|_| StatusCode::BAD_REQUEST)?;
        let found = self.under(host, path.as_str()).ok_or(StatusCode::NOT_FOUND)?;
        let same = |other| self.under(host, other).is_some_and(|other| Arc::ptr_eq(other, found));
        if path.other_readings().all(same) { Ok(found) } else { Err(StatusCode::BAD_REQUEST) }
    }

    fn under(&self, host: Option<OriginId>, path: &str) -> Option<&Arc<Upstream>> {
        let matching = |rule: &&Rule| {
            let of_host = match &rule.hosts {
                Hosts::Any => true,
                Hosts::Only(places) => host.is_some_and(|host| places.contains(&host.place())),
            };
            of_host
                && path.strip_prefix(&*rule.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.rules.iter().find(matching).map(|rule| &rule.upstream)
    }

    /// Begins to watch over the servers: names are kept fresh, health is asked for. Within a runtime.
    pub(super) fn start(&self, metrics: &Metrics) {
        let mut tasks = JoinSet::new();
        for rule in &self.rules {
            rule.upstream.pool().report(metrics);
            for place in 0..rule.upstream.pool().servers() {
                let upstream = Arc::clone(&rule.upstream);
                tasks.spawn(async move { upstream.pool().keep_fresh(place).await });
            }
            tasks.spawn(health::watch(Arc::clone(&rule.upstream)));
        }
        *self.tasks.lock().unwrap_or_else(PoisonError::into_inner) = Some(tasks);
    }

    /// Stops watching; says whether anybody did.
    pub(super) fn stop(&self) -> bool {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }

    /// Takes the place of others: what they know of the same servers stays known, and their watch ends.
    pub(super) fn take_over(&self, old: &Self, metrics: &Metrics) {
        for rule in &self.rules {
            let same = old.rules.iter().find(|other| other.upstream.name() == rule.upstream.name());
            if let Some(same) = same {
                let checked = rule.upstream.health().is_some();
                rule.upstream.pool().adopt(same.upstream.pool(), checked);
            }
        }
        let now: Vec<_> = self.rules.iter().flat_map(|rule| rule.upstream.pool().labels()).collect();
        for (upstream, server) in old.rules.iter().flat_map(|rule| rule.upstream.pool().labels()) {
            if !now.contains(&(upstream, server)) {
                metrics.upstream_gone(upstream, server);
            }
        }
        if old.stop() {
            self.start(metrics);
        }
    }
}

/// Reads the files that the apps are spoken to with, and nothing of the system's.
///
/// # Errors
/// The first one that does not do.
pub(super) fn try_files(upstreams: &[settings::Upstream]) -> Result<(), SetupError> {
    let mut system = Some(Vec::new().into());
    upstreams.iter().filter_map(|upstream| upstream.tls.as_ref()).try_for_each(|tls| {
        let _they_do = tls::credentials(tls, &mut system)?;
        Ok(())
    })
}

/// pingora's settings for connections to all apps. It trusts nobody by itself: each https peer says whom.
pub(super) fn server_conf(upstreams: &[settings::Upstream]) -> ServerConf {
    ServerConf {
        ca_file: Some(tls::NOBODY.into()),
        threads: 1,
        upstream_keepalive_pool_size: upstreams.iter().map(|upstream| upstream.keep_alive_pool).sum(),
        max_retries: MAX_TRIES,
        ..ServerConf::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::gate::{Origin, Origins};
    use crate::identity::headers::{Claim, Preset};

    pub(super) fn layout() -> Layout {
        Layout::new(&[Preset::Anteroom], &[], Claim::AccountId)
    }

    /// With servers at these ports of loopback.
    pub(super) fn upstream_at(ports: &[u16]) -> settings::Upstream {
        let server = |port: &u16| settings::Server::Tcp { host: "127.0.0.1".into(), port: *port };
        settings::Upstream { servers: ports.iter().map(server).collect(), ..settings::Upstream::default() }
    }

    fn upstreams(rules: &[(&str, &[usize], &str)]) -> Upstreams {
        let upstream = |(name, hosts, path): &(&str, &[usize], &str)| settings::Upstream {
            name: (*name).into(),
            hosts: if hosts.is_empty() { Hosts::Any } else { Hosts::Only(hosts.to_vec()) },
            path: (*path).into(),
            ..upstream_at(&[80])
        };
        let all: Vec<_> = rules.iter().map(upstream).collect();
        Upstreams::new(&all, &layout()).unwrap()
    }

    #[test]
    fn the_app_follows_from_host_and_path() {
        let wiki = Origin::parse("https://wiki.example").unwrap();
        let origins = Origins::new(Origin::parse("https://app.example").unwrap(), vec![wiki]);
        let all = upstreams(&[
            ("any-api", &[], "/api/"),
            ("wiki", &[1], "/"),
            ("wiki-admin", &[1], "/admin/"),
            ("any-api-v2", &[], "/api/v2/"),
            ("app-only", &[0], "/only/"),
        ]);
        for (host, path, want) in [
            ("app.example", "/api/", Ok("any-api")),
            ("app.example", "/api", Ok("any-api")),
            ("app.example", "/api/x", Ok("any-api")),
            ("app.example", "/%61pi/x", Ok("any-api")),
            ("app.example", "/api/v2", Ok("any-api-v2")),
            ("app.example", "/api/v2/x", Ok("any-api-v2")),
            ("app.example", "/api/v22", Ok("any-api")),
            ("app.example", "/apis", Err(404)),
            ("app.example", "/", Err(404)),
            ("app.example", "/only/a", Ok("app-only")),
            ("stranger.example", "/only/a", Err(404)),
            ("stranger.example", "/api/a", Ok("any-api")),
            // A host that is named beats any host, whatever the paths.
            ("wiki.example", "/api/v2/x", Ok("wiki")),
            ("wiki.example", "/", Ok("wiki")),
            ("wiki.example", "/admin/users", Ok("wiki-admin")),
            ("wiki.example", "/admins", Ok("wiki")),
            // One app to a server that drops parameters, another or none to one that does not.
            ("wiki.example", "/admin;x/users", Err(400)),
            ("app.example", "/api;x/y", Err(404)),
            ("app.example", "/api/v2;x/y", Err(400)),
            ("app.example", "/api/x;y", Ok("any-api")),
            ("app.example", "/api/../only/", Err(400)),
        ] {
            let found = all.of(origins.of_host(host), path).map(|up| up.name()).map_err(|s| s.as_u16());
            assert_eq!(found, want, "{host}{path}");
        }
    }

    #[test]
    fn one_app_for_everything() {
        let all = upstreams(&[("app", &[], "/")]);
        assert_eq!(all.of(None, "/any;thing").map(|up| up.name()), Ok("app"));
        assert!(matches!(Upstreams::new(&[], &layout()), Err(SetupError::NoServer(_))));
        let nowhere = [upstream_at(&[])];
        assert!(matches!(Upstreams::new(&nowhere, &layout()), Err(SetupError::NoServer(_))));
    }

    /// What a configuration that is only tried says must not stand in the metrics.
    #[test]
    fn settings_that_are_not_in_force_say_nothing() {
        let metrics = Metrics::new();
        let tried = upstreams(&[("tried", &[], "/")]);
        assert!(!metrics.expose().contains("upstream_healthy{"));
        tried.rules[0].upstream.pool().report(&metrics);
        assert!(metrics.expose().contains("upstream_healthy{upstream=\"tried\""));
    }

    /// What only a health check could bring back is back when there are no checks any more.
    #[test]
    fn servers_that_are_not_asked_any_more_are_taken_for_well() {
        let check = settings::HealthCheck {
            path: "/".into(),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            healthy_after: 1,
            unhealthy_after: 1,
        };
        let with = |health| {
            let upstream = settings::Upstream { health, ..upstream_at(&[81]) };
            Upstreams::new(&[upstream], &layout()).unwrap()
        };
        let well = |all: &Upstreams| all.rules[0].upstream.pool().backends()[0].well();
        let old = with(Some(check.clone()));
        old.rules[0].upstream.pool().backends()[0].checked(false, &check);
        assert!(!well(&old));
        for (health, want) in [(Some(check), false), (None, true)] {
            let new = with(health);
            new.take_over(&old, &Metrics::new());
            assert_eq!(well(&new), want);
        }
    }

    #[tokio::test]
    async fn new_settings_take_the_watch_over() {
        let metrics = Metrics::new();
        let with = |ports: &[u16]| Upstreams::new(&[upstream_at(ports)], &layout()).unwrap();
        let watched = |all: &Upstreams| all.tasks.lock().unwrap().is_some();
        let (old, new, unserved) = (with(&[81, 82]), with(&[82, 83]), with(&[82, 83]));
        unserved.take_over(&old, &metrics);
        assert!(!watched(&unserved), "nobody serves yet");
        old.start(&metrics);
        let ejection = settings::Ejection { failures: 1, ..settings::Ejection::default() };
        for backend in old.rules[0].upstream.pool().backends().iter() {
            backend.failed(1, ejection);
        }
        new.take_over(&old, &metrics);
        assert!(watched(&new) && !watched(&old));
        let well: Vec<bool> = new.rules[0].upstream.pool().backends().iter().map(|b| b.well()).collect();
        assert_eq!(well, [false, true]);
        let text = metrics.expose();
        for (server, line) in [(81, None), (82, Some(0)), (83, Some(1))] {
            let name = format!("upstream_healthy{{upstream=\"app\",server=\"127.0.0.1:{server}\"}}");
            let told = text.lines().find_map(|line| line.strip_prefix(&format!("anteroom_{name} ")));
            assert_eq!(told, line.map(|n| n.to_string()).as_deref(), "{text}");
        }
        assert!(new.stop() && !new.stop());
    }
}
