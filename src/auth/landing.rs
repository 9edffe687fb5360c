//! Where do people land after signing in? The page they asked for; else the operator's pages for success, for errors and
//! for new users. A path among those is a path of the app that they sign in to. Where they wanted to go travels along as
//! `return_to`: a path of that app, or an address of it that the operator named.

use url::Url;

use crate::gate::ReturnTo;

/// A page of the operator's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Landing {
    /// A path of this site.
    Local(ReturnTo),
    /// A page elsewhere, as the operator wrote it.
    External(Url),
}

/// The operator's pages.
#[derive(Clone, Debug, Default)]
pub struct Landings {
    /// After a sign-in that did not begin at some page.
    pub success: Option<Landing>,
    /// When a sign-in fails; Anteroom's own error page otherwise.
    pub error: Option<Landing>,
    /// The first sign-in of an account.
    pub new_user: Option<Landing>,
    /// Whether Anteroom greets new users itself when `new_user` is not set.
    pub welcome: bool,
}

/// How long an account counts as new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewUserUntil {
    /// Until its first session ends, or the upstream has acknowledged it.
    #[default]
    SessionEnd,
    /// Until the upstream has acknowledged it, across sessions.
    Acknowledged,
}

impl Landing {
    /// The page's URL with more query parameters.
    pub fn with(&self, parameters: &[(&str, &str)]) -> String {
        match self {
            Self::External(url) => {
                let mut url = url.clone();
                url.query_pairs_mut().extend_pairs(parameters);
                url.into()
            }
            Self::Local(path) => {
                let mut query = url::form_urlencoded::Serializer::new(String::new());
                let query = query.extend_pairs(parameters).finish();
                let joint = if path.as_str().contains('?') { '&' } else { '?' };
                format!("{}{joint}{query}", path.as_str())
            }
        }
    }

    /// The page's URL as it is.
    pub fn plain(&self) -> String {
        match self {
            Self::External(url) => url.as_str().to_owned(),
            Self::Local(path) => path.as_str().to_owned(),
        }
    }
}

impl Landings {
    /// The page asked for, the success page or the start page.
    pub fn onward(&self, asked_for: Option<&ReturnTo>) -> String {
        match (asked_for, &self.success) {
            (Some(path), _) => path.as_str().to_owned(),
            (None, Some(page)) => page.plain(),
            (None, None) => "/".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(path: &str) -> Option<Landing> {
        Some(Landing::Local(ReturnTo::parse(path).unwrap()))
    }

    #[test]
    fn table() {
        let bare = Landings::default();
        let theirs = Landings {
            success: local("/home"),
            new_user: local("/hello?a=1"),
            error: Some(Landing::External(Url::parse("https://www.example.com/oops?x=1#top").unwrap())),
            welcome: true,
        };
        let board = ReturnTo::parse("/board?id=1&x=2");
        for (landings, asked, want) in [
            (&bare, board.as_ref(), "/board?id=1&x=2"),
            (&bare, None, "/"),
            (&theirs, board.as_ref(), "/board?id=1&x=2"),
            (&theirs, None, "/home"),
        ] {
            assert_eq!(landings.onward(asked), want);
        }
        let hello = theirs.new_user.unwrap().with(&[("return_to", "/board?id=1&x=2")]);
        assert_eq!(hello, "/hello?a=1&return_to=%2Fboard%3Fid%3D1%26x%3D2");
        let error = theirs.error.unwrap().with(&[("error", "signin.declined")]);
        assert_eq!(error, "https://www.example.com/oops?x=1&error=signin.declined#top");
    }
}
