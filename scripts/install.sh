#!/bin/bash
# Install what is missing, and only that: Debian packages, then a virtual environment in .venv.
# Needs root and Debian 12 (or a relative with apt-get and Python 3.11); run by `make install`.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH"
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV
export PYTHONNOUSERSITE=1

# ethtool, ping and the rest are no dependency of mininet's package, which uses them all the same; dnsmasq is what
# `make bench` compares with. From cloud-init on: what reads in machines what they are told, and bsdtar to unpack CD-ROMs.
PACKAGES="openvswitch-switch mininet ethtool net-tools iproute2 iputils-ping traceroute tcpdump iperf3
          udhcpc isc-dhcp-client dnsmasq-base openssl ca-certificates postgresql python3 python3-venv
          cloud-init netplan.io ifupdown network-manager libarchive-tools"

fail() { echo "install: $*" >&2; exit 1; }

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

[ "$(id -u)" = 0 ] || fail "must run as root: it makes network namespaces and installs packages"
command -v apt-get >/dev/null || fail "needs apt-get (Debian 12); elsewhere install by hand: $(echo $PACKAGES)"

missing=""
for package in $PACKAGES; do
    installed "$package" || missing="$missing $package"
done
if [ -n "$missing" ]; then
    echo "install: apt-get install$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt="apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0"
    $apt update </dev/null || fail "apt-get update failed (see above): is the network up?"
    # Tests start switches and databases of their own: the system's need not run, and switches cannot where the kernel
    # lacks its module. (invoke-rc.d starts nothing in runlevel 1.)
    RUNLEVEL=1 $apt install -y --no-install-recommends $missing </dev/null >/dev/null \
        || fail "apt-get install failed (see above)"
    # Only their readers are needed: at its next boot this machine must not take itself for a guest.
    case "$missing" in *" cloud-init"*) touch /etc/cloud/cloud-init.disabled;; esac
    case "$missing" in *" network-manager"*) systemctl --quiet disable NetworkManager 2>/dev/null || true;; esac
fi
command -v ovs-vswitchd >/dev/null || fail "ovs-vswitchd is missing although openvswitch-switch is installed"

# The system's interpreter, for Debian's mininet lives there; another python3 in PATH does not see it.
/usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
    || fail "/usr/bin/python3 is $(/usr/bin/python3 -V), but 3.11 or newer is needed"
if ! .venv/bin/python -c 'import mininet' 2>/dev/null; then
    echo "install: virtual environment .venv"
    /usr/bin/python3 -m venv --clear --system-site-packages .venv
fi
echo "install: Python packages into .venv"
.venv/bin/python -m pip install -q --disable-pip-version-check --no-input -e '.[test]' </dev/null \
    || fail "pip could not install the Python packages (see above)"
touch .venv/installed
