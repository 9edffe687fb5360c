//! What does each page say and offer? One arm per page; no wildcard, so a new page cannot be forgotten.

use super::language::Language;
use super::link::Link;
use super::messages::{Messages, Notice};
use super::page::{Page, Who};
use super::problem::Problem;
use super::text::{APP, initials, markup, plain};
use super::theme::Theme;
use super::view::{Action, Body, Card, Form, Layout, Reference, View};

/// Atlassian's own sign-out page; it ends the sign-in there, which we cannot.
const ATLASSIAN_SIGN_OUT: &str = "https://id.atlassian.com/logout";

/// The page in a language, ready for the template.
pub(super) fn view<'a>(theme: &'a Theme, page: &Page<'a>, language: Language) -> View<'a> {
    let writer = Writer { app: &theme.name, demo: theme.demo, messages: Messages::of(language) };
    let (title, body) = writer.page(page);
    let title = if title.contains(APP) {
        plain(title, &theme.name)
    } else {
        plain(&format!("{title} · {APP}"), &theme.name)
    };
    View {
        lang: language.tag(),
        dir: if language.is_rtl() { "rtl" } else { "ltr" },
        title,
        theme,
        words: &writer.messages.common,
        body,
    }
}

/// One language and one app.
struct Writer<'a> {
    app: &'a str,
    demo: bool,
    messages: &'static Messages,
}

impl<'a> Writer<'a> {
    fn page(&self, page: &Page<'a>) -> (&'static str, Body<'a>) {
        let m = self.messages;
        let words = &m.common;
        match *page {
            Page::SignIn { start_url, switched_account } => {
                let actions = vec![self.button(&words.continue_with_atlassian, start_url)];
                let note = if switched_account { &words.another_account_note } else { &m.sign_in.note };
                let body = self.entry(&m.sign_in.title, &m.sign_in.text);
                let others = if switched_account { self.at_atlassian() } else { None };
                (
                    &m.sign_in.title,
                    Body {
                        actions: actions.into_iter().chain(others).collect(),
                        note: self.some(note),
                        ..body
                    },
                )
            }
            Page::SignOutAsk { who, csrf, action } => {
                let form = Form { action: Link::new(action), csrf, label: self.markup(&m.sign_out.confirm) };
                let actions = vec![self.quiet(&m.sign_out.cancel, "/")];
                let body = self.entry(&m.sign_out.title, &m.sign_out.text);
                (&m.sign_out.title, Body { who: Some(card(who, false)), form: Some(form), actions, ..body })
            }
            Page::SignedOut { sign_in_url } => {
                let again = self.button(&m.signed_out.again, sign_in_url);
                let actions = [again].into_iter().chain(self.at_atlassian()).collect();
                let body = self.entry(&m.signed_out.title, &m.signed_out.text);
                (&m.signed_out.title, Body { actions, next: vec![self.markup(&m.signed_out.note)], ..body })
            }
            Page::Welcome { who, continue_url } => {
                let actions = vec![self.button(&words.continue_to_app, continue_url)];
                let body = self.entry(&m.welcome.title, &m.welcome.text);
                (&m.welcome.title, Body { who: Some(card(who, false)), actions, ..body })
            }
            Page::NotAllowed { who, reason, another_account_url, request_id, time } => {
                let another = self.button(&words.another_account, another_account_url);
                let actions = [another].into_iter().chain(self.at_atlassian()).collect();
                let note = self.some(&words.another_account_note);
                let reference = Some(Reference { code: reason.code(), request_id, time });
                let (title, body) = self.notice(m.not_allowed(reason), symbol::LOCK);
                (title, Body { who: Some(card(who, true)), actions, note, reference, ..body })
            }
            Page::Error { problem, retry_url, operator_hint, request_id, time } => {
                let notice = m.problem(problem);
                let actions = retry_url.map(|url| self.retry(problem, url)).into_iter().collect();
                let operator_text =
                    operator_hint.and(notice.operator.as_deref()).map(|text| self.markup(text));
                let hint = operator_hint.copied().unwrap_or_default();
                let operator = [
                    (words.callback_url.as_str(), hint.callback_url),
                    (words.requested_scopes.as_str(), hint.requested_scopes),
                    (words.missing_scope.as_str(), hint.missing_scope),
                ];
                let operator =
                    operator.into_iter().filter_map(|(label, value)| Some((label, value?))).collect();
                let reference = Some(Reference { code: problem.code(), request_id, time });
                let (title, body) = self.notice(notice, symbol::of(problem));
                (title, Body { actions, operator_text, operator, reference, ..body })
            }
            Page::TooManyRedirects { retry_url, request_id, time } => {
                let actions = vec![self.button(&words.start_over, retry_url)];
                self.failure(page, &m.too_many_redirects, symbol::LOOP, actions, request_id, time)
            }
            Page::UpstreamDown { retry_url, request_id, time } => {
                let actions = retry_url.map(|url| self.button(&words.try_again, url)).into_iter().collect();
                self.failure(page, &m.upstream_down, symbol::CLOUD, actions, request_id, time)
            }
            Page::BadRequest { request_id, time } => {
                let actions = vec![self.button(&words.front_page, "/")];
                self.failure(page, &m.bad_request, symbol::ALERT, actions, request_id, time)
            }
            Page::Denied { who, request_id, time } => {
                let actions = vec![self.button(&words.front_page, "/")];
                let (title, body) = self.failure(page, &m.denied, symbol::LOCK, actions, request_id, time);
                (title, Body { who: who.map(|who| card(who, true)), ..body })
            }
            Page::FrameBlocked { open_url } => {
                let actions = vec![Action { new_tab: true, ..self.button(&words.new_tab, open_url) }];
                let (title, body) = self.notice(&m.frame_blocked, symbol::NEW_TAB);
                (title, Body { layout: Layout::Entry, actions, ..body })
            }
            Page::Unavailable { service, retry_url, request_id, time } => {
                let actions = retry_url.map(|url| self.button(&words.try_again, url)).into_iter().collect();
                self.failure(page, m.unavailable(service), symbol::CLOUD, actions, request_id, time)
            }
        }
    }

