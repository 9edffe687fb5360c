"""Starts a program on one core and reads what it costs from /proc (proc(5)), its worker processes included."""

import os
import pathlib
import socket
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Program:
    """A running program that listens on `port`; ready once it answers an HTTP request; over TLS once it accepts."""

    def __init__(self, command, port, core, log, tls=False):
        started = time.perf_counter()
        self.port, self.command, self.log = port, [str(part) for part in command], log.name
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), *self.command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            self.ready_ms = (self._answers(tls) - started) * 1000
        except BaseException:
            self.stop()
            raise

    def _answers(self, tls, patience=15):
        deadline = time.perf_counter() + patience
        while time.perf_counter() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"{self.command[0]} ended with {self.process.returncode}; see {self.log}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=patience) as s:
                    if tls:
                        return time.perf_counter()
                    s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    if s.recv(12).startswith(b"HTTP/1.1 "):
                        return time.perf_counter()
            except ConnectionError:
                pass
            time.sleep(0.0005)
        raise SystemExit(f"{self.command[0]} did not answer within {patience} s; see {self.log}")

    def _folders(self):
        """In /proc: its own, and those of the processes that it started."""
        own = self.process.pid
        children = pathlib.Path(f"/proc/{own}/task/{own}/children").read_text().split()
        return [pathlib.Path("/proc") / str(pid) for pid in (own, *children)]

    def cpu_seconds(self):
        """User and system time of all threads, in steps of one clock tick (10 ms)."""
        fields = [(folder / "stat").read_text().rpartition(")")[2].split() for folder in self._folders()]
        return sum(int(of[11]) + int(of[12]) for of in fields) / TICK

    def rss_mb(self):
        """Resident memory; 1 MB is 2^20 bytes."""
        lines = [line for folder in self._folders() for line in (folder / "status").read_text().splitlines()]
        return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
