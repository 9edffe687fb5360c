//! Which way onward? From a request to the app and page it wants, and from there to a URL that leads there.
//!
//! Every address in a `Location` of ours is a path of the host at hand, or starts with one of the operator's origins.
//! In the queries of our own endpoints a destination is `app=wiki.example.com&return_to=%2Fpage`; `app` counts at the
//! central host only, and an app that nobody named, or named twice, is none.

use std::borrow::Cow;

use super::landing::Landing;
use super::{Auth, Endpoint, RequestFacts};
use crate::gate::{CanonicalPath, Destination, OriginId, ReturnTo};

impl Auth {
    /// Which origin a request is for: the central one when nobody named its host.
    pub(super) fn here(&self, facts: &RequestFacts<'_>) -> OriginId {
        self.settings.origins.of_host(facts.host).unwrap_or(OriginId::CENTRAL)
    }

    /// Whether a request is for the host of an app that the callback does not come to.
    pub(super) fn at_app(&self, facts: &RequestFacts<'_>) -> bool {
        self.here(facts) != OriginId::CENTRAL
    }

    /// Whether sessions are handed over from host to host: not where one cookie serves them all.
    pub(super) fn hands_off(&self) -> bool {
        self.settings.origins.several() && self.settings.cookie_domain.is_none()
    }

    /// Where somebody wants to go, as the query of one of our endpoints says.
    pub(super) fn destination(&self, facts: &RequestFacts<'_>) -> Destination {
        let path = parameter(facts, "return_to").and_then(|text| self.way_back(&text));
        let origins = &self.settings.origins;
        if self.at_app(facts) {
            return Destination::new(origins, self.here(facts), path);
        }
        Destination::parse(origins, parameter(facts, "app").as_deref(), path)
    }

    /// A page to come back to: none of our own endpoints, the callback included.
    pub(super) fn way_back(&self, text: &str) -> Option<ReturnTo> {
        let path = ReturnTo::parse(text)?;
        let plain = CanonicalPath::parse(text.split_once('?').map_or(text, |(path, _)| path)).ok()?;
        Endpoint::of(&plain, &self.settings.callback_path).is_none().then_some(path)
    }

    /// One of our endpoints on the host at hand, with a destination and the wish to use another account.
    pub(super) fn own_url(
        &self,
        facts: &RequestFacts<'_>,
        endpoint: &str,
        destination: &Destination,
        switch: bool,
    ) -> String {
        let target = destination.origin(&self.settings.origins);
        let app = (target != self.here(facts)).then_some(target);
        self.with_query(endpoint, app, destination, switch.then_some("switch"))
    }

    /// One of our endpoints on the central host.
    pub(super) fn central_url(&self, endpoint: &str, destination: &Destination, switch: bool) -> String {
        let target = destination.origin(&self.settings.origins);
        let app = (target != OriginId::CENTRAL).then_some(target);
        let path = self.with_query(endpoint, app, destination, switch.then_some("switch"));
        format!("{}{path}", self.settings.origins.central().as_str())
    }

    /// Where a browser goes that has a session here.
    pub(super) fn onward(&self, facts: &RequestFacts<'_>, destination: &Destination) -> String {
        self.onward_by(facts, destination, None)
    }

    /// Where a browser goes that has just signed in here. The app takes the new session over, whatever it has.
    pub(super) fn onward_afresh(&self, facts: &RequestFacts<'_>, destination: &Destination) -> String {
        self.onward_by(facts, destination, Some("fresh"))
    }

    fn onward_by(&self, facts: &RequestFacts<'_>, destination: &Destination, flag: Option<&str>) -> String {
        let target = destination.origin(&self.settings.origins);
        let landing = || self.settings.landings.onward(destination.path());
        if target == self.here(facts) {
            return landing();
        }
        let app = self.settings.origins.get(target).as_str();
        if self.hands_off() {
            return format!("{app}{}", self.with_query("/_anteroom/start", None, destination, flag));
        }
        match landing() {
            path if path.starts_with('/') => format!("{app}{path}"),
            elsewhere => elsewhere,
        }
    }

    /// Where somebody goes who has just signed in.
    pub(super) fn after_sign_in(
        &self,
        facts: &RequestFacts<'_>,
        new_user: bool,
        destination: &Destination,
    ) -> String {
        let landings = &self.settings.landings;
        let elsewhere = destination.origin(&self.settings.origins) != self.here(facts);
        match &landings.new_user {
            // The app's page for new users, which goes on from there by itself.
            Some(page @ Landing::Local(_)) if new_user && elsewhere => {
                let greeted = page.with(&[("return_to", &landings.onward(destination.path()))]);
                match ReturnTo::parse(&greeted) {
                    Some(path) => self.onward_afresh(facts, &destination.at(Some(path))),
                    None => self.onward_afresh(facts, destination),
                }
            }
            Some(page) if new_user => page.with(&[("return_to", &self.onward_afresh(facts, destination))]),
            None if new_user && landings.welcome => {
                self.own_url(facts, "/_anteroom/welcome", destination, false)
            }
            _ => self.onward_afresh(facts, destination),
        }
    }

    fn with_query(
        &self,
        endpoint: &str,
        app: Option<OriginId>,
        destination: &Destination,
        flag: Option<&str>,
    ) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if let Some(app) = app {
            query.append_pair("app", self.settings.origins.get(app).authority());
        }
        if let Some(path) = destination.path() {
            query.append_pair("return_to", path.as_str());
        }
        if let Some(flag) = flag {
            query.append_pair(flag, "1");
        }
        match query.finish() {
            query if query.is_empty() => endpoint.to_owned(),
            query => format!("{endpoint}?{query}"),
        }
    }
}

/// The one value of a query parameter: `None` when it is absent or doubled.
pub(super) fn parameter<'a>(facts: &RequestFacts<'a>, wanted: &str) -> Option<Cow<'a, str>> {
    let query = facts.query.unwrap_or_default();
    let mut values = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == wanted)
        .map(|(_, value)| value);
    match (values.next(), values.next()) {
        (value, None) => value,
        _ => None,
    }
}

/// Whether a query says `name=1`, once.
pub(super) fn flagged(facts: &RequestFacts<'_>, name: &str) -> bool {
    parameter(facts, name).is_some_and(|value| value == "1")
}
