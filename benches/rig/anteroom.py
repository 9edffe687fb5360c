"""Anteroom as a contestant: its configuration, and the offline Atlassian that it signs people in with."""

CLIENT = ("benchclient000000000000000000001", "ATOAbench-secret-of-the-emulator-and-nothing-else-01")
EMAIL = "ada@example.com"
CALLBACK = "/api/auth/callback/atlassian"
START = "/_anteroom/start?return_to=%2F"

EMULATOR = """
[[apps]]
client_id = "{client_id}"
client_secret = "{client_secret}"
name = "Bench"
callbacks = [{callbacks}]
scopes = ["read:me"]
distribution = "sharing"
owner = "557058:ada00000-0000-4000-8000-000000000001"

[[users]]
account_id = "557058:ada00000-0000-4000-8000-000000000001"
name = "Ada Lovelace"
email = "{email}"
email_verified = true
picture = "https://avatar.example/ada.png"
"""

CONFIG = """
public_url = "{public_url}"

[atlassian]
client_id = "{client_id}"
client_secret = "{client_secret}"
auth_url = "http://127.0.0.1:{atlassian}"
api_url = "http://127.0.0.1:{atlassian}"

{listener}

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

PROXY = """[proxy]
listen = "127.0.0.1:{port}"
upstream = "http://127.0.0.1:{upstream}"
"""

TLS = """[proxy.tls]
certificates = [{{ cert_file = "{certificate}", key_file = "{key}" }}]
"""

# Room for whole rounds on the same connections, and for many of them.
ROOM = """[proxy.timeouts]
keep_alive = "10m"

[proxy.limits]
connections = 20000
connections_per_client = 20000
keep_alive_requests = 1000000000
"""

FORWARD_AUTH = """[forward_auth]
listen = "127.0.0.1:{port}"
trusted_proxies = ["127.0.0.1"]
"""


def emulator(program, folder, port, callbacks):
    """The command of an Atlassian that says yes to everybody as Ada."""
    fixture = folder / f"emulator-{port}.toml"
    quoted = ", ".join(f'"{callback}"' for callback in callbacks)
    fixture.write_text(EMULATOR.format(client_id=CLIENT[0], client_secret=CLIENT[1], callbacks=quoted, email=EMAIL))
    return [program, "emulator", "--listen", f"127.0.0.1:{port}", "--fixture", fixture, "--approve", EMAIL]


def command(program, folder, port, public_url, atlassian, listener, access_log):
    """The command of an Anteroom; `listener` is the table of the mode that it runs in."""
    config = folder / f"anteroom-{port}.toml"
    values = {"public_url": public_url, "atlassian": atlassian, "listener": listener}
    values |= {"client_id": CLIENT[0], "client_secret": CLIENT[1], "access_log": str(access_log).lower()}
    config.write_text(CONFIG.format(**values))
    return [program, "run", "--config", config]
