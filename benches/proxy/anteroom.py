"""Anteroom as a contestant: its configuration, an offline Atlassian, and a browser's way through the sign-in."""

import http.cookiejar
import urllib.request

import load

CLIENT = ("benchclient00000000000000000001", "ATOAbench-secret-of-the-emulator-and-nothing-else-01")

EMULATOR = """
[[apps]]
client_id = "{client_id}"
client_secret = "{client_secret}"
name = "Bench"
callbacks = ["http://127.0.0.1:{port}/api/auth/callback/atlassian"]
scopes = ["read:me"]
distribution = "sharing"
owner = "557058:ada00000-0000-4000-8000-000000000001"

[[users]]
account_id = "557058:ada00000-0000-4000-8000-000000000001"
name = "Ada Lovelace"
email = "ada@example.com"
email_verified = true
picture = "https://avatar.example/ada.png"
"""

CONFIG = """
public_url = "http://127.0.0.1:{port}"

[atlassian]
client_id = "{client_id}"
client_secret = "{client_secret}"
auth_url = "http://127.0.0.1:{atlassian}"
api_url = "http://127.0.0.1:{atlassian}"

[proxy]
listen = "127.0.0.1:{port}"
upstream = "http://127.0.0.1:{upstream}"

[access]
allow_any_atlassian_account = true

[session]
secret = "a-session-secret-for-the-bench-0123456789-abcdefgh"

[pages]
welcome = false

[store]
url = "memory:"

[ops]
listen = "off"
access_log = {access_log}
shutdown_delay = "0s"
"""


def configuration(folder, port, atlassian, upstream, access_log):
    values = {"port": port, "atlassian": atlassian, "upstream": upstream}
    values |= {"client_id": CLIENT[0], "client_secret": CLIENT[1], "access_log": str(access_log).lower()}
    (folder / f"emulator-{port}.toml").write_text(EMULATOR.format(**values))
    (folder / f"anteroom-{port}.toml").write_text(CONFIG.format(**values))
    return folder / f"anteroom-{port}.toml", folder / f"emulator-{port}.toml"


def sign_in(port):
    """Follows the redirects from start to the app; returns the session cookie as `name=value`."""
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar))
    browser.addheaders = list(load.BROWSER.items())
    answer = browser.open(f"http://127.0.0.1:{port}/_anteroom/start?return_to=%2F", timeout=10)
    session = next((c for c in jar if c.name == "anteroom"), None)
    if session is None or answer.status != 200 or len(answer.read()) != 1024:
        raise SystemExit(f"the sign-in ended at {answer.url} with {answer.status} and without a session")
    return f"anteroom={session.value}"


def lets_through(port, request_headers):
    """Whether a request gets to the upstream."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/x", headers=request_headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        return answer.status == 200 and answer.read() == b"x" * 1024
