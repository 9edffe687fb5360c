//! `anteroom doctor` in a pod: is this pod's app behind Anteroom? Asked from inside, of the pod's network alone: three things
//! make a sidecar real, and each can be missing without anybody noticing.
//!
//! 1. The app listens on loopback and nowhere else: knocks at the pod's own addresses, and reads who else listens there.
//! 2. The Service leads to Anteroom: asks it, when it is named, for something that only Anteroom answers.
//! 3. Probes reach the app: asks for each of `proxy.probes.paths` as the kubelet would.
//!
//! Must not: send a secret or change anything. No cluster is asked, so that no right is needed.

mod app;
mod listeners;
mod wire;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use clap::Args;

use self::wire::{Answer, ask, plain, reached, resolve};
use super::finding::Finding;
use crate::config::{Config, Environment, KUBERNETES_HOST, Probes};

const UNKNOWN_ADDRESS: &str = "The pod's own address is not known. Give it with --address.";

/// The flags of this part.
#[derive(Clone, Debug, Args)]
pub struct DoctorPodArgs {
    /// Look at this pod; without it, doctor does so where Kubernetes runs it and --gateway is not given
    #[arg(long)]
    pub pod: bool,
    /// The app's Service, as NAME or NAME:PORT
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// An address of this pod; without it, the ones that its packets leave from
    #[arg(long, value_name = "ADDRESS")]
    pub address: Vec<IpAddr>,
}

impl DoctorPodArgs {
    /// Whether somebody asked for this part.
    pub(super) fn given(&self) -> bool {
        self.pod || self.service.is_some() || !self.address.is_empty()
    }
}

/// Whether this process is in a pod.
pub(super) fn around_us(environment: &Environment) -> bool {
    environment.get(KUBERNETES_HOST).is_some()
}

/// The addresses of the pod that are knocked at.
pub(super) fn addresses(args: &DoctorPodArgs) -> Vec<IpAddr> {
    if args.address.is_empty() { own_addresses() } else { args.address.clone() }
}

/// Looks, and says what is missing.
pub(super) fn examine(args: &DoctorPodArgs, addresses: &[IpAddr], config: &Config) -> Vec<Finding> {
    let mut findings = vec![listens(config, addresses), app::open(config, addresses)];
    findings.extend(listeners::others(config));
    findings.push(service(config, args.service.as_deref()));
    findings.extend(probes(config, addresses));
    findings
}

/// The addresses that packets leave from. Nothing is sent: for UDP, connecting is choosing a route. Both goals are for
/// documentation (RFC 5737, RFC 3849).
fn own_addresses() -> Vec<IpAddr> {
    let from = |any: IpAddr, goal: IpAddr| {
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect((goal, 9)).ok()?;
        socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback())
    };
    let v4 = from(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into());
    let v6 = from(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into());
    v4.into_iter().chain(v6).collect()
}

fn listens(config: &Config, addresses: &[IpAddr]) -> Finding {
    const NAME: &str = "Anteroom is reached from outside of the pod";
    let problem = |meaning: String| Finding::problem("listen", NAME, meaning, &[]);
    let Some(proxy) = &config.proxy else {
        return Finding::not_checked("listen", NAME, "There is no reverse proxy: proxy.upstream is not set.");
    };
    let Some(at) = proxy.listen.tcp() else {
        return problem(format!(
            "proxy.listen is {}, which the Service does not reach. Write 0.0.0.0:4180.",
            proxy.listen
        ));
    };
    let places = [("proxy.listen", Some(at)), ("ops.listen", config.ops.listen)];
    let deaf: Vec<&str> = places
        .iter()
        .filter(|(_, at)| at.is_some_and(|at| at.ip().is_loopback()))
        .map(|(key, _)| *key)
        .collect();
    if !deaf.is_empty() {
        return problem(format!(
            "{}: a loopback address, which neither the Service nor the kubelet reaches. Write 0.0.0.0:4180 for the proxy and \
             0.0.0.0:4181 for ops.",
            deaf.join(" and ")
        ));
    }
    let own = Some(at.ip()).filter(|ip| !ip.is_unspecified());
    let Some(ip) = own.as_ref().or(addresses.first()) else {
        return Finding::not_checked("listen", NAME, UNKNOWN_ADDRESS);
    };
    let here = SocketAddr::new(*ip, at.port());
    match reached(here) {
        Ok(true) => Finding::ok("listen", NAME, format!("It listens on {}.", proxy.listen)),
        _ => Finding::not_checked(
            "listen",
            NAME,
            format!(
                "Nobody listens at {here} yet. Does Anteroom run with this configuration? A new address needs a restart."
            ),
        ),
    }
}

