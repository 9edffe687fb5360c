//! `anteroom healthcheck`: is the Anteroom on this machine ready? For containers that have no other client in them.
//!
//! Must not: talk to anything but loopback or the configured listener. HTTP/1.1 (RFC 9112), one request, bounded in time and size.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use clap::Args;
use url::{Host, Url};

use super::{ConfigArgs, Exit, Terminal};

/// `anteroom healthcheck`
#[derive(Clone, Debug, Args)]
pub struct HealthcheckArgs {
    /// Where the configuration is: `ops.listen` says where to ask.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Where to ask instead: http on loopback; the path is /readyz unless given
    #[arg(long, value_name = "URL", conflicts_with_all = ["config", "profile"])]
    pub url: Option<String>,
}

const PATIENCE: Duration = Duration::from_secs(3);

/// Asks, and says what the answer was when it was not "ready".
pub(super) fn healthcheck(args: &HealthcheckArgs, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let target = match &args.url {
        Some(url) => {
            from_url(url).ok_or("--url is not an http URL of this machine, such as http://127.0.0.1:4181")
        }
        None => {
            let options = args.config.load_options(&terminal.environment);
            match terminal.load(&options)? {
                Ok(config) => {
                    let own = config.ops.listen.map(|address| (reachable(address), "/readyz".to_owned()));
                    own.ok_or("ops.listen is \"off\": there is nothing to ask")
                }
                Err(exit) => return Ok(exit),
            }
        }
    };
    let (address, path) = match target {
        Ok(target) => target,
        Err(reason) => {
            writeln!(terminal.err, "anteroom: {reason}")?;
            return Ok(Exit::Usage);
        }
    };
    let problem = match ask(address, &path) {
        Ok(200) => return Ok(Exit::Success),
        Ok(status) => format!(
            "http://{address}{path} answered {status}: not ready, so it should get no traffic; the answer itself \
             says why"
        ),
        Err(error) => format!(
            "http://{address}{path} did not answer: {error}. Is Anteroom running on this machine, and is this its \
             `ops.listen`?"
        ),
    };
    writeln!(terminal.err, "anteroom: {problem}")?;
    Ok(Exit::Failure)
}

fn from_url(text: &str) -> Option<(SocketAddr, String)> {
    let url = Url::parse(text).ok().filter(|url| url.scheme() == "http")?;
    let ip: IpAddr = match url.host()? {
        Host::Domain("localhost") => Ipv4Addr::LOCALHOST.into(),
        Host::Domain(_) => return None,
        Host::Ipv4(address) => address.into(),
        Host::Ipv6(address) => address.into(),
    };
    let path = if url.path() == "/" { "/readyz" } else { url.path() };
    ip.is_loopback()
        .then(|| (SocketAddr::new(ip, url.port_or_known_default().unwrap_or(80)), path.to_owned()))
}

/// Where a listener is reached from this machine: one for all interfaces, on loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// The status of the answer.
fn ask(address: SocketAddr, path: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // In one piece: a server that answers after the first would cut off the rest.
    stream.write_all(
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    // `HTTP/1.1 200`: the first twelve bytes say it all.
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    let status =
        std::str::from_utf8(&head).ok().and_then(|head| head.strip_prefix("HTTP/1.")?.get(2..)?.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
}
