"""The proxies that are compared, in front of one app: how each is started, signed in to, and checked before it is measured."""

import subprocess

import anteroom
import browser
import load
import oauth2_proxy
import plain
import turns
from process import Program, free_port

PEER_URL = "https://wiki.example.com"
ANTEROOM, LOGGING, OAUTH2_PROXY = "Anteroom", "Anteroom, access log on", "oauth2-proxy"


class Field:
    """What stands around the proxies under test: the app on the load's core, a certificate, an offline Atlassian."""

    def __init__(self, programs, options, folder, running):
        self.programs, self.options, self.folder, self.running = programs, options, folder, running
        self.background = running.enter_context(open(options.logs / "background.log", "a"))
        self.upstream, self.atlassian = free_port(), free_port()
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"
        # No authority: a client may then trust exactly this certificate.
        command = "openssl req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=localhost"
        names = "-addext basicConstraints=critical,CA:FALSE -addext subjectAltName=IP:127.0.0.1,DNS:localhost"
        files = ["-keyout", self.key, "-out", self.certificate]
        subprocess.run([*command.split(), *names.split(), *files], check=True, capture_output=True)
        self.public_urls = {}
        self.callbacks = [PEER_URL + oauth2_proxy.CALLBACK]

    def _start(self, command, port):
        self.running.callback(Program(command, port, self.options.load_core, self.background).stop)

    def start_app(self):
        self._start([self.programs["upstream"], f"127.0.0.1:{self.upstream}"], self.upstream)
        self.start_atlassian()

    def start_atlassian(self):
        """Once all that sign in are known: their callbacks are registered here."""
        program = self.programs["anteroom"]
        self._start(anteroom.emulator(program, self.folder, self.atlassian, self.callbacks), self.atlassian)

    def pingora(self, program):
        port = free_port()
        return turns.Contestant([self.programs[program], f"127.0.0.1:{port}", f"127.0.0.1:{self.upstream}"], port, load.PAGE)

    def anteroom(self, name, access_log=False, tls=False, room=False):
        port = free_port()
        self.public_urls[name] = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        self.callbacks.append(self.public_urls[name] + anteroom.CALLBACK)
        mode = anteroom.PROXY.format(port=port, upstream=self.upstream)
        mode += anteroom.TLS.format(certificate=self.certificate, key=self.key) if tls else ""
        mode += anteroom.ROOM if room else ""
        values = (self.folder, port, self.public_urls[name], self.atlassian, mode, access_log)
        return turns.Contestant(anteroom.command(self.programs["anteroom"], *values), port, load.PAGE, logs=access_log)

    def plain(self, name):
        """A contestant, and the ports of its h2c and its TLS listener."""
        port, h2c, tls = free_port(), free_port(), free_port()
        command = plain.command(name, self.folder, self.upstream, port, h2c, tls, self.certificate, self.key)
        return turns.Contestant(command, port, load.PAGE), h2c, tls

    def oauth2_proxy(self, program):
        port = free_port()
        upstream = f"http://127.0.0.1:{self.upstream}/"
        return turns.Contestant(oauth2_proxy.command(program, port, PEER_URL, self.atlassian, upstream), port, load.PAGE)

    def sign_in(self, name, port):
        """The cookie of a signed-in browser, or None: this one asks nobody who they are."""
        if name == OAUTH2_PROXY:
            return browser.sign_in(PEER_URL, port, oauth2_proxy.START, oauth2_proxy.SESSION)
        if name not in self.public_urls:
            return None
        tls = self.public_urls[name].startswith("https:")
        cookie = "__Host-anteroom" if tls else "anteroom"
        return browser.sign_in(self.public_urls[name], port, anteroom.START, cookie, tls)

    def requests(self, programs):
        """Headers for each, equally long but for what oauth2-proxy needs; each lets these in and guards keep strangers out."""
        own = {name: self.sign_in(name, program.port) for name, program in programs.items()}
        usual = own[ANTEROOM]
        sent = {name: load.headers(cookie or usual) for name, cookie in own.items()}
        for name, program in programs.items():
            tls = self.public_urls.get(name, "").startswith("https:")
            if not reaches_the_app(program.port, sent[name], tls):
                raise SystemExit(f"{name} does not reach the upstream")
            if own[name] and reaches_the_app(program.port, load.BROWSER, tls):
                raise SystemExit(f"{name} lets strangers in")
        return sent


def reaches_the_app(port, headers, tls=False):
    status, _, body = browser.ask(port, load.PAGE, headers, tls)
    return status == 200 and body == b"x" * 1024
