"""Facts to flows, and answers to packets: pure functions, one module a concern."""
