//! Has a callback that parses exactly one reading?
//!
//! Claims: a code counts only beside a state, each there once, neither empty, with no error; an error counts only without
//! a code. `Debug` does not depend on the code.
#![no_main]

use anteroom::secret::{ExposeSecret, SecretString};
use anteroom::sign_in::{Callback, Outcome};
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode;

/// The values of a parameter, by a decoder that shares nothing with the one under test but `%`.
fn values(query: &str, wanted: &str) -> Vec<String> {
    let text = |raw: &str| {
        let spaced = raw.replace('+', " ");
        percent_decode(spaced.as_bytes()).decode_utf8_lossy().into_owned()
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let split = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    split.filter(|(name, _)| text(name) == wanted).map(|(_, value)| text(value)).collect()
}

fuzz_target!(|query: &str| {
    let (codes, states, errors) = (values(query, "code"), values(query, "state"), values(query, "error"));
    match Callback::parse(query) {
        Ok(Callback { state, outcome }) => {
            assert!(states.len() <= 1);
            assert_eq!(state.as_ref(), states.first().filter(|s| !s.is_empty()));
            match outcome {
                Outcome::Code(code) => {
                    assert_eq!(codes, [code.expose_secret()]);
                    assert!(!codes.concat().is_empty() && state.is_some() && errors.is_empty());
                    assert_eq!(format!("{code:?}"), format!("{:?}", SecretString::from("another")));
                }
                Outcome::Reported(_) => assert!(errors.len() == 1 && codes.is_empty()),
            }
        }
        Err(_) => {
            let granted = codes.len() == 1 && states.len() == 1 && errors.is_empty();
            let told = errors.len() == 1 && codes.is_empty() && states.len() <= 1;
            let empty = codes.concat().is_empty() || states.concat().is_empty();
            assert!(!told && (!granted || empty), "a callback with one reading was refused: {query:?}");
        }
    }
});
