"""What machines are told of their addresses by other ways than DHCP: values to documents, drives and files."""
