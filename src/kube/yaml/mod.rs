//! What does a stream of YAML say, and how is it written so that it still says so?
//!
//! Guarantees: a document that nobody changed leaves byte for byte as it came. One that was changed keeps every scalar in
//! the words it was written in, plain or quoted, so that `0644`, `yes` and `"yes"` mean afterwards what they meant before
//! to whoever reads them (Kubernetes reads YAML 1.1, where two of the three are no strings). Anchors and aliases stay what they
//! are: nothing is ever expanded. Comments inside of a changed document are lost.
//! YAML 1.2.2, <https://yaml.org/spec/1.2.2/>.

mod node;
mod parse;
mod write;

use super::Refusal;

pub(super) use node::{Node, Value};

/// Something of Anteroom's own as a document, without the line of dashes.
pub(super) fn fresh(node: &Node) -> String {
    let mut out = String::new();
    write::root(&mut out, node);
    out
}

/// Bytes that are read at most: ten times what a cluster takes of one object.
const MOST: usize = 16 << 20;

/// Documents, and the text they came from.
#[derive(Debug)]
pub(super) struct Stream<'a> {
    text: &'a str,
    documents: Vec<Document>,
}

/// One document.
#[derive(Debug)]
struct Document {
    root: Node,
    /// Where the root stands in the text.
    start: usize,
    end: usize,
    changed: bool,
}

impl<'a> Stream<'a> {
    /// Reads all of it.
    ///
    /// # Errors
    /// It is no YAML, too large or nested too deeply.
    pub(super) fn parse(text: &'a str) -> Result<Self, Refusal> {
        if text.len() > MOST {
            let what = format!("the input is larger than {} MiB", MOST >> 20);
            return Err(Refusal::new(what, "Give the file of the app alone"));
        }
        Ok(Self { text, documents: parse::documents(text)? })
    }

    /// The roots, in order.
    pub(super) fn roots(&self) -> impl Iterator<Item = &Node> {
        self.documents.iter().map(|document| &document.root)
    }

    /// One of them, to be changed.
    ///
    /// # Errors
    /// It holds something that could not be written back: a tag, a key twice, a key that is no scalar.
    pub(super) fn change(&mut self, index: usize) -> Result<&mut Node, Refusal> {
        let gone =
            || Refusal::new("there is no such document", "This is a mistake in Anteroom: please report it");
        let document = self.documents.get_mut(index).ok_or_else(gone)?;
        document.root.can_be_written()?;
        document.root.own("the document")?;
        document.changed = true;
        Ok(&mut document.root)
    }

    /// The whole, with what was changed. It is read once more: what does not say the same is not given out.
    ///
    /// # Errors
    /// It would not say the same.
    pub(super) fn write(&self) -> Result<String, Refusal> {
        let (mut out, mut done) = (String::with_capacity(self.text.len() + 4096), 0);
        for document in self.documents.iter().filter(|document| document.changed) {
            out.push_str(self.text.get(done..document.start).unwrap_or_default());
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            write::root(&mut out, &document.root);
            done = document.end;
            // What was written ends its last line itself.
            let rest = self.text.get(done..).unwrap_or_default();
            done += rest
                .strip_prefix("\r\n")
                .or(rest.strip_prefix('\n'))
                .map_or(0, |after| rest.len() - after.len());
        }
        out.push_str(self.text.get(done..).unwrap_or_default());
        let again = parse::documents(&out).ok();
        let same = again.is_some_and(|again| {
            again.len() == self.documents.len()
                && again.iter().zip(&self.documents).all(|(new, old)| new.root == old.root)
        });
        if same {
            return Ok(out);
        }
        let remedy = "Write the document in a plainer way: block style, without comments between its lines";
        Err(Refusal::new("the changed document would not say the same as the one given", remedy))
    }
}

#[cfg(test)]
mod tests;
