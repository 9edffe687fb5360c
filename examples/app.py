"""The app of the examples: shows who Anteroom says is there, as it reached the app in headers.

It knows nothing of signing in. Listens on 127.0.0.1, on the port in the first argument.
"""

import html
import sys
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>The app behind the gateway</title>
<style>
  body { font: 1rem/1.6 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem }
  table { border-collapse: collapse }
  th, td { text-align: start; vertical-align: top; padding: .3rem 1rem .3rem 0; overflow-wrap: anywhere }
  th { font-weight: 600; white-space: nowrap }
</style>
<h1>Hello, %s</h1>
<p>This is the app. The gateway let you in because Anteroom said so, and these headers told the app who you are:</p>
<table>%s</table>
<p><a href="/_anteroom/sign-out">Sign out</a></p>
</html>
"""


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        # A value that is not known is "-"; whatever is not ASCII is percent-encoded.
        told = [(name, urllib.parse.unquote(value)) for name, value in self.headers.items()
                if name.lower().startswith("x-anteroom-")]
        name = next((value for name, value in told if name.lower() == "x-anteroom-name"), "-")
        rows = "".join(f"<tr><th>{html.escape(name)}<td>{html.escape(value)}" for name, value in told)
        page = (PAGE % (html.escape("stranger" if name == "-" else name), rows)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(page)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), App).serve_forever()
