"""Asking a port whether it speaks TLS: a server that wants it just hangs up on those who do not."""

from __future__ import annotations

import socket
import ssl
from typing import Final

SECONDS: Final = 2.0


def speaks_tls(host: str, port: int) -> bool | None:
    """Whether a TLS handshake succeeds there; None where nobody can be asked.

    Nothing is verified and nothing is sent: it only tells what an error means.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        connection = socket.create_connection((host, port), timeout=SECONDS)
    except OSError:
        return None
    with connection:
        try:
            context.wrap_socket(connection, server_hostname=host).close()
        except TimeoutError:
            return None
        except OSError:  # ssl.SSLError is one
            return False
    return True
