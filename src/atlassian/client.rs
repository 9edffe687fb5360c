//! The sign-in calls themselves: the authorize URL, the exchange of a code, and `/me`.
//!
//! The client secret and the PKCE verifier travel in the body of the token call only; the access token lives in
//! [`Identify::identify`] and nowhere else, and our copy of it is wiped (what HTTP and TLS buffered on the way is not).

use std::fmt;
use std::pin::Pin;
use std::sync::OnceLock;

use async_trait::async_trait;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Request, StatusCode};
use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, PkceCodeVerifier, RedirectUrl, Scope, StandardRevocableToken,
    TokenUrl,
};
use tokio::time::Instant;
use tracing::Instrument;
use url::Url;
use zeroize::Zeroizing;

use super::http::Http;
use super::settings::{Observe, Outcome, Settings, SetupError};
use super::token::{self, TokenAnswer};
use super::{AtlassianError, Identify, Place, me};
use crate::identity::Profile;
use crate::secret::ExposeSecret;
use crate::sign_in::{CodeGrant, VerifiedIdentity};
use crate::span;

/// More than any token answer that has been seen (tokens are up to some KB).
const TOKEN_LIMIT: usize = 64 << 10;
/// More than any profile that has been seen.
const ME_LIMIT: usize = 256 << 10;

type OAuth = oauth2::Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// Atlassian Cloud, or something that behaves like it.
pub struct Atlassian {
    oauth: OAuth,
    http: Http,
    me_url: Url,
    audience: String,
    scopes: Vec<Scope>,
    prompt: Option<String>,
    observe: Observe,
}

impl fmt::Debug for Atlassian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Atlassian").field("me_url", &self.me_url.as_str()).finish_non_exhaustive()
    }
}

impl Atlassian {
    /// Prepares the calls; makes none.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let bases = [&settings.auth_url, &settings.api_url];
        let http = Http::new(bases, settings.https_proxy.as_ref(), settings.timeout)?;
        let secret = ClientSecret::new(settings.client_secret.expose_secret().to_owned());
        let oauth = oauth2::Client::new(ClientId::new(settings.client_id))
            .set_client_secret(secret)
            // Atlassian documents the credentials in the body; the crate would use HTTP Basic.
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(AuthUrl::from_url(endpoint(&settings.auth_url, &["authorize"])?))
            .set_token_uri(TokenUrl::from_url(endpoint(&settings.auth_url, &["oauth", "token"])?))
            .set_redirect_uri(RedirectUrl::from_url(settings.redirect_uri));
        Ok(Self {
            oauth,
            http,
            me_url: endpoint(&settings.api_url, &["me"])?,
            audience: settings.audience,
            scopes: settings.scopes.iter().map(|s| Scope::new(s.to_owned())).collect(),
            prompt: settings.prompt,
            observe: settings.observe,
        })
    }

    /// Redeems the code for an access token.
    async fn redeem(&self, grant: &CodeGrant) -> Result<Zeroizing<String>, AtlassianError> {
        let call = TokenCall { http: &self.http, status: OnceLock::new() };
        let code = AuthorizationCode::new(grant.code().expose_secret().to_owned());
        let mut exchange = self.oauth.exchange_code(code);
        if let Some(verifier) = grant.verifier() {
            exchange = exchange.set_pkce_verifier(PkceCodeVerifier::new(verifier.expose_secret().to_owned()));
        }
        match exchange.request_async(&call).await {
            Ok(answer) => Ok(Zeroizing::new(answer.into_access_token())),
            Err(error) => Err(token::refusal(call.status.get().copied(), error)),
        }
    }

    /// Reads `/me`.
    async fn me(&self, token: &str) -> Result<Profile, AtlassianError> {
        let absurd =
            || AtlassianError::Unintelligible { place: Place::Me, cause: "the token fits no header".into() };
        let bearer = Zeroizing::new(format!("Bearer {token}"));
        let mut bearer = HeaderValue::from_str(&bearer).map_err(|_| absurd())?;
        bearer.set_sensitive(true);
        let request = Request::get(self.me_url.as_str())
            .header(AUTHORIZATION, bearer)
            .header(ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(|_| absurd())?;
        let answer = self.http.call(Place::Me, request, ME_LIMIT).await?;
        me::read(&answer)
    }

    /// Runs one call and tells how it went.
    async fn observed<T>(
        &self,
        place: Place,
        call: impl Future<Output = Result<T, AtlassianError>>,
    ) -> Result<T, AtlassianError> {
        let (begun, span) = (Instant::now(), span::atlassian(place.as_str()));
        let result = call.instrument(span.clone()).await;
        if result.is_err() {
            span::failed(&span);
        }
        (self.observe)(place, Outcome::from(&result), begun.elapsed());
        result
    }
}

/// Makes the one call that the `oauth2` crate writes, and keeps the status that the crate does not tell.
struct TokenCall<'a> {
    http: &'a Http,
    status: OnceLock<StatusCode>,
}

impl<'c> AsyncHttpClient<'c> for TokenCall<'_> {
    type Error = AtlassianError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, AtlassianError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async {
            let answer = self.http.call(Place::Token, request, TOKEN_LIMIT).await?;
            let _ = self.status.set(answer.status());
            Ok(answer)
        })
    }
}

#[async_trait]
impl Identify for Atlassian {
    fn authorize_url(&self, state: &str, challenge: Option<&str>, choose_account: bool) -> String {
        let mut request = self
            .oauth
            .authorize_url(|| CsrfToken::new(state.to_owned()))
            .add_scopes(self.scopes.iter().cloned())
            .add_extra_param("audience", self.audience.as_str());
        // The challenge was made where the verifier is kept; the crate can only make both itself.
        if let Some(challenge) = challenge {
            request = request
                .add_extra_param("code_challenge", challenge)
                .add_extra_param("code_challenge_method", "S256");
        }
        let prompt = if choose_account { Some("consent") } else { self.prompt.as_deref() };
        if let Some(prompt) = prompt {
            request = request.add_extra_param("prompt", prompt);
        }
        request.url().0.into()
    }

    async fn identify(&self, grant: CodeGrant) -> Result<VerifiedIdentity, AtlassianError> {
        let token = self.observed(Place::Token, self.redeem(&grant)).await?;
        let profile = self.observed(Place::Me, self.me(&token)).await?;
        Ok(grant.identified(profile))
    }
}

/// `base` and these path segments.
fn endpoint(base: &Url, segments: &[&str]) -> Result<Url, SetupError> {
    let not_a_base = || SetupError::NotABase(base.as_str().into());
    if !matches!(base.scheme(), "http" | "https") || !base.username().is_empty() || base.password().is_some()
    {
        return Err(not_a_base());
    }
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.path_segments_mut().map_err(|()| not_a_base())?.pop_if_empty().extend(segments);
    Ok(url)
}
