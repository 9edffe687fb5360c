"""nginx and HAProxy as plain proxies beside us: one worker, no access log, kept connections on both sides."""

import shutil
import subprocess

NGINX = """
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
events {{ worker_connections 20000; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream app {{
        server 127.0.0.1:{upstream};
        keepalive 128;
        keepalive_requests 1000000000;
    }}
    map $http_upgrade $connection_upgrade {{
        default upgrade;
        ""      "";
    }}
    server {{
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{h2c} http2;
        listen 127.0.0.1:{tls} ssl http2;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header Upgrade $http_upgrade;
            proxy_read_timeout 10m;
            # Answers are never written to disk.
            proxy_max_temp_file_size 0;
        }}
    }}
}}
"""

HAPROXY = """
global
    nbthread 1
    maxconn {connections}
    ssl-default-bind-options ssl-min-ver TLSv1.2

defaults
    mode http
    timeout connect 5s
    timeout client 75s
    timeout server 60s
    timeout tunnel 10m
    http-reuse always

frontend plain
    bind 127.0.0.1:{port}
    default_backend app

frontend h2c
    bind 127.0.0.1:{h2c} proto h2
    default_backend app

frontend tls
    bind 127.0.0.1:{tls} ssl crt {both} alpn h2,http/1.1
    default_backend app

backend app
    server app 127.0.0.1:{upstream}
"""

NAMES = ("nginx", "HAProxy")


def find(name):
    """The program's path, or None. Debian keeps servers in a folder that only root's PATH names."""
    return shutil.which(name.lower(), path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


def version(name):
    """The program's own word, or why it is not there."""
    if not find(name):
        return f"{name} was not measured: it is not installed here (scripts/setup bench)."
    said = subprocess.run([find(name), "-v"], capture_output=True, text=True)
    return f"{(said.stdout or said.stderr).splitlines()[0].removeprefix('nginx version: ').partition(' - ')[0]}."


def command(name, folder, upstream, port, h2c, tls, certificate, key, connections=9900):
    """The command of a proxy in front of `upstream`, with listeners for HTTP/1.1, HTTP/2 without TLS, and both over TLS."""
    home = folder / name
    home.mkdir()
    both = home / "both.pem"
    both.write_text(certificate.read_text() + key.read_text())
    values = {"folder": home, "upstream": upstream, "port": port, "h2c": h2c, "tls": tls, "connections": connections}
    values |= {"certificate": certificate, "key": key, "both": both}
    config = home / "config"
    config.write_text((NGINX if name == "nginx" else HAPROXY).format(**values))
    if name == "nginx":
        return [find(name), "-e", "stderr", "-p", home, "-c", config]
    return [find(name), "-db", "-f", config]
