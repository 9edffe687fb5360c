//! How does a valid configuration become the settings of each part? One function per part, values only.

mod proxy;

use std::sync::Arc;

pub(super) use proxy::proxy;

use super::StartError;
use crate::atlassian;
use crate::auth::live::Presenter;
use crate::auth::{Landing, Landings, NewUserUntil, Settings};
use crate::config::{self, Config, PublicUrl};
use crate::forward_auth;
use crate::gate::Origins;
use crate::identity::assertion::{NoKey, Signer};
use crate::metrics::Metrics;
use crate::ops::LineWriter;
use crate::ops::access_log::{self, AccessLog};
use crate::pages::{Branding, Colour, Logo};
use crate::session::seal::KeyRing;
use crate::sign_in::{ScopeError, Scopes};

pub(super) fn access_log(ops: &config::Ops, lines: &LineWriter) -> Arc<dyn AccessLog> {
    match ops.log_format {
        _ if !ops.access_log => Arc::new(access_log::Off),
        config::LogFormat::Json => {
            let schema = match ops.access_log_schema {
                config::AccessLogSchema::Anteroom => access_log::Schema::Anteroom,
                config::AccessLogSchema::Ecs => access_log::Schema::Ecs,
                config::AccessLogSchema::Ocsf => access_log::Schema::Ocsf,
            };
            Arc::new(access_log::JsonLines::new(lines.lines(), schema))
        }
        config::LogFormat::Text => Arc::new(access_log::Text::new(lines.lines())),
    }
}

pub(super) fn presenter(
    public_url: &PublicUrl,
    headers: config::Headers,
    keys: &KeyRing,
) -> Result<Presenter, NoKey> {
    let issuer = public_url.origin().to_owned();
    let sign = |audience| {
        let audience = match audience {
            config::Audience::OfTheApp => None,
            config::Audience::Fixed(audience) => Some(audience),
        };
        Signer::new(&keys.assertion_seeds(), issuer, audience)
    };
    Ok(Presenter { layout: headers.layout, signer: headers.assertion.map(sign).transpose()? })
}

fn origins(config: &Config) -> Origins {
    let apps = config.app_urls.iter().map(|url| url.as_origin().clone()).collect();
    Origins::new(config.public_url.as_origin().clone(), apps)
}

pub(super) fn forward_auth(wanted: &config::ForwardAuth) -> forward_auth::Settings {
    let oauth2_proxy = wanted.oauth2_proxy.map(|dialect| match dialect {
        config::Dialect::Nginx => forward_auth::Dialect::Nginx,
        config::Dialect::Forward => forward_auth::Dialect::Forward,
    });
    forward_auth::Settings { trusted: wanted.trusted.clone(), key: wanted.key.clone(), oauth2_proxy }
}

pub(super) fn auth(config: &Config) -> Result<Settings, ScopeError> {
    let callback_path = &config.atlassian.callback_path;
    Ok(Settings {
        origins: Arc::new(origins(config)),
        cookie_domain: config.session.cookie_domain.clone(),
        callback_path: callback_path.clone(),
        callback_url: config.public_url.callback_url(callback_path).into(),
        scopes: Scopes::parse(&config.atlassian.scopes)?.iter().collect::<Vec<_>>().join(" "),
        pkce: config.atlassian.pkce,
        sign_in_page: config.pages.sign_in,
        landings: Landings {
            success: config.pages.success.as_ref().map(landing),
            error: config.pages.error.as_ref().map(landing),
            new_user: config.pages.new_user.as_ref().map(landing),
            welcome: config.pages.welcome,
        },
        new_user_until: match config.new_user.until {
            config::NewUserUntil::SessionEnd => NewUserUntil::SessionEnd,
            config::NewUserUntil::Acknowledged => NewUserUntil::Acknowledged,
        },
        lifetimes: config.session.lifetimes,
        sign_in_rate: config.sign_in_rate,
    })
}

fn landing(page: &config::Landing) -> Landing {
    match page {
        config::Landing::Path(path) => Landing::Local(path.clone()),
        config::Landing::Url(url) => Landing::External(url.clone()),
    }
}

pub(super) fn atlassian(config: &Config, metrics: &Arc<Metrics>) -> Result<atlassian::Settings, ScopeError> {
    let metrics = Arc::clone(metrics);
    let atlassian = &config.atlassian;
    Ok(atlassian::Settings {
        auth_url: atlassian.auth_url.clone(),
        api_url: atlassian.api_url.clone(),
        audience: atlassian.audience.clone(),
        client_id: atlassian.client_id.clone(),
        client_secret: atlassian.client_secret.clone(),
        redirect_uri: config.public_url.callback_url(&atlassian.callback_path),
        scopes: Scopes::parse(&atlassian.scopes)?,
        prompt: atlassian.prompt.map(|prompt| prompt.as_str().to_owned()),
        https_proxy: atlassian.https_proxy.clone(),
        timeout: atlassian.timeout,
        observe: Box::new(move |place, outcome, took| {
            metrics.atlassian(place.as_str(), outcome.as_str(), took)
        }),
    })
}

pub(super) fn branding(config: &Config, demo: bool) -> Result<Branding, StartError> {
    let wanted = &config.pages.branding;
    let logo = match &wanted.logo_file {
        Some(path) => {
            let read = std::fs::read(path);
            let bytes = read.map_err(|source| StartError::LogoFile { path: path.clone(), source })?;
            Some(Logo::parse(bytes.into())?)
        }
        None => None,
    };
    let name = wanted.name.clone().unwrap_or_else(|| config.public_url.host().to_owned());
    let colour = wanted.colour.as_deref().and_then(|text| text.parse::<Colour>().ok());
    Ok(Branding { name, logo, colour, support: wanted.support.clone(), demo })
}
