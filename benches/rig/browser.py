"""A browser, and the gateway in front of it: the way through a sign-in, and single questions."""

import http.client
import ssl
from urllib.parse import urljoin, urlsplit

import load


def ask(port, path, headers, tls=False):
    """One GET to a port of this machine: status, headers (http.client.HTTPMessage), body."""
    if tls:
        # Whose certificate it is does not matter: the bench made it.
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def sign_in(public_url, port, start, session_cookie, tls=False):
    """Follows the redirects from `start` until `session_cookie` is set; gives it as `name=value`.

    What is for the host of `public_url` goes to `port`, with the headers that a gateway adds; over TLS if `tls`.
    """
    site, url, jars = urlsplit(public_url), urljoin(public_url, start), {}
    for _ in range(10):
        to = urlsplit(url)
        ours = to.netloc == site.netloc
        jar = jars.setdefault(to.netloc, {})
        headers = load.BROWSER | {"Host": to.netloc} | (load.forwarded(url) if ours else {})
        if jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        path = to._replace(scheme="", netloc="").geturl()
        status, answer, _ = ask(port if ours else to.port, path, headers, tls and ours)
        for cookie in answer.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            jar[name] = value
        if jar.get(session_cookie):
            return f"{session_cookie}={jar[session_cookie]}"
        if status not in (302, 303) or "Location" not in answer:
            break
        url = urljoin(url, answer["Location"])
    raise SystemExit(f"the sign-in ended at {url} with {status} and without {session_cookie}")
