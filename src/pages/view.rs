//! What does the one template need? The frame of every page, filled with what is particular to one.
//!
//! Everything printed is either escaped by the template or [`Markup`], which is.

use askama::Template;

use super::link::Link;
use super::messages::Common;
use super::text::Markup;
use super::theme::Theme;

/// One whole page.
#[derive(Template)]
#[template(path = "page.html")]
pub(super) struct View<'a> {
    pub(super) lang: &'static str,
    pub(super) dir: &'static str,
    pub(super) title: String,
    pub(super) theme: &'a Theme,
    pub(super) words: &'static Common,
    pub(super) body: Body<'a>,
}

/// What differs from page to page.
#[derive(Default)]
pub(super) struct Body<'a> {
    pub(super) layout: Layout,
    /// Path data of the symbol above the heading.
    pub(super) symbol: Option<&'static str>,
    pub(super) heading: Markup,
    pub(super) text: Markup,
    pub(super) who: Option<Card<'a>>,
    pub(super) next: Vec<Markup>,
    pub(super) form: Option<Form<'a>>,
    pub(super) actions: Vec<Action<'a>>,
    pub(super) note: Option<Markup>,
    pub(super) operator_text: Option<Markup>,
    /// Label and value; values are copied letter by letter.
    pub(super) operator: Vec<(&'static str, &'a str)>,
    pub(super) reference: Option<Reference<'a>>,
}

/// Centred with a large logo, or set like a letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Layout {
    /// A door to go through: one thing to do.
    #[default]
    Entry,
    /// Something to read.
    Notice,
}

impl Layout {
    fn is_entry(self) -> bool {
        self == Self::Entry
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Notice => "notice",
        }
    }
}

/// An account, without its picture.
pub(super) struct Card<'a> {
    pub(super) labelled: bool,
    pub(super) initials: String,
    pub(super) first: &'a str,
    pub(super) second: Option<&'a str>,
}

/// The only form there is: sign out.
pub(super) struct Form<'a> {
    pub(super) action: Link<'a>,
    pub(super) csrf: &'a str,
    pub(super) label: Markup,
}

/// A link to go on with.
pub(super) struct Action<'a> {
    pub(super) class: &'static str,
    pub(super) href: Link<'a>,
    pub(super) label: Markup,
    pub(super) new_tab: bool,
}

/// What to quote when asking for help.
pub(super) struct Reference<'a> {
    pub(super) code: &'static str,
    pub(super) request_id: &'a str,
    pub(super) time: &'a str,
}
