"""Starts a program on one core and reads what it costs from /proc (proc(5))."""

import os
import socket
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Program:
    """A running program that listens on `port`; ready once it answers an HTTP request."""

    def __init__(self, command, port, core, log):
        started = time.perf_counter()
        self.port, self.command, self.log = port, [str(part) for part in command], log.name
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), *self.command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            self.ready_ms = (self._answers() - started) * 1000
        except BaseException:
            self.stop()
            raise

    def _answers(self, patience=15):
        deadline = time.perf_counter() + patience
        while time.perf_counter() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"{self.command[0]} ended with {self.process.returncode}; see {self.log}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=patience) as s:
                    s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    if s.recv(12).startswith(b"HTTP/1.1 "):
                        return time.perf_counter()
            except ConnectionError:
                pass
            time.sleep(0.0005)
        raise SystemExit(f"{self.command[0]} did not answer within {patience} s; see {self.log}")

    def cpu_seconds(self):
        """User and system time of all threads, in steps of one clock tick (10 ms)."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def rss_mb(self):
        """Resident memory; 1 MB is 2^20 bytes."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
