"""An app as they were before single sign-on: it believes the header Remote-User, as a web server's own module would set it.

It has no accounts, no passwords and no idea of Atlassian. Listens where the first argument says, as 127.0.0.1:8080.
"""

import html
import sys
import urllib.parse
from wsgiref.simple_server import make_server

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Tickets</title>
<style>body { font: 1rem/1.6 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }</style>
<h1>Tickets</h1>
<p>You are %s. <a href="/_anteroom/sign-out">Sign out</a></p>
<ul>%s</ul>
<form method="post"><label>New ticket <input name="title" required></label> <button>Open</button></form>
</html>
"""

tickets = [("The printer on floor 3 is out of paper", "grace@example.com")]


def app(environ, start_response):
    user = environ.get("HTTP_REMOTE_USER")
    if not user:
        start_response("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"Nobody said who you are.\n"]
    if environ["REQUEST_METHOD"] == "POST":
        form = urllib.parse.parse_qs(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode())
        tickets.append((form.get("title", ["?"])[0], user))
        start_response("303 See Other", [("Location", "/")])
        return []
    rows = "".join(f"<li>{html.escape(title)} <small>by {html.escape(by)}</small>" for title, by in tickets)
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")])
    return [(PAGE % (html.escape(user), rows)).encode()]


host, _, port = sys.argv[1].rpartition(":")
make_server(host, int(port), app).serve_forever()
