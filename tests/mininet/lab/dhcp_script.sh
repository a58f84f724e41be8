#!/bin/sh
# What a DHCP client (udhcpc or dhclient) calls with its lease: sets up the card and notes the lease, and leaves
# the machine's resolv.conf alone, for all labs share it.
case "${1:-$reason}" in
deconfig | PREINIT)
    ip link set "$interface" up
    ;;
bound | renew | BOUND | RENEW | REBIND | REBOOT)
    address=${ip:-$new_ip_address}
    mask=${subnet:-$new_subnet_mask}
    gateways=${router:-$new_routers}
    size=${mtu:-$new_interface_mtu}
    ip addr replace "$address/$mask" dev "$interface"
    [ -z "$size" ] || ip link set "$interface" mtu "$size"
    for gateway in $gateways; do
        ip route replace default via "$gateway" dev "$interface"
        break
    done
    # udhcpc: "10.0.0.0/8 192.0.2.1 ..."
    set -- $staticroutes
    while [ $# -ge 2 ]; do
        [ "$2" = 0.0.0.0 ] && via="" || via="via $2"
        ip route replace "$1" $via dev "$interface"
        shift 2
    done
    env | grep -vE '^(PATH|PWD|SHLVL|_|HOME|LC_ALL)=' > "@LEASE@"
    ;;
esac
exit 0
