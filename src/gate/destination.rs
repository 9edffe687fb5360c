//! Where did somebody want to go: which app, and which page of it?
//!
//! Open redirects cannot be expressed: the app is one of the [`Origins`] or it is not there at all, and the page is a
//! [`ReturnTo`]. What was sealed earlier is looked up among the origins again, since the operator may have taken one out.

use serde::{Deserialize, Serialize};

use super::{OriginId, Origins, ReturnTo};

/// A page of an app. Without an app it is the central origin's; without a page it is wherever people land there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    app: Option<Box<str>>,
    path: Option<ReturnTo>,
}

impl Destination {
    /// A page of one of the origins.
    pub fn new(origins: &Origins, origin: OriginId, path: Option<ReturnTo>) -> Self {
        let app = (origin != OriginId::CENTRAL).then(|| origins.get(origin).authority().into());
        Self { app, path }
    }

    /// Of an app by its host and port, as somebody wrote them. Nobody's host counts for nothing.
    pub fn parse(origins: &Origins, app: Option<&str>, path: Option<ReturnTo>) -> Self {
        let origin = app.and_then(|app| origins.of_host(app));
        Self::new(origins, origin.unwrap_or(OriginId::CENTRAL), path)
    }

    /// Which origin: the central one for an app that is not among the origins any more.
    pub fn origin(&self, origins: &Origins) -> OriginId {
        self.app.as_deref().and_then(|app| origins.of_host(app)).unwrap_or(OriginId::CENTRAL)
    }

    /// The page, if one was asked for.
    pub fn path(&self) -> Option<&ReturnTo> {
        self.path.as_ref()
    }

    /// The same app, without a page that is longer than `longest` bytes.
    #[must_use]
    pub fn shorter_than(&self, longest: usize) -> Self {
        let path = self.path.clone().filter(|path| path.as_str().len() <= longest);
        Self { app: self.app.clone(), path }
    }

    /// Another page of the same app.
    #[must_use]
    pub fn at(&self, path: Option<ReturnTo>) -> Self {
        Self { app: self.app.clone(), path }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Origin;

    #[test]
    fn only_apps_that_the_operator_named() {
        let origin = |text| Origin::parse(text).unwrap();
        let origins = Origins::new(origin("https://auth.example"), vec![origin("https://wiki.example:8443")]);
        for (app, want) in [
            (None, "https://auth.example"),
            (Some("wiki.example:8443"), "https://wiki.example:8443"),
            (Some("WIKI.example:8443"), "https://wiki.example:8443"),
            (Some("auth.example"), "https://auth.example"),
            (Some("evil.example"), "https://auth.example"),
            (Some("wiki.example:8443@evil.example"), "https://auth.example"),
            (Some("https://wiki.example:8443"), "https://auth.example"),
            (Some(""), "https://auth.example"),
        ] {
            let destination = Destination::parse(&origins, app, None);
            assert_eq!(origins.get(destination.origin(&origins)).as_str(), want, "{app:?}");
        }
        assert_eq!(Destination::parse(&origins, Some("evil.example"), None), Destination::default());
        let gone = Destination { app: Some("evil.example".into()), path: None };
        assert_eq!(gone.origin(&origins), OriginId::CENTRAL, "what was sealed is looked up again");
        let page = Destination::parse(&origins, Some("auth.example"), ReturnTo::parse("/page"));
        assert_eq!((page.shorter_than(4).path(), page.shorter_than(5).path()), (None, page.path()));
    }
}
