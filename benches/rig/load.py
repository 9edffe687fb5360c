"""Load with the headers that a browser sends: as much as a server can take (wrk, h2load), or at a steady rate (open-loop)."""

import json
import re
import subprocess
from dataclasses import dataclass
from urllib.parse import urlsplit

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9,de;q=0.8",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-User": "?1",
    "Upgrade-Insecure-Requests": "1",
}
APP_COOKIES = (
    "_ga=GA1.1.1234567890.1700000000; theme=dark; "
    "csrftoken=J8zq1mXv0c2yQeR4tLwP9sKd; sessionid=4f8c1d2e3a5b6c7d8e9f0a1b2c3d4e5f"
)
PAGE = "/projects/alpha/boards/42?view=list"
MICROSECONDS = {"us": 1, "ms": 1000, "s": 1_000_000}
STREAMS = 8  # of an HTTP/2 connection


@dataclass(frozen=True)
class Target:
    """What is asked of whom. `program` is the process whose CPU time counts."""

    program: object
    url: str
    headers: dict
    http2: bool = False


def headers(*session_cookies):
    return BROWSER | {"Cookie": "; ".join([APP_COOKIES, *session_cookies])}


def forwarded(url):
    """What Traefik's ForwardAuth adds to the browser's headers when it asks whether a GET of `url` may pass."""
    parts = urlsplit(url)
    return {
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Host": parts.netloc,
        "X-Forwarded-Method": "GET",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": parts.scheme,
        "X-Forwarded-Uri": parts._replace(scheme="", netloc="").geturl(),
    }


def _flags(target):
    return [part for name, value in target.headers.items() for part in ("-H", f"{name}: {value}")]


def _wrk(target, seconds, connections):
    return ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *_flags(target), target.url]


def _h2load(target, seconds, connections):
    """As many requests at once as with HTTP/1.1, on fewer connections."""
    clients = max(1, connections // STREAMS)
    return ["h2load", "-t1", f"-c{clients}", f"-m{STREAMS}", f"-D{seconds}", *_flags(target), target.url]


def saturate(target, seconds, options):
    """One round of as much load as it takes: throughput, CPU time per request; over HTTP/1.1 latency too."""
    make = _h2load if target.http2 else _wrk
    command = ["taskset", "-c", str(options.load_core), *make(target, seconds, options.connections)]
    before = target.program.cpu_seconds()
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    cpu = target.program.cpu_seconds() - before
    requests, rate = (_h2load_counts if target.http2 else _wrk_counts)(out)
    seen = {"requests": requests, "rate": rate, "cpu_us": cpu * 1e6 / requests, "busy": cpu / seconds}
    return seen if target.http2 else seen | {"p50_us": _latency(out, 50), "p99_us": _latency(out, 99)}


def _wrk_counts(out):
    if "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit(f"not every request was answered as it should be:\n{out}")
    return int(re.search(r"(\d+) requests in", out)[1]), float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])


def _h2load_counts(out):
    done, good, failed = map(int, re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed", out).groups())
    # One that ends with the time is in one count and not in the other.
    codes = list(map(int, re.search(r"(\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", out).groups()))
    if failed or good != done or not done or codes[0] < good or any(codes[1:]):
        raise SystemExit(f"not every request was answered as it should be:\n{out}")
    return done, float(re.search(r"([\d.]+) req/s", out)[1])


def _latency(out, percent):
    number, unit = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s)$", out, re.M).groups()
    return float(number) * MICROSECONDS[unit]


def steady(tool, target, rate, seconds, options, certificate=None):
    """One round of requests at fixed times, come what may (benches/load/open.rs): latency from when each was due."""
    more = ["--http2"] if target.http2 else []
    more += ["--ca", certificate] if target.url.startswith("https:") else []
    command = ["taskset", "-c", options.load_core, tool, "--rate", f"{rate:.0f}", "--seconds", seconds]
    command += ["--at-once", options.connections, *more, *_flags(target), target.url]
    before = target.program.cpu_seconds()
    out = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout
    seen = json.loads(out)
    cpu = target.program.cpu_seconds() - before
    return seen | {"rate": seen["requests"] / seen["seconds"], "cpu_us": cpu * 1e6 / seen["requests"]}
