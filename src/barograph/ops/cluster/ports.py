"""Ports for the members of a new set."""

from __future__ import annotations

import socket
from typing import Final

from barograph.config import cluster_port
from barograph.errors import ClusterError, UsageError
from barograph.ops.cluster.folder import HOST

LAST_PORT: Final = 65_535


def free_ports(count: int, first: int | None) -> tuple[int, ...]:
    """The ports of a new set."""
    if first is not None and not is_free(first):
        raise ClusterError(
            f"port {first} is taken by another program",
            hint=f"`ss -ltnp 'sport = :{first}'` shows which; choose another with --port, or leave it out",
        )
    ports = [next_free(cluster_port()) if first is None else first]
    while len(ports) < count:
        ports.append(next_free(ports[-1] + 1))
    return tuple(ports)


def next_free(port: int) -> int:
    """The first free port from this one on."""
    found = next((port for port in range(port, LAST_PORT + 1) if is_free(port)), None)
    if found is None:
        raise ClusterError(f"no port from {port} on is free", hint="choose a lower one with --port")
    return found


def is_free(port: int) -> bool:
    """Whether a server could listen on the port of this machine."""
    with socket.socket() as probe:
        # As servers do: connections that have just ended do not keep it.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError as error:
            raise UsageError(f"port {port} is the system's", hint="take one from 1024 on") from error
        except OSError:
            return False
    return True