    fn entry(&self, title: &str, text: &str) -> Body<'a> {
        Body {
            layout: Layout::Entry,
            heading: self.markup(title),
            text: self.markup(text),
            ..Body::default()
        }
    }

    fn notice(&self, notice: &'static Notice, symbol: &'static str) -> (&'static str, Body<'a>) {
        let body = Body {
            layout: Layout::Notice,
            symbol: Some(symbol),
            next: notice.next.iter().map(|step| self.markup(step)).collect(),
            ..self.entry(&notice.title, &notice.text)
        };
        (&notice.title, Body { layout: Layout::Notice, ..body })
    }

    fn failure(
        &self,
        page: &Page<'a>,
        notice: &'static Notice,
        symbol: &'static str,
        actions: Vec<Action<'a>>,
        request_id: &'a str,
        time: &'a str,
    ) -> (&'static str, Body<'a>) {
        let reference = page.code().map(|code| Reference { code, request_id, time });
        let (title, body) = self.notice(notice, symbol);
        (title, Body { actions, reference, ..body })
    }

    /// Where the operator has to act first, trying again is there but not urged.
    fn retry(&self, problem: Problem, url: &'a str) -> Action<'a> {
        let words = &self.messages.common;
        match problem {
            Problem::AtlassianRefusedClient | Problem::AtlassianScopeMissing => {
                self.quiet(&words.try_again, url)
            }
            Problem::Declined => self.button(&words.try_again, url),
            Problem::FlowLost
            | Problem::FlowExpired
            | Problem::StateMismatch
            | Problem::StateReplayed
            | Problem::HandOffRefused
            | Problem::MalformedCallback
            | Problem::AtlassianRefusedCode
            | Problem::AtlassianUnavailable
            | Problem::AtlassianUnintelligible
            | Problem::AtlassianReported
            | Problem::StoreUnavailable
            | Problem::CookiesBlocked
            | Problem::TooManySignIns
            | Problem::Internal => self.button(&words.start_over, url),
        }
    }

    /// The demo's Atlassian is not the real one, so its pages offer no way there.
    fn at_atlassian(&self) -> Option<Action<'a>> {
        (!self.demo).then(|| self.quiet(&self.messages.common.at_atlassian, ATLASSIAN_SIGN_OUT))
    }

    fn button(&self, label: &str, url: &'a str) -> Action<'a> {
        Action { class: "button", href: Link::new(url), label: self.markup(label), new_tab: false }
    }

    fn quiet(&self, label: &str, url: &'a str) -> Action<'a> {
        Action { class: "quiet", ..self.button(label, url) }
    }

    fn some(&self, message: &str) -> Option<super::text::Markup> {
        Some(self.markup(message))
    }

    fn markup(&self, message: &str) -> super::text::Markup {
        markup(message, self.app)
    }
}

/// Name over email; an account without either shows its ID.
fn card<'a>(who: &Who<'a>, labelled: bool) -> Card<'a> {
    let said = |text: Option<&'a str>| text.map(str::trim).filter(|text| !text.is_empty());
    let (name, email) = (said(who.name), said(who.email));
    let first = name.or(email).unwrap_or(who.account_id);
    Card { labelled, initials: initials(first), first, second: name.and(email) }
}

/// Path data on a 24 by 24 grid, drawn as lines.
mod symbol {
    use super::Problem;

    pub(super) const ALERT: &str = "M12 7.5v5.5m0 3.5v.01M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0";
    pub(super) const CLOCK: &str = "M12 7v5l3.5 2M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0";
    pub(super) const CLOUD: &str = "M7 18.5h10a4 4 0 0 0 .6-7.95A6 6 0 0 0 6.1 9.6 4.5 4.5 0 0 0 7 18.5z";
    pub(super) const LOCK: &str = "M7.5 11V8a4.5 4.5 0 0 1 9 0v3M5.5 11h13v9.5h-13zM12 15v2";
    pub(super) const LOOP: &str =
        "M20 11a8 8 0 0 0-14.3-4.3L4 8.5M4 4v4.5h4.5M4 13a8 8 0 0 0 14.3 4.3L20 15.5M20 20v-4.5h-4.5";
    pub(super) const NEW_TAB: &str =
        "M14 4h6v6M20 4l-9 9M18 14v5a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1h5";
    pub(super) const STOP: &str = "M8.5 8.5l7 7m0-7l-7 7M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0";

    /// The symbol of a problem.
    pub(super) const fn of(problem: Problem) -> &'static str {
        match problem {
            Problem::Declined => STOP,
            Problem::FlowExpired | Problem::TooManySignIns => CLOCK,
            Problem::StateReplayed => LOOP,
            Problem::AtlassianUnavailable | Problem::StoreUnavailable => CLOUD,
            Problem::FlowLost
            | Problem::StateMismatch
            | Problem::HandOffRefused
            | Problem::MalformedCallback
            | Problem::AtlassianRefusedClient
            | Problem::AtlassianRefusedCode
            | Problem::AtlassianScopeMissing
            | Problem::AtlassianUnintelligible
            | Problem::AtlassianReported
            | Problem::CookiesBlocked
            | Problem::Internal => ALERT,
        }
    }
}
