//! `hosts` of a route or an upstream, checked: each is the host of an app.

use super::sites::Sites;
use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::gate::Hosts;

/// What the hosts are written for.
#[derive(Clone, Copy)]
pub(super) struct For {
    /// The code for a host that is none of ours.
    pub(super) unknown: &'static str,
    /// What that means.
    pub(super) meaning: &'static str,
    /// The code for an empty list.
    pub(super) empty: &'static str,
}

/// The places of these hosts among the sites. They can only be looked for when those are right themselves.
pub(super) fn check(
    texts: Option<&[String]>,
    key: &KeyPath,
    sites: Option<&Sites>,
    what: For,
    check: &mut Check<'_>,
) -> Option<Hosts> {
    let Some(texts) = texts else { return Some(Hosts::Any) };
    if texts.is_empty() {
        return empty(key, what.empty, check);
    }
    let sites = sites?;
    let (mut places, mut all_good) = (Vec::new(), true);
    for (index, text) in texts.iter().enumerate() {
        if let Some(place) = sites.find(text) {
            if !places.contains(&place) {
                places.push(place);
            }
            continue;
        }
        all_good = false;
        let mistake = Mistake::new(
            what.unknown,
            "no address in `public_url` or `app_urls` has this host",
            what.meaning,
            sites.remedy(text),
        );
        check.wrong::<()>(&key.at(index), mistake.showing_the_value());
    }
    all_good.then_some(Hosts::Only(places))
}

/// A list that is left out means all; one that is written out and empty means none, or a template that went wrong.
pub(super) fn empty<T>(key: &KeyPath, code: &'static str, check: &mut Check<'_>) -> Option<T> {
    let mistake = Mistake::new(
        code,
        "the list is empty",
        "It would speak for nothing; whether all was meant would be a guess",
        "name what it is for, or leave the line out for all",
    );
    check.wrong(key, mistake)
}
