"""Somebody who can reach the OpenFlow port and is no switch."""
from __future__ import annotations

import socket

from naas_sdn.southbound.app import Southbound


def attack(south: Southbound) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", south.port))
    sock.settimeout(5)
    return sock


def is_closed(sock: socket.socket) -> bool:
    """The controller ended it, after whatever it had to say."""
    try:
        while sock.recv(4096):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True
