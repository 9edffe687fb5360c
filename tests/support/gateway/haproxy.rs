//! HAProxy with what `anteroom config haproxy` prints: the configuration, and the Lua action that asks.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::serves;
use crate::support::process::Process;

/// Starts HAProxy in this folder, which must outlive it, and waits until it serves `host` (as in `Host`) at `address`.
/// `lua` is the form of that name; `key` is the shared key, if the configuration asks for one.
pub(crate) async fn start(
    folder: &Path,
    configuration: &str,
    lua: &str,
    address: SocketAddr,
    host: &str,
    key: Option<&str>,
) -> Process {
    let script = folder.join("anteroom.lua");
    fs::write(&script, lua).unwrap();
    let configuration = configuration.replace("/etc/haproxy/anteroom.lua", &script.display().to_string());
    fs::write(folder.join("haproxy.cfg"), configuration).unwrap();
    // Debian has it in a folder that only root's PATH names.
    let program = Path::new("/usr/sbin/haproxy");
    let mut command =
        Command::new(if program.exists() { program.to_owned() } else { PathBuf::from("haproxy") });
    command
        .args(["-db", "-f"])
        .arg(folder.join("haproxy.cfg"))
        .envs(key.map(|key| ("ANTEROOM_FORWARD_AUTH__KEY", key)));
    serves(Process::start("haproxy", command, "sudo apt-get install -y haproxy"), address, host).await
}

mod tests {
    use super::super::checks::{self, Setting};
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_printed_for_haproxy_holds() {
        let setting = Setting::new(&["haproxy"]).await;
        let lua = setting.printed(&["haproxy", "--format", "lua"]);
        let (address, host) = (setting.gateway, setting.host.clone());
        let running = start(setting.folder(), &setting.configuration, &lua, address, &host, None).await;
        checks::all(setting, &running).await;
        assert!(!running.output().contains("[WARNING]"), "{}", running.output());
    }
}
