"""What each API operation means: rules, allocation, sharing. Knows no HTTP and no OpenFlow."""
