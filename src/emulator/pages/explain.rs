//! Why did a sign-in end on the error page, and what helps? One entry per cause.

/// A cause, explained.
#[derive(Clone, Copy, Debug)]
pub(super) struct Help {
    /// What happened, in words.
    pub(super) meaning: &'static str,
    /// What to change, and where.
    pub(super) remedy: &'static str,
}

/// The explanation of a machine name that the authorize checks use.
pub(super) fn cause(name: &str) -> Option<Help> {
    let (meaning, remedy) = match name {
        "unknown-client" => (
            "No app has this client ID.",
            "Copy the client ID again from the developer console's Settings page, or add the app to the fixture.",
        ),
        "unshared-app" => (
            "The app is private, and the account that logged in is not its owner.",
            "In the developer console open Distribution and set it to Sharing. In the fixture: distribution = \"sharing\".",
        ),
        "callback-mismatch" => (
            "The redirect_uri differs from the registered callback URL. Scheme, host, port, path and a slash at the end all count.",
            "In the developer console open Authorization and paste the exact URL. In the fixture: callbacks.",
        ),
        "openid" => (
            "The scope openid was asked for. Atlassian gives apps plain OAuth 2.0, not OpenID Connect, although its discovery document says otherwise.",
            "Ask for read:me instead and read the profile from /me.",
        ),
        "incomplete" => (
            "A required parameter is missing or wrong: response_type=code, audience=api.atlassian.com, at least one scope, and S256 for a code challenge.",
            "Compare the authorize URL with the one in the developer console's Authorization page.",
        ),
        "scope-not-added" => (
            "The app asks for scopes that its Permissions page does not list.",
            "In the developer console open Permissions and add the listed scopes. read:me is in the User identity API block.",
        ),
        "no-site" => (
            "The account has no site with a product that the scopes need.",
            "Join such a site, use another account, or ask for fewer scopes.",
        ),
        "admin-block" => (
            "The site's admin has blocked apps that users install.",
            "The admin allows user-installed apps under Connected apps, or consents to this app first.",
        ),
        "stale-consent" => (
            "The consent page was open for too long, was answered twice, or another account logged in meanwhile.",
            "Start the sign-in again from the app.",
        ),
        "prompt-none" => (
            "The app asked for a sign-in without any page, and a page would be needed.",
            "Leave prompt=none out.",
        ),
        _ => return None,
    };
    Some(Help { meaning, remedy })
}
