"""Mutated messages by the million, at everything that reads what peers, guests and clients send."""
from naas_sdn import runtime

# Before anything imports os-ken or opens a socket.
runtime.start()
