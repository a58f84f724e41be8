#!/bin/sh
# What dhclient -6 calls: the address to eth0, and all that it was told to @LEASE@.
case "$reason" in
PREINIT6|STOP6|RELEASE6) exit 0 ;;
BOUND6|RENEW6|REBIND6)
    [ -z "$new_ip6_address" ] || ip -6 addr replace "$new_ip6_address/128" dev eth0 \
        valid_lft "$new_max_life" preferred_lft "$new_preferred_life" ;;
EXPIRE6|DEPREF6) [ -z "$old_ip6_address" ] || ip -6 addr del "$old_ip6_address/128" dev eth0 ;;
esac
env | grep -E '^(new_|reason=)' > "@LEASE@.new"
mv "@LEASE@.new" "@LEASE@"
