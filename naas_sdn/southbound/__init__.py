"""OpenFlow: listener, framing guard, codec, switches. The only package that talks os-ken."""
