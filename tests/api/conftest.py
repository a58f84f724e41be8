"""The hub first: the standard library must be patched before anything else is imported."""
from naas_sdn import runtime

runtime.start()
