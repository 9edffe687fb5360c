//! Is a language chosen that the header names? Claims: whatever is sent, the answer is English or named by the header.
#![no_main]

use anteroom::pages::Language;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &str| {
    let chosen = Language::negotiate(Some(header));
    let named = header.contains('*') || header.to_ascii_lowercase().contains(chosen.tag());
    assert!(chosen == Language::English || named, "{chosen:?} for {header:?}");
});
