//! What span does a gateway's question get, and whose trace does it belong to? The gateway's, if it names one: it is on the
//! operator's list already.

use tracing::Span;

use super::original::Original;
use crate::net::TraceParent;
use crate::ops::RequestId;
use crate::ops::tracing::continue_from;
use crate::span;

/// Begins it.
pub(super) fn begin(original: &Original<'_>, id: RequestId) -> Span {
    let scheme = original.secure.map(|secure| if secure { "https" } else { "http" });
    let span = span::request(original.method.as_str(), original.path, scheme, id.as_str());
    if !span.is_disabled() {
        continue_from(&span, parent(original));
    }
    span
}

/// Said exactly once.
fn parent(original: &Original<'_>) -> Option<TraceParent> {
    let mut lines = original.headers.get_all("traceparent").iter();
    let only = lines.next().filter(|_| lines.next().is_none())?;
    TraceParent::parse(only.as_bytes())
}
