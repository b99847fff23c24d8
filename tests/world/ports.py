"""Ports for servers of the tests, and whose they are.

A server that a test kills and starts again must get the same port back. Ports that the kernel gives for 0 lie in
the range of outgoing connections: while such a server is down, a client that tries again and again can be given that
very port as its own, connects to itself, and then holds it. So a port is taken from below that range.
"""

import random
import socket
from pathlib import Path

import psutil

HOST = "127.0.0.1"
LOWEST = 15_000
TRIES = 200
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_chooser = random.SystemRandom()
_given: set[int] = set()


def _highest() -> int:
    """The last port below the kernel's range of outgoing connections (32768 upwards where it cannot be read)."""
    try:
        first = int(_EPHEMERAL.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        first = 32_768
    return first - 1 if first > LOWEST + 1_000 else 65_535


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens, never given twice by this process.

    Chosen by the system's random source, not by the seeded one: two sessions with one seed must not meet.
    Raises ``OSError`` after ``TRIES`` taken ports.
    """
    for _ in range(TRIES):
        port = _chooser.randint(LOWEST, _highest())
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise OSError(f"no free port in {TRIES} tries between {LOWEST} and {_highest()}")


def accepts(port: int) -> bool:
    """Whether something answers on the port of 127.0.0.1."""
    try:
        with socket.create_connection((HOST, port), timeout=0.5):
            return True
    except OSError:
        return False


def listens(pid: int, port: int) -> bool:
    """Whether the process ``pid`` or one of its children listens on the TCP port."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return False
    for member in family:
        try:
            connections = member.net_connections(kind="tcp")
        except psutil.Error:
            continue
        if any(c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port for c in connections):
            return True
    return False
