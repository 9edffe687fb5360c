//! From text to documents. Nothing is expanded: an alias stays an alias, so that no text grows by being read.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, options};

use super::super::Refusal;
use super::{Document, Node, Value};

/// Levels of lists and mappings.
const DEEPEST: usize = 100;

/// An open list or mapping; of a mapping also the key that waits for its value.
struct Open {
    node: Node,
    key: Option<Node>,
}

/// Reads all documents.
pub(super) fn documents(text: &str) -> Result<Vec<Document>, Refusal> {
    // As libyaml has it, and with it Kubernetes.
    let mut how = options! {
        emit_anchor_events: true,
        block_scalar_eof_without_line_feed: true,
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST,
    };
    how.set_emit_comments(false);
    let (mut documents, mut open, mut anchors) = (Vec::new(), Vec::<Open>::new(), HashMap::new());
    // The latest finished node: an anchor's name comes after a scalar.
    let mut root: Option<Document> = None;
    for next in Parser::new_from_str_with_options(text, how) {
        let (event, span) = next.map_err(|error| no_yaml(&error))?;
        let (line, bytes) = (span.start.line(), span.byte_range().unwrap_or_default());
        let node = |value, tagged| Node { value, anchor: None, tagged, line };
        let finished = match event {
            Event::Anchor(id, name) => {
                let name: Box<str> = name.as_ref().into();
                if let Some(node) = latest(&mut open, root.as_mut()) {
                    node.anchor = Some(name.clone());
                }
                anchors.insert(id, name);
                continue;
            }
            Event::Scalar(text, style, _, tag) => {
                // One that stood in several lines is no number in any reading.
                let plain = style == ScalarStyle::Plain && !text.contains('\n');
                node(Value::Scalar { text: text.as_ref().into(), plain }, tag.is_some())
            }
            Event::Alias(id) => {
                let name = anchors.get(&id).cloned().unwrap_or_default();
                node(Value::Alias(name), false)
            }
            Event::SequenceStart(_, _, tag) => {
                begin(&mut open, node(Value::List(Vec::new()), tag.is_some()), bytes.start, &mut root)?;
                continue;
            }
            Event::MappingStart(_, _, tag) => {
                begin(&mut open, node(Value::Map(Vec::new()), tag.is_some()), bytes.start, &mut root)?;
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open { node, .. }) => node,
                None => continue,
            },
            Event::DocumentEnd => {
                documents.extend(root.take());
                continue;
            }
            _ => continue,
        };
        match open.last_mut() {
            Some(above) => above.take(finished),
            // A root that was opened knows where it began.
            None => {
                let start = root.as_ref().map_or(bytes.start, |begun| begun.start);
                root = Some(Document { root: finished, start, end: bytes.end, changed: false });
            }
        }
    }
    Ok(documents)
}

fn begin(open: &mut Vec<Open>, node: Node, start: usize, root: &mut Option<Document>) -> Result<(), Refusal> {
    if open.len() >= DEEPEST {
        let what = format!("more than {DEEPEST} lists and mappings stand inside of each other");
        return Err(Refusal::new(what, "No manifest needs that: correct it").at(node.line));
    }
    if open.is_empty() {
        let place = Node::from(Value::List(Vec::new()));
        *root = Some(Document { root: place, start, end: start, changed: false });
    }
    open.push(Open { node, key: None });
    Ok(())
}

/// The node that an anchor was written before: the collection just opened, or the scalar just read.
fn latest<'a>(open: &'a mut [Open], root: Option<&'a mut Document>) -> Option<&'a mut Node> {
    let Some(above) = open.last_mut() else { return root.map(|document| &mut document.root) };
    if above.key.is_some() {
        return above.key.as_mut();
    }
    let empty = match &above.node.value {
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
        _ => true,
    };
    if empty {
        return Some(&mut above.node);
    }
    match &mut above.node.value {
        Value::List(items) => items.last_mut(),
        Value::Map(entries) => entries.last_mut().map(|(_, value)| value),
        _ => None,
    }
}

impl Open {
    fn take(&mut self, finished: Node) {
        match (&mut self.node.value, self.key.take()) {
            (Value::List(items), _) => items.push(finished),
            (Value::Map(entries), Some(key)) => entries.push((key, finished)),
            (Value::Map(_), None) => self.key = Some(finished),
            _ => {}
        }
    }
}

fn no_yaml(error: &granit_parser::ScanError) -> Refusal {
    let what = format!("the input is no YAML: {}", error.info());
    Refusal::new(what, "Correct it there").at(error.marker().line())
}
