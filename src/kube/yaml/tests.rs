//! What goes in comes out saying the same, or is refused.

use std::time::Duration;

use tokio::time::Instant;

use super::*;

/// The stream written anew as if all of it had been changed.
fn rewritten(text: &str) -> Result<String, Refusal> {
    let mut stream = Stream::parse(text)?;
    for index in 0..stream.documents.len() {
        stream.change(index)?;
    }
    stream.write()
}

#[test]
fn scalars_keep_their_words() {
    for (text, want) in [
        ("a: 0644", "a: 0644\n"),
        ("a: yes", "a: yes\n"),
        ("a: 'yes'", "a: \"yes\"\n"),
        ("a: \"0644\"", "a: \"0644\"\n"),
        ("a: 1_000", "a: 1_000\n"),
        ("a: 12:30", "a: 12:30\n"),
        ("a: .5e3", "a: .5e3\n"),
        ("a: http://b:1/#c", "a: http://b:1/#c\n"),
        ("a:", "a: ~\n"),
        ("a: ''", "a: \"\"\n"),
        ("a: one\n  two", "a: one two\n"),
        ("a: one\n\n  two", "a: |-\n  one\n  two\n"),
        ("a: |\n  x\n  y\n", "a: |\n  x\n  y\n"),
        ("a: |-\n  x\n  y\n", "a: |-\n  x\n  y\n"),
        ("a: |+\n  x\n  y\n\n", "a: \"x\\ny\\n\\n\"\n"),
        ("a: |2\n    x\n   y\n", "a: \"  x\\n y\\n\"\n"),
        ("a: >\n  x\n  y\n\n  z\n", "a: |\n  x y\n  z\n"),
        (
            "a: \"t\\tb\\x07\\u2028\\\\\\\"\"",
            "a: \"t\tb\\u0007\\u2028\\\\\\\"\"\n".replace('\t', "\\t").as_str(),
        ),
        ("\"a b\": c", "\"a b\": c\n"),
        ("? a\n: b", "a: b\n"),
        ("1: b", "1: b\n"),
        ("a: [b, {c: d}, [], {}, [e, [f]]]", "a:\n- b\n- c: d\n- []\n- {}\n- - e\n  - - f\n"),
        ("- a\n- b: 1\n  c: 2", "- a\n- b: 1\n  c: 2\n"),
        ("a: &x {b: 1}\nc: *x", "a: &x\n  b: 1\nc: *x\n"),
        ("a: &x [1]\nb: &y 2\nc: *y", "a: &x\n- 1\nb: &y 2\nc: *y\n"),
        ("&k a: 1\nb: [*k]", "&k a: 1\nb:\n- *k\n"),
        ("a:\n  <<: &m {b: 1}\n  <<: {c: 2}", "a:\n  <<: &m\n    b: 1\n  <<:\n    c: 2\n"),
        ("- &a {b: 1}\n- &c [d]\n- *a", "- &a\n  b: 1\n- &c\n  - d\n- *a\n"),
        ("{\"a\": [1, \"2\"]}", "\"a\":\n- 1\n- \"2\"\n"),
        ("plain", "plain\n"),
        ("a: déjà 🎵", "a: déjà 🎵\n"),
    ] {
        assert_eq!(rewritten(text).as_deref(), Ok(want), "{text}");
    }
}

#[test]
fn what_is_around_documents_stays() {
    let text = "# one\r\n---   \n# two\na: {b: 1} # three\n---\n# only a comment\n---\nc: [d]\n...\n# four\n---\ne: f";
    let mut stream = Stream::parse(text).unwrap();
    assert_eq!(stream.write().unwrap(), text, "nothing was changed");
    let place = stream.roots().position(|root| root.get("c", "root").ok().flatten().is_some()).unwrap();
    stream.change(place).unwrap().set("g", "root", "h".into()).unwrap();
    let want = text.replace("c: [d]\n", "c:\n- d\ng: h\n");
    assert_eq!(stream.write().unwrap(), want);
    // In front of another one, and behind dashes.
    for (text, want) in [
        ("--- {a: 1}\n---\nb: 2\n", "--- \na: 1\nm: v\n---\nb: 2\n"),
        ("---\na: 1\n# end\n---\nb: 2\n", "---\na: 1\nm: v\n---\nb: 2\n"),
        ("%YAML 1.1\n---\na: 1\n", "%YAML 1.1\n---\na: 1\nm: v\n"),
        ("\u{feff}a: 1", "\u{feff}\na: 1\nm: v\n"),
    ] {
        let mut stream = Stream::parse(text).unwrap();
        stream.change(0).unwrap().set("m", "root", "v".into()).unwrap();
        assert_eq!(stream.write().as_deref(), Ok(want), "{text}");
    }
}