fn service(config: &Config, name: Option<&str>) -> Finding {
    const NAME: &str = "The Service leads to Anteroom";
    let not_checked = |why: String| Finding::not_checked("service", NAME, why);
    let Some(name) = name else {
        return not_checked(
            "Which Service it is cannot be seen from here. Name it with --service NAME.".into(),
        );
    };
    let addresses = match resolve(name) {
        Ok(addresses) => addresses,
        Err(error) => return not_checked(format!("{name} could not be looked up: {error}")),
    };
    // A pod may not be able to reach itself by its Service; another one behind the same name says as much.
    let host = config.public_url.authority();
    let answer = addresses.iter().find_map(|at| ask(*at, host, "/_anteroom/me").ok());
    let Some(Answer { status, body }) = answer else {
        return not_checked(format!(
            "{name} did not answer. Not every network lets a pod reach itself by its Service: ask from another one."
        ));
    };
    let said: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    let sign_in = said.as_ref().and_then(|said| said.get("sign_in_url")).and_then(serde_json::Value::as_str);
    let own = format!("{}/", config.public_url.origin());
    match sign_in.filter(|_| status == 401) {
        Some(url) if url.starts_with(&own) => {
            return Finding::ok("service", NAME, format!("Anteroom answers at {name}."));
        }
        Some(url) => {
            let meaning = format!(
                "{name} leads to another Anteroom, which sends people to {url}. Which Service is this app's?"
            );
            return Finding::problem("service", NAME, meaning, &[]);
        }
        None => {}
    }
    let meaning = format!(
        "{name} leads to something else than Anteroom, the app most likely: it answered {status} where Anteroom says who is \
         signed in. Set the Service's targetPort to Anteroom's port{}",
        patch(name)
    );
    Finding::problem("service", NAME, meaning, &[])
}

/// The command that does so, where the Service's name is known: in its own namespace, so without the rest.
fn patch(name: &str) -> String {
    let host = plain(name);
    if host.parse::<SocketAddr>().is_ok() || host.parse::<IpAddr>().is_ok() {
        return ".".into();
    }
    let short = host.split(['.', ':']).next().unwrap_or(host);
    format!(
        ", for its first port by: kubectl patch service {short} --type=json -p \
         '[{{\"op\":\"replace\",\"path\":\"/spec/ports/0/targetPort\",\"value\":4180}}]'"
    )
}

fn probes(config: &Config, addresses: &[IpAddr]) -> Vec<Finding> {
    const NAME: &str = "Probes of the kubelet reach the app";
    let Some(probes) = config.proxy.as_ref().and_then(|proxy| proxy.probes.as_ref()) else {
        let meaning = "No probe is handed on. That is right for exec probes, and for none; an httpGet probe of an app on loopback \
                       fails, and the kubelet restarts it. Add [proxy.probes], and let the probes ask port 4183.";
        return vec![Finding::note("probes", NAME, meaning)];
    };
    if probes.listen.ip().is_loopback() {
        let meaning = "proxy.probes.listen is a loopback address, which the kubelet does not reach. Write 0.0.0.0:4183.";
        return vec![Finding::problem("probes", NAME, meaning, &[])];
    }
    let at = |ip: &IpAddr| SocketAddr::new(*ip, probes.listen.port());
    let own = Some(probes.listen.ip()).filter(|ip| !ip.is_unspecified());
    match own.as_ref().or(addresses.first()) {
        Some(ip) => probes.paths.iter().map(|path| probe(at(ip), path, probes)).collect(),
        None => vec![Finding::not_checked("probes", NAME, UNKNOWN_ADDRESS)],
    }
}

fn probe(at: SocketAddr, path: &str, probes: &Probes) -> Finding {
    let name = format!("A probe of {path} reaches the app");
    match ask(at, &at.to_string(), path) {
        Ok(Answer { status: status @ 200..=399, .. }) => Finding::ok(
            "probes",
            &name,
            format!("The app answers {status} on port {}.", probes.listen.port()),
        ),
        Ok(Answer { status: 502, .. }) => {
            let meaning = "Anteroom is there, and the app does not answer it. Is it up, and is proxy.upstream its port?";
            Finding::problem("probes", &name, meaning, &[])
        }
        Ok(Answer { status: 404, .. }) => {
            let meaning = "It is answered with 404: the app knows no such path, or a newer list of paths is written than is in force.";
            Finding::problem("probes", &name, meaning, &[])
        }
        Ok(Answer { status, .. }) => {
            let meaning = format!("The app answers {status}, which the kubelet takes for a failure.");
            Finding::problem("probes", &name, meaning, &[])
        }
        Err(error) => {
            let meaning = format!(
                "Nobody answers at {at}: {error}. Does Anteroom run with this configuration? A new listener needs a restart."
            );
            Finding::problem("probes", &name, meaning, &[])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_names_a_service_and_no_address() {
        for name in
            ["wiki", "wiki:8080", "wiki.team.svc.cluster.local:80", "http://wiki/", "http://wiki.team"]
        {
            assert!(patch(name).contains("patch service wiki --type"), "{name}: {}", patch(name));
        }
        for name in ["10.0.0.1", "10.0.0.1:80", "http://10.0.0.1:80/", "fd00::1", "[fd00::1]:80"] {
            assert_eq!(patch(name), ".", "{name}");
        }
    }
}
