//! `anteroom config GATEWAY`: what does the gateway in front of the app need to be told, so that it asks Anteroom first?
//!
//! Guarantees: what is printed is complete for this configuration, holds no secret, and needs no quoting anywhere (see
//! [`Site`]). One file per gateway says which formats there are; the texts are in `templates/gateways/`.
//! Must not: touch the network, or guess what the configuration does not say.

mod caddy;
mod envoy;
mod gateway_api;
mod haproxy;
mod kubernetes;
mod names;
mod nginx;
mod site;
mod traefik;

use std::io;

use clap::{Args, ValueEnum};

use self::site::{Flags, Site};
use super::{ConfigArgs, Exit, Terminal};
use crate::config::Config;

/// `anteroom config`
#[derive(Clone, Debug, Args)]
pub struct GatewayArgs {
    /// The gateway in front of the app
    #[arg(value_enum, value_name = "GATEWAY")]
    pub gateway: Gateway,
    /// Which of its forms; without it the first one named here. nginx: conf, ingress, ingress-traefik. haproxy: cfg, lua.
    /// caddy: caddyfile. traefik: file, compose, crd. envoy: static, grpc, gateway. gateway-api: httproute
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Anteroom, as the gateway reaches it: HOST:PORT or unix:PATH (without it, forward_auth.listen)
    #[arg(long, value_name = "ADDRESS")]
    pub anteroom: Option<String>,
    /// The app, as the gateway reaches it
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub upstream: String,
    /// Address and port that the gateway listens on
    #[arg(long, value_name = "ADDRESS", default_value = ":80")]
    pub listen: String,
}

/// A gateway that can ask Anteroom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Gateway {
    /// nginx, and ingresses that read ingress-nginx's annotations
    Nginx,
    /// HAProxy
    Haproxy,
    /// Caddy
    Caddy,
    /// Traefik
    Traefik,
    /// Envoy, and Envoy Gateway
    Envoy,
    /// Other implementations of the Kubernetes Gateway API
    GatewayApi,
}

/// One form in which a gateway's configuration can be printed.
struct Format {
    /// What is typed after `--format`.
    name: &'static str,
    /// Fills in its template.
    print: fn(&Site) -> askama::Result<String>,
}

impl Gateway {
    /// Its forms, the usual one first.
    const fn formats(self) -> &'static [Format] {
        match self {
            Self::Nginx => nginx::FORMATS,
            Self::Haproxy => haproxy::FORMATS,
            Self::Caddy => caddy::FORMATS,
            Self::Traefik => traefik::FORMATS,
            Self::Envoy => envoy::FORMATS,
            Self::GatewayApi => gateway_api::FORMATS,
        }
    }
}

/// Prints the gateway's configuration.
pub(super) fn config(args: &GatewayArgs, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let formats = args.gateway.formats();
    let wanted = |format: &&Format| args.format.as_deref().is_none_or(|name| name == format.name);
    let Some(format) = formats.iter().find(wanted) else {
        let names = formats.iter().map(|format| format.name).collect::<Vec<_>>().join(", ");
        writeln!(terminal.err, "There is no such format for this gateway. It has: {names}.")?;
        return Ok(Exit::Usage);
    };
    let config = match terminal.load(&args.config.load_options(&terminal.environment))? {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    let site = match site(args, &config) {
        Ok(site) => site,
        Err(reason) => {
            writeln!(terminal.err, "{reason}")?;
            return Ok(Exit::Usage);
        }
    };
    let text = match (format.print)(&site) {
        Ok(text) => text,
        // What this gateway cannot be told.
        Err(reason) => {
            writeln!(terminal.err, "{reason}")?;
            return Ok(Exit::Usage);
        }
    };
    writeln!(terminal.out, "{}", text.trim_end())?;
    Ok(Exit::Success)
}

fn site(args: &GatewayArgs, config: &Config) -> Result<Site, String> {
    let flags = Flags { anteroom: args.anteroom.as_deref(), upstream: &args.upstream, listen: &args.listen };
    Site::of(config, &flags)
}
