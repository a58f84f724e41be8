"""The data plane's vocabulary: tables, registers, flows, programs."""
