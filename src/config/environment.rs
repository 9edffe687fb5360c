//! What does the process environment say? Read once into a map, so that nothing else looks at it and tests bring their
//! own.

use std::collections::BTreeMap;

/// The prefix of Anteroom's own variables.
pub(super) const PREFIX: &str = "ANTEROOM_";

/// The names of the sockets that systemd hands over (`sd_listen_fds(3)`).
pub const SOCKET_NAMES: &str = "LISTEN_FDNAMES";

/// Where the service manager wants to be told how things stand (`sd_notify(3)`).
pub const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

/// How many microseconds may pass without a sign of life (`sd_watchdog_enabled(3)`).
pub const WATCHDOG_INTERVAL: &str = "WATCHDOG_USEC";

/// Which process is to give it, by number.
pub const WATCHDOG_PROCESS: &str = "WATCHDOG_PID";

/// Where a pod finds the cluster; the kubelet sets it in every container
/// (<https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/>).
pub const KUBERNETES_HOST: &str = "KUBERNETES_SERVICE_HOST";

/// What a service manager says; no settings.
const SERVICE_MANAGER: [&str; 5] =
    [SOCKET_NAMES, NOTIFY_SOCKET, WATCHDOG_INTERVAL, WATCHDOG_PROCESS, KUBERNETES_HOST];

/// Environment variables by name.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    not_unicode: Vec<String>,
}

impl Environment {
    /// The variables of this process that Anteroom could be interested in.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the process environment")]
    pub fn of_the_process() -> Self {
        let mut environment = Self::default();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            let ours = name.starts_with(PREFIX) || name.starts_with("PROVIDER_ATLASSIAN_");
            if !ours && !SERVICE_MANAGER.contains(&name.as_str()) {
                continue;
            }
            match value.into_string() {
                Ok(value) => drop(environment.variables.insert(name, value)),
                Err(_) => environment.not_unicode.push(name),
            }
        }
        environment
    }

    /// The value of a variable. One that is set to nothing counts as not set: that is how container tools pass on
    /// what they were not given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All variables that are set to something and may be settings, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let set = self.variables.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        set.filter(|(name, value)| !value.is_empty() && !SERVICE_MANAGER.contains(name))
    }

    /// Variables whose value is not Unicode.
    pub(super) fn not_unicode(&self) -> &[String] {
        &self.not_unicode
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let variables = pairs.into_iter().map(|(n, v)| (n.into(), v.into())).collect();
        Self { variables, not_unicode: Vec::new() }
    }
}

impl std::fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}
