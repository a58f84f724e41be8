"""The one loop: journal, compile, diff, push, acknowledge."""
