//! What is Anteroom's container beside an app, and what does its pod need for it?
//!
//! The same as the chart's: its own user, a read-only root, no capability, which satisfies PodSecurity *restricted*; the
//! configuration and the secrets as one projected volume, so that both change at the same moment and without a restart;
//! probes that ask Anteroom about itself.
//! <https://kubernetes.io/docs/concepts/security/pod-security-standards/>,
//! <https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/>

use super::yaml::Node;

/// The container's name.
pub(super) const NAME: &str = "anteroom";
/// The volume of the configuration and the secrets.
pub(super) const FILES: &str = "anteroom";
/// The volume of the store.
pub(super) const STORE: &str = "anteroom-store";
/// The port that people's requests arrive at.
pub const HTTP: (&str, u16) = ("anteroom-http", 4180);
/// The port of health and metrics.
pub const OPS: (&str, u16) = ("ops", 4181);
/// The port that hands probes of the app on.
pub const PROBES: (&str, u16) = ("probes", 4183);
/// The user, and the group, that Anteroom runs as.
pub(super) const USER: u64 = 65532;
/// The files' modes: 0440, or 0444 where there is no group that Anteroom is in; no other container mounts their volume.
pub(super) const MODES: [u64; 2] = [288, 292];
/// Seconds from SIGTERM to the end: `ops.shutdown_delay`, `ops.drain_timeout` and five more. As a native sidecar they begin when
/// the app has ended.
pub(super) const GRACE: u64 = 30;

/// What is chosen about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sidecar {
    /// The image, with tag or digest.
    pub image: String,
    /// The ConfigMap with the key `anteroom.toml`; `anteroom` without one.
    pub config_map: Option<String>,
    /// The Secret with the keys `client-secret` and `session-keys`; `anteroom` without one.
    pub secret: Option<String>,
    /// Whether it is a native sidecar: it starts before the app and ends after it. Kubernetes 1.29 or later.
    pub native: bool,
    /// Whether it hands probes of the app on.
    pub probes: bool,
}

impl Default for Sidecar {
    fn default() -> Self {
        Self {
            image: concat!("ghcr.io/anteroom-dev/anteroom:", env!("CARGO_PKG_VERSION")).into(),
            config_map: None,
            secret: None,
            native: false,
            probes: false,
        }
    }
}

impl Sidecar {
    /// The container as a list of one, in YAML: for `containers:`, or for `initContainers:` when it is native.
    pub fn container_yaml(&self) -> String {
        super::yaml::fresh(&vec![self.container()].into())
    }

    /// The volumes that it needs, in YAML: for `volumes:` of a pod that has an `fsGroup`.
    pub fn volumes_yaml(&self) -> String {
        super::yaml::fresh(&self.volumes(true).into())
    }

    pub(super) fn container(&self) -> Node {
        let port = |(name, number): (&str, u16)| {
            Node::from([
                ("name", name.into()),
                ("containerPort", u64::from(number).into()),
                ("protocol", "TCP".into()),
            ])
        };
        let mut ports = vec![port(HTTP), port(OPS)];
        if self.probes {
            ports.push(port(PROBES));
        }
        let probe = |path: &str, period: u64, failures: u64| {
            Node::from([
                ("httpGet", [("path", path.into()), ("port", OPS.0.into())].into()),
                ("periodSeconds", period.into()),
                ("failureThreshold", failures.into()),
            ])
        };
        let args = ["run", "--config", "/etc/anteroom/anteroom.toml"].map(quoted).to_vec();
        let mount = |name: &str, path: &str| [("name", name.into()), ("mountPath", path.into())].into();
        let files = Node::from([
            ("name", FILES.into()),
            ("mountPath", "/etc/anteroom".into()),
            ("readOnly", true.into()),
        ]);
        let resources = Node::from([
            ("requests", [("cpu", quoted("50m")), ("memory", quoted("64Mi"))].into()),
            ("limits", [("memory", quoted("256Mi"))].into()),
        ]);
        let security = Node::from([
            ("runAsNonRoot", true.into()),
            ("runAsUser", USER.into()),
            ("runAsGroup", USER.into()),
            ("allowPrivilegeEscalation", false.into()),
            ("readOnlyRootFilesystem", true.into()),
            ("capabilities", [("drop", vec!["ALL".into()].into())].into()),
            ("seccompProfile", [("type", "RuntimeDefault".into())].into()),
        ]);
        let all = [
            ("name", NAME.into()),
            ("image", quoted(&self.image)),
            ("imagePullPolicy", "IfNotPresent".into()),
            ("restartPolicy", "Always".into()),
            ("args", args.into()),
            ("ports", ports.into()),
            ("startupProbe", probe("/readyz", 1, 60)),
            ("livenessProbe", probe("/livez", 10, 3)),
            ("readinessProbe", probe("/readyz", 2, 3)),
            ("resources", resources),
            ("securityContext", security),
            ("volumeMounts", vec![files, mount(STORE, "/var/lib/anteroom")].into()),
        ];
        // In `initContainers` it says "sidecar"; elsewhere it is refused.
        let wanted = all.into_iter().filter(|(key, _)| self.native || *key != "restartPolicy");
        super::yaml::Value::Map(wanted.map(|(key, value)| (key.into(), value)).collect()).into()
    }

    /// `shared`: whether the pod has a group, to which the kubelet gives the files.
    pub(super) fn volumes(&self, shared: bool) -> Vec<Node> {
        let item = |key: &str, path: &str| Node::from([("key", key.into()), ("path", path.into())]);
        let config = Node::from([
            ("name", quoted(self.config_map.as_deref().unwrap_or(NAME))),
            ("items", vec![item("anteroom.toml", "anteroom.toml")].into()),
        ]);
        let secrets = ["client-secret", "session-keys"].map(|key| item(key, &format!("secrets/{key}")));
        let secret = Node::from([
            ("name", quoted(self.secret.as_deref().unwrap_or(NAME))),
            ("items", secrets.to_vec().into()),
        ]);
        let sources = vec![[("configMap", config)].into(), [("secret", secret)].into()];
        let [with_group, without] = MODES;
        let mode = if shared { with_group } else { without };
        let projected = Node::from([("defaultMode", mode.into()), ("sources", sources.into())]);
        vec![
            [("name", FILES.into()), ("projected", projected)].into(),
            [("name", STORE.into()), ("emptyDir", [("sizeLimit", quoted("128Mi"))].into())].into(),
        ]
    }
}

fn quoted(text: &str) -> Node {
    super::yaml::Value::Scalar { text: text.into(), plain: false }.into()
}
