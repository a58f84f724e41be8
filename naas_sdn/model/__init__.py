"""What the data plane must know, as frozen values."""
