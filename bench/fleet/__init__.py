"""Simulated switches by the hundred, true to the protocol and to Open vSwitch's semantics of a flow table."""
