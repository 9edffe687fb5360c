//! How strict is the parser in front of the decision? Raw probes, each with our answer, and whether the connection goes on.
//! Run on every pingora upgrade: a difference between two readers of one request is a way around the decision.

use super::rig::Rig;
use crate::support::raw::RawClient;
use crate::support::upstream::{Request, Upstream};

/// A request that comes last on its connection would have this path if it were smuggled; and every header that must not
/// arrive has this value.
const MARKER: &str = "evil";

/// What must happen to a probe. Of all but `Sent` and `Last`, nothing reaches the upstream.
#[derive(Clone, Copy, Debug)]
enum Want {
    /// This status, and the connection ends.
    Closed(u16),
    /// This status, and the connection takes another request.
    Kept(u16),
    /// The upstream gets a request with this target, and the connection takes another one.
    Sent(&'static str),
    /// The upstream gets a request with this target, and the connection ends.
    Last(&'static str),
    /// The connection ends, without an answer or with 400.
    Ended,
}
use Want::{Closed, Ended, Kept, Last, Sent};

/// `{H}` stands for a line with the host, `{C}` for one with a session cookie (`{CLF}`: with a bare LF), `{7}` for seven
/// letters, `{lines 7}` for seven lines. Characters are bytes.
#[rustfmt::skip]
const PROBES: &[(&str, &str, Want)] = &[
    // Host: one reading of whom a request is for (RFC 9112 §3.2). Ours decides which app and which cookie counts.
    ("no Host", "GET / HTTP/1.1\r\n{C}\r\n", Closed(400)),
    ("no Host in 1.0", "GET / HTTP/1.0\r\n{C}\r\n", Closed(400)),
    ("empty", "GET / HTTP/1.1\r\nHost:\r\n{C}\r\n", Closed(400)),
    ("two", "GET / HTTP/1.1\r\n{H}Host: b\r\n{C}\r\n", Closed(400)),
    ("the same twice", "GET / HTTP/1.1\r\n{H}{H}{C}\r\n", Closed(400)),
    ("userinfo", "GET / HTTP/1.1\r\nHost: a@app.example\r\n{C}\r\n", Closed(400)),
    ("path", "GET / HTTP/1.1\r\nHost: app.example/b\r\n{C}\r\n", Closed(400)),
    ("list", "GET / HTTP/1.1\r\nHost: app.example,b\r\n{C}\r\n", Closed(400)),
    ("white space inside", "GET / HTTP/1.1\r\nHost: app.example b\r\n{C}\r\n", Closed(400)),
    // Target: what is decided on is what is sent (RFC 9112 §3.2.1 and §3.2.2).
    ("absolute form", "GET http://app.example/x?y HTTP/1.1\r\n{H}{C}\r\n", Sent("/x?y")),
    ("absolute form without path", "GET http://app.example HTTP/1.1\r\n{H}{C}\r\n", Sent("/")),
    ("absolute form, query alone", "GET http://app.example?y HTTP/1.1\r\n{H}{C}\r\n", Sent("/?y")),
    ("absolute form for another host", "GET http://evil/x HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("absolute form for another port", "GET http://app.example:81/x HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("absolute form without Host", "GET http://app.example/x HTTP/1.1\r\n{C}\r\n", Closed(400)),
    ("absolute form, userinfo", "GET http://u@app.example/x HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("another scheme", "GET ftp://app.example/x HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("authority alone", "GET app.example:80 HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("asterisk", "OPTIONS * HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("query alone", "GET ?x HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("no slash", "GET admin HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("fragment", "GET /a#b HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("fragment in query", "GET /a?b#c HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("angle bracket", "GET /a<b HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("space, which pingora would escape", "GET /a b HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("space before chunks", "POST /a b HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", Closed(400)),
    ("not UTF-8", "GET /\u{80} HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("control byte, which pingora would escape", "GET /\u{1} HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("delete byte", "GET /\u{7f} HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("NUL", "GET /\0 HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("two readings", "GET /a/../b HTTP/1.1\r\n{H}{C}\r\n", Kept(400)),
    ("longest", "GET /{16384} HTTP/1.1\r\n{H}{C}\r\n", Kept(414)),
    // Request line (RFC 9112 §3).
    ("TRACE", "TRACE / HTTP/1.1\r\n{H}{C}\r\n", Kept(405)),
    ("CONNECT", "CONNECT app.example:80 HTTP/1.1\r\nHost: app.example:80\r\n{C}\r\n", Closed(405)),
    ("method in lower case", "get / HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("method with odd letters", "FOO%0a / HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("method with NUL", "G\0ET / HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("method unknown", "PROPFIND / HTTP/1.1\r\n{H}{C}\r\n", Sent("/")),
    ("HTTP/0.9", "GET /\r\n\r\n", Closed(400)),
    ("HTTP/2.0", "GET / HTTP/2.0\r\n{H}{C}\r\n", Closed(400)),
    ("HTTP/1.2", "GET / HTTP/1.2\r\n{H}{C}\r\n", Closed(400)),
    ("HTTP/1.10", "GET / HTTP/1.10\r\n{H}{C}\r\n", Closed(400)),
    ("http/1.1", "GET / http/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("h2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Closed(400)),
    ("TLS hello", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\r\n\r\n", Ended),
    ("empty line first: RFC 9112 §2.2 lets it pass", "\r\nGET / HTTP/1.1\r\n{H}{C}\r\n", Sent("/")),
    ("two spaces", "GET  / HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("tabs", "GET\t/\tHTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("space at the end", "GET / HTTP/1.1 \r\n{H}{C}\r\n", Closed(400)),
    // Header lines (RFC 9112 §5): no program on the way may see another name, or one line more.
    ("space before colon", "GET / HTTP/1.1\r\nHost : app.example\r\n{C}\r\n", Closed(400)),
    ("folded line", "GET / HTTP/1.1\r\n{H}X: 1\r\n 2\r\n{C}\r\n", Closed(400)),
    ("leading space", "GET / HTTP/1.1\r\n {H}{C}\r\n", Closed(400)),
    ("NUL in value", "GET / HTTP/1.1\r\n{H}X: a\0b\r\n{C}\r\n", Closed(400)),
    ("CR in value", "GET / HTTP/1.1\r\n{H}X: a\rb\r\n{C}\r\n", Closed(400)),
    ("bare CR ends a line", "GET / HTTP/1.1\r\n{H}X: a\rX-Anteroom-Email: evil\r\n{C}\r\n", Closed(400)),
    ("bare LF", "GET / HTTP/1.1\nHost: app.example\n{CLF}\n", Closed(400)),
    ("one bare LF", "GET / HTTP/1.1\r\n{H}X: 1\nY: 2\r\n{C}\r\n", Closed(400)),
    ("no name", "GET / HTTP/1.1\r\n{H}: x\r\n{C}\r\n", Closed(400)),
    ("no colon", "GET / HTTP/1.1\r\n{H}X\r\n{C}\r\n", Closed(400)),
    ("vertical tab in name", "GET / HTTP/1.1\r\n{H}X\u{b}: 1\r\n{C}\r\n", Closed(400)),
    ("names that CGI reads as ours", "GET / HTTP/1.1\r\n{H}X_Anteroom_Email: evil\r\nX.Forwarded.For: evil\r\n{C}\r\n", Sent("/")),
    ("101 lines", "GET / HTTP/1.1\r\n{H}{C}{lines 99}\r\n", Kept(431)),
    ("257 lines: pingora keeps no more than 256", "GET / HTTP/1.1\r\n{H}{C}{lines 255}\r\n", Closed(400)),
    ("a mebibyte", "GET / HTTP/1.1\r\n{H}{C}X: {1048576}\r\n\r\n", Closed(431)),
    ("100 KB of cookies", "GET / HTTP/1.1\r\n{H}{C}Cookie: a={100000}\r\n\r\n", Closed(431)),
    // Length (RFC 9112 §6.3): digits, once, and no coding beside it.
    ("list", "POST / HTTP/1.1\r\n{H}{C}Content-Length: 1, 1\r\n\r\na", Closed(400)),
    ("plus", "POST / HTTP/1.1\r\n{H}{C}Content-Length: +1\r\n\r\na", Closed(400)),
    ("minus", "POST / HTTP/1.1\r\n{H}{C}Content-Length: -1\r\n\r\na", Closed(400)),
    ("hexadecimal", "POST / HTTP/1.1\r\n{H}{C}Content-Length: 0x1\r\n\r\na", Closed(400)),
    ("empty", "POST / HTTP/1.1\r\n{H}{C}Content-Length: \r\n\r\na", Closed(400)),
    ("exponent", "POST / HTTP/1.1\r\n{H}{C}Content-Length: 1e0\r\n\r\na", Closed(400)),
    ("fraction", "POST / HTTP/1.1\r\n{H}{C}Content-Length: 1.0\r\n\r\na", Closed(400)),
    ("in quotes", "POST / HTTP/1.1\r\n{H}{C}Content-Length: \"1\"\r\n\r\na", Closed(400)),
    ("two numbers", "POST / HTTP/1.1\r\n{H}{C}Content-Length: 1 1\r\n\r\na", Closed(400)),
    ("beyond 64 bits", "POST / HTTP/1.1\r\n{H}{C}Content-Length: 18446744073709551617\r\n\r\na", Closed(400)),
    ("beyond 128 bits", "POST / HTTP/1.1\r\n{H}{C}Content-Length: 99999999999999999999999999999999999999999\r\n\r\na", Closed(400)),
    ("tab inside", "POST / HTTP/1.1\r\n{H}{C}Content-Length: 1\t1\r\n\r\na", Closed(400)),
    ("two that differ", "POST / HTTP/1.1\r\n{H}{C}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", Closed(400)),
    ("two that are equal", "POST / HTTP/1.1\r\n{H}{C}Content-Length: 1\r\nContent-Length: 1\r\n\r\na", Closed(400)),
    ("leading zeros are digits", "POST / HTTP/1.1\r\n{H}{C}Content-Length: 01\r\n\r\na", Sent("/")),
    ("of a GET", "GET / HTTP/1.1\r\n{H}{C}Content-Length: 1\r\n\r\na", Sent("/")),
    ("under a name that CGI reads as it", "POST / HTTP/1.1\r\n{H}{C}Content_Length: 4\r\nContent-Length: 1\r\n\r\na", Sent("/")),
    ("space before colon", "POST / HTTP/1.1\r\n{H}{C}Content-Length : 1\r\n\r\na", Closed(400)),
    // Coding (RFC 9112 §6.1): chunked, once, in HTTP/1.1, and no length beside it.
    ("CL.TE", "POST / HTTP/1.1\r\n{H}{C}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX", Closed(400)),
    ("TE.CL", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", Closed(400)),
    ("TE.TE, the second unknown", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", Closed(400)),
    ("TE.TE, the first unknown", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Closed(400)),
    ("twice", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Closed(400)),
    ("not chunked", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n", Closed(400)),
    ("more than chunked", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", Closed(400)),
    ("chunked, then identity", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", Closed(400)),
    ("chunked twice in a list", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", Closed(400)),
    ("list with nothing", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n", Closed(400)),
    ("disguised", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", Closed(400)),
    ("with a parameter", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", Closed(400)),
    ("vertical tab", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\u{b}\r\n\r\n0\r\n\r\n", Closed(400)),
    ("in quotes", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", Closed(400)),
    ("identity", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: identity\r\n\r\n0\r\n\r\n", Closed(400)),
    ("empty", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: \r\n\r\n0\r\n\r\n", Closed(400)),
    ("in HTTP/1.0", "POST / HTTP/1.0\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Closed(400)),
    ("space before colon", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", Closed(400)),
    ("folded", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", Closed(400)),
    ("tab before the value", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n", Sent("/")),
    ("in capitals", "POST / HTTP/1.1\r\n{H}{C}TRANSFER-ENCODING: CHUNKED\r\n\r\n0\r\n\r\n", Sent("/")),
    ("a longer name: no coding, so what follows is no body", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding-X: chunked\r\n\r\n0\r\n\r\n", Last("/")),
    ("under a name that CGI reads as it: no coding, so what follows is no body", "POST / HTTP/1.1\r\n{H}{C}Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n", Last("/")),
    // Chunks (RFC 9112 §7.1): one reading of each size and each end. Extensions and trailers are dropped.
    ("plain", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Sent("/")),
    ("extension", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n3;evil=1\r\nabc\r\n0;evil\r\n\r\n", Sent("/")),
    ("extension without end", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n3;{100000}\r\nabc\r\n0\r\n\r\n", Closed(400)),
    ("bare LF in an extension: pingora takes it for a part of it, others for its end", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\n45\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n{H}{C}\r\n", Closed(400)),
    ("empty size, which pingora takes for 0", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n\r\n\r\n", Closed(400)),
    ("white space after the size", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n2 \r\nab\r\n0\r\n\r\n", Closed(400)),
    ("tab after the size", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n2\t\r\nab\r\n0\r\n\r\n", Closed(400)),
    ("white space before the size", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n 2\r\nab\r\n0\r\n\r\n", Closed(400)),
    ("extension without a name", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n2;\r\nab\r\n0\r\n\r\n", Closed(400)),
    ("white space around an extension", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n2 ; a\r\nab\r\n0\r\n\r\n", Closed(400)),
    ("control byte in an extension", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n2;a\u{1}\r\nab\r\n0\r\n\r\n", Closed(400)),
    ("quotes without end", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n2;a=\"b\r\nab\r\n0\r\n\r\n", Closed(400)),
    ("bare LF in the last extension", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0;\n\r\n\r\n", Closed(400)),
    ("trailer without a colon", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n0\r\nX\r\n\r\n", Closed(400)),
    ("trailer, space before its colon", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n0\r\nX : 1\r\n\r\n", Closed(400)),
    ("trailer, folded", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n 2\r\n\r\n", Closed(400)),
    ("trailer with NUL", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n0\r\nX: \0\r\n\r\n", Closed(400)),
    ("quoted extension", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n2;a=\"b;c\"\r\nab\r\n0\r\n\r\n", Sent("/")),
    ("sixteen digits", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n0000000000000002\r\nab\r\n0\r\n\r\n", Sent("/")),
    ("seventeen digits", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n00000000000000002\r\nab\r\n0\r\n\r\n", Closed(400)),
    ("trailer", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Anteroom-Email: evil\r\n\r\n", Sent("/")),
    ("trailers without end", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n0\r\nX: {100000}\r\n\r\n", Closed(400)),
    ("no size", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\nx\r\n", Closed(400)),
    ("negative size", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n-1\r\nab", Closed(400)),
    ("signed size", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n+2\r\nab\r\n0\r\n\r\n", Closed(400)),
    ("prefixed size", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n", Closed(400)),
    ("size beyond 64 bits", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\na", Closed(400)),
    ("size that wraps to 3", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n", Closed(400)),
    ("data longer than its size", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", Closed(400)),
    ("bare LF", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n2\nab\n0\n\n", Closed(400)),
    ("bare CR after the size", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n2\rXab\r\n0\r\n\r\n", Closed(400)),
    ("no end of data", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n2\r\nab0\r\n\r\n", Closed(400)),
    ("bare LF after the data", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n2\r\nab\n0\r\n\r\n", Closed(400)),
    ("bare LF at the end", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\n", Closed(400)),
    // Behind the end of a request: it is answered, then the connection ends. pingora could read on (`set_pipelining_enabled`);
    // clients do not pipeline, and a request that somebody smuggled dies with its connection.
    ("two requests", "GET / HTTP/1.1\r\n{H}{C}\r\nGET /evil HTTP/1.1\r\n{H}{C}\r\n", Last("/")),
    ("garbage behind a body", "POST / HTTP/1.1\r\n{H}{C}Content-Length: 1\r\n\r\naGET /evil HTTP/1.1\r\n{H}{C}\r\n", Last("/")),
    ("garbage behind chunks", "POST / HTTP/1.1\r\n{H}{C}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n{H}{C}\r\n", Last("/")),
    ("a request behind a refused one", "POST / HTTP/1.1\r\n{H}Content-Length: 1\r\n\r\naGET /evil HTTP/1.1\r\n{H}{C}\r\n", Closed(401)),
    // Connection (RFC 9110 §7.6.1): nobody names our headers away, and there is one upgrade, WebSocket.
    ("quoted nomination", "GET / HTTP/1.1\r\n{H}{C}Connection: \"x\"\r\n\r\n", Closed(400)),
    ("nominated pseudo-header", "GET / HTTP/1.1\r\n{H}{C}Connection: :path\r\n\r\n", Closed(400)),
    ("ten nominations", "GET / HTTP/1.1\r\n{H}{C}Connection: a,b,c,d,e,f,g,h,i,j\r\n\r\n", Closed(400)),
    ("nominated Host", "GET / HTTP/1.1\r\n{H}{C}Connection: host\r\n\r\n", Closed(400)),
    ("nominated length", "POST / HTTP/1.1\r\n{H}{C}Connection: content-length\r\nContent-Length: 1\r\n\r\na", Sent("/")),
    ("nominated header", "GET / HTTP/1.1\r\n{H}{C}Connection: x-a\r\nX-A: evil\r\n\r\n", Sent("/")),
    ("nominated header of ours", "GET / HTTP/1.1\r\n{H}{C}Connection: x-anteroom-email\r\nX-Anteroom-Email: evil\r\n\r\n", Sent("/")),
    ("hop-by-hop headers", "GET / HTTP/1.1\r\n{H}{C}Keep-Alive: evil\r\nProxy-Connection: evil\r\nTE: evil\r\nTrailer: evil\r\nProxy-Authorization: evil\r\n\r\n", Sent("/")),
    ("upgrade to h2c", "GET / HTTP/1.1\r\n{H}{C}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c, evil\r\nHTTP2-Settings: evil\r\n\r\n", Sent("/")),
    ("upgrade without Connection", "GET / HTTP/1.1\r\n{H}{C}Upgrade: websocket, evil\r\n\r\n", Sent("/")),
    ("unknown expectation: the app's to refuse", "GET / HTTP/1.1\r\n{H}{C}Expect: 200-ok\r\n\r\n", Sent("/")),
];

#[tokio::test]
async fn each_probe_gets_its_answer() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut failures = Vec::new();
    for (name, probe, want) in PROBES {
        let before = upstream.requests().len();
        let seen = observed(&rig, &bytes(probe, &rig.cookie)).await;
        let reached = upstream.requests().split_off(before);
        let mut targets: Vec<&str> = reached.iter().map(Request::target).collect();
        let kept = targets.last() == Some(&"/another");
        if kept {
            targets.pop();
        }
        let held = match (want, seen) {
            (Closed(status), Some(seen)) => seen == *status && targets.is_empty() && !kept,
            (Kept(status), Some(seen)) => seen == *status && targets.is_empty() && kept,
            (Sent(target), Some(200)) => targets == [*target] && kept,
            (Last(target), Some(200)) => targets == [*target] && !kept,
            (Ended, None | Some(400)) => targets.is_empty() && !kept,
            _ => false,
        };
        if !held {
            failures.push(format!(
                "{name}: wanted {want:?}, got {seen:?}, sent {targets:?}, kept: {kept}: {probe:.120?}"
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(!upstream.saw(MARKER));
}

/// The status of the answer to a probe, if there is one. Another request follows it on the same connection.
async fn observed(rig: &Rig, probe: &[u8]) -> Option<u16> {
    let mut client = RawClient::connect(rig.address).await;
    client.send(probe).await;
    let answer = client.try_response("GET").await.ok()?;
    assert_eq!(answer.header("server"), None, "an answer that pingora wrote");
    client.send(rig.signed_in("GET /another", "")).await;
    let closed = client.try_response("GET").await.is_err();
    // It says so before it does so, or a client would take the end for an accident.
    let said = answer.header("connection") == Some("close");
    assert!(closed || !said, "{answer:?}");
    Some(answer.status)
}

fn bytes(probe: &str, cookie: &str) -> Vec<u8> {
    let (mut text, mut rest) = (String::new(), probe);
    while let Some((before, (stands_for, after))) =
        rest.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        text.push_str(before);
        match stands_for {
            "H" => text.push_str("Host: app.example\r\n"),
            "C" => text.push_str(&format!("Cookie: {cookie}\r\n")),
            "CLF" => text.push_str(&format!("Cookie: {cookie}\n")),
            other => match other.strip_prefix("lines ") {
                Some(lines) => {
                    (0..lines.parse().unwrap()).for_each(|n: u32| text += &format!("X-{n}: 1\r\n"))
                }
                None => text.push_str(&"x".repeat(other.parse().unwrap())),
            },
        }
        rest = after;
    }
    (text + rest).chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

/// What was refused before there was a request is counted and logged as well.
#[tokio::test]
async fn refusals_are_counted() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send("GET / HTTP/1.1\r\nHost : a\r\n\r\n").await;
    let response = client.response().await;
    assert_eq!((response.status, response.header("connection")), (400, Some("close")));
    client.finish().await;
    client.rest().await;
    let logged = tokio::time::timeout(crate::support::DEADLINE, async {
        while rig.log.lines().is_empty() {
            tokio::task::yield_now().await;
        }
    });
    logged.await.unwrap();
    assert!(rig.log.lines()[0].contains("status: 400") && rig.log.lines()[0].contains("unreadable"));
}

/// The engine takes these for chunks, other programs for something else: whatever follows, however late, is no request.
#[tokio::test]
async fn nothing_that_follows_malformed_chunks_is_a_request() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    for body in ["2;\nxx\r\n3c\r\n0\r\n\r\n", "\r\n3c\r\n\r\n", "1 \r\na\r\n0\r\n\r\n"] {
        let mut client = RawClient::connect(rig.address).await;
        client.send(rig.signed_in("POST /x", "Transfer-Encoding: chunked\r\n") + body).await;
        let first = client.try_response("POST").await;
        client.send(rig.signed_in("GET /evil", "") + "0\r\n\r\n").await;
        let rest = client.rest().await;
        assert!(!rest.starts_with(b"HTTP/1.1 200"), "{body:?}: {first:?}");
    }
    assert!(!upstream.saw("/evil"));
}
