"""oauth2-proxy as a contestant: built from its source, signed in with the same offline Atlassian as Anteroom.

Its settings are the ones that cost it least: one small cookie without tokens, and no line written per request.
"""

import json
import shutil
import subprocess
import sys

import anteroom

MODULE, VERSION = "github.com/oauth2-proxy/oauth2-proxy/v7", "v7.15.3"
CALLBACK = "/oauth2/callback"
START = "/oauth2/start?rd=%2F"
SESSION = "_oauth2_proxy"


def build(target):
    """The program's path, or None and the reason in a sentence. What was built once is kept in `target`."""
    program = target / "bench-tools" / f"oauth2-proxy-{VERSION}"
    if program.exists():
        return program, None
    if not shutil.which("go"):
        return None, (
            f"oauth2-proxy was not measured: it is built from source, and Go is missing here. Install Go 1.26 or newer "
            f"(https://go.dev/dl/), or put oauth2-proxy {VERSION} at {program.relative_to(target.parent)}."
        )
    print(f"building oauth2-proxy {VERSION} with Go, once; this takes some minutes", file=sys.stderr)
    try:
        # `go install` would also want the list of all versions, which not every module proxy gives.
        download = ["go", "mod", "download", "-json", f"{MODULE}@{VERSION}"]
        source = json.loads(subprocess.run(download, check=True, stdout=subprocess.PIPE, cwd=target).stdout)["Dir"]
        stamp = f"-X {MODULE}/pkg/version.VERSION={VERSION}"
        program.parent.mkdir(exist_ok=True)
        subprocess.run(["go", "build", "-C", source, "-trimpath", "-ldflags", stamp, "-o", program, "."], check=True)
    except subprocess.CalledProcessError as error:
        return None, f"oauth2-proxy was not measured: `{' '.join(map(str, error.cmd))}` failed; its reason is above."
    return program, None


def version(program):
    """The program's own word, with the Go that built it."""
    said = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    return f"{said.stdout.strip()}."


def command(program, port, public_url, atlassian, upstream="static://200"):
    """Its provider `keycloak` is plain OAuth with a profile that has an `email`, which is what Atlassian has."""
    return [
        program,
        f"--http-address=127.0.0.1:{port}",
        "--reverse-proxy=true",
        "--trusted-proxy-ip=127.0.0.1",
        f"--upstream={upstream}",
        "--provider=keycloak",
        f"--login-url=http://127.0.0.1:{atlassian}/authorize?audience=api.atlassian.com&prompt=consent",
        f"--redeem-url=http://127.0.0.1:{atlassian}/oauth/token",
        f"--validate-url=http://127.0.0.1:{atlassian}/me",
        f"--client-id={anteroom.CLIENT[0]}",
        f"--client-secret={anteroom.CLIENT[1]}",
        "--scope=read:me",
        "--code-challenge-method=S256",
        f"--redirect-url={public_url}{CALLBACK}",
        "--email-domain=*",
        f"--cookie-name={SESSION}",
        "--cookie-secret=bench-cookie-secret-of-32-bytes!",
        "--session-cookie-minimal=true",
        "--set-xauthrequest=true",
        "--request-logging=false",
        "--auth-logging=false",
    ]
