"""Load by wrk: as many requests as 64 connections can carry, with the headers that a browser sends."""

import re
import subprocess
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


def wrk_command(port, path, seconds, connections, core, request_headers):
    flags = [part for name, value in request_headers.items() for part in ("-H", f"{name}: {value}")]
    url = f"http://127.0.0.1:{port}{path}"
    return ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *flags, url]


def run(program, path, seconds, connections, core, request_headers):
    """One round against a program: throughput, its CPU time per request, latency."""
    before = program.cpu_seconds()
    command = wrk_command(program.port, path, seconds, connections, core, request_headers)
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    cpu = program.cpu_seconds() - before
    if "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit(f"not every request was answered as it should be:\n{out}")
    requests = int(re.search(r"(\d+) requests in", out)[1])
    return {
        "requests": requests,
        "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]),
        "cpu_us": cpu * 1e6 / requests,
        "p50_us": _latency(out, 50),
        "p99_us": _latency(out, 99),
        "busy": cpu / seconds,
    }


def _latency(out, percent):
    number, unit = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s)$", out, re.M).groups()
    return float(number) * MICROSECONDS[unit]