#[test]
fn what_could_not_be_written_back_is_refused() {
    for (text, want) in [
        ("a: 1\nb: 2\na: 3", "the key `a` is there twice (line 3)"),
        ("x: {a: 1, \"a\": 2}", "the key `a` is there twice (line 1)"),
        ("x: [{1: a, '1': b}]", "the key `1` is there twice"),
        ("? [a]\n: b", "a key is no single word (line 1)"),
        ("b: &y 2\n*y : 3", "a key is no single word (line 2)"),
        ("? {a: b}\n: c", "a key is no single word"),
        ("a: !!binary aGk=", "a value has a YAML tag (!) (line 1)"),
        ("a: !!str 1", "a value has a YAML tag"),
        ("!x\na: 1", "a value has a YAML tag"),
        ("--- &a\nb: 1", "`the document` has a YAML anchor (&a)"),
        ("a:\n\tb: 1", "the input is no YAML"),
        ("a: 'b", "the input is no YAML"),
        ("a: *nobody", "the input is no YAML"),
        ("a: b: c", "the input is no YAML"),
        ("a: {b", "the input is no YAML"),
        ("a: \0", "the input is no YAML"),
    ] {
        let refusal = rewritten(text).expect_err(text).to_string();
        assert!(refusal.starts_with(want), "{text}: {refusal}");
    }
}

#[test]
fn what_hides_behind_aliases_and_merge_keys_is_not_guessed() {
    let text = "a: &a {x: 1}\nb: {<<: *a}\nc: *a\nd: &d [1]";
    let mut stream = Stream::parse(text).unwrap();
    let root = stream.change(0).unwrap();
    assert!(root.get("c", "root").unwrap_err().to_string().contains("alias (*a) (line 3)"));
    let merged = root.get("b", "root").unwrap().unwrap().get("x", "b").unwrap_err();
    assert!(merged.to_string().contains("merge key"), "{merged}");
    for key in ["a", "d"] {
        let error = root.get_or_make(key, "root", Value::List(Vec::new())).unwrap_err();
        assert!(error.to_string().contains("anchor"), "{error}");
        assert!(root.set(key, "root", "x".into()).is_err());
    }
}

/// Each of these is read or refused within a moment; none grows.
#[test]
fn hostile_input_ends_soon() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..30 {
        let many = vec![format!("*a{}", n - 1); 10].join(", ");
        laughs += &format!("a{n}: &a{n} [{many}]\n");
    }
    let flow = "[".repeat(100_000);
    let deep: String = (0..5_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    let dashes = "- ".repeat(50_000);
    let (keys, wide) = (
        (0..200_000).fold(String::new(), |all, n| all + &format!("k{n}: v\n")),
        format!("a: [{}]", "x, ".repeat(500_000)),
    );
    let quotes = format!("a: \"{}\"", "\\\"".repeat(1_000_000));
    let documents = "---\na: 1\n".repeat(50_000);
    let comments = "# x\n".repeat(200_000) + "a: 1\n";
    let long_key = format!("{}: 1", "k".repeat(2_000));
    for (name, text, readable) in [
        ("billion laughs", &laughs, true),
        ("flow", &flow, false),
        ("deep", &deep, false),
        ("dashes", &dashes, false),
        ("keys", &keys, true),
        ("wide", &wide, true),
        ("quotes", &quotes, true),
        ("documents", &documents, true),
        ("comments", &comments, true),
        ("a long key", &long_key, false),
        ("huge", &"x".repeat(MOST + 1), false),
    ] {
        let began = Instant::now();
        let outcome = rewritten(text);
        if let Ok(stream) = Stream::parse(text) {
            stream.roots().take(10).for_each(|root| drop(root.get("spec", "the document")));
        }
        assert_eq!(outcome.is_ok(), readable, "{name}: {:?}", outcome.err());
        assert!(outcome.map_or(0, |out| out.len()) <= text.len() * 4 + 100, "{name} grew");
        assert!(began.elapsed() < Duration::from_secs(60), "{name} took {:?}", began.elapsed());
    }
}
