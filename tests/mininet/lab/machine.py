"""What a machine can do in its network namespace: addresses, DHCP, ping, iperf3, captures, raw frames."""
from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.support.openvswitch import PATH, CommandFailed, end, run

IN_FLIGHT = 0.5
"""Seconds that the last packets of a flow have to arrive."""

DHCP_SCRIPT = Path(__file__).with_name("dhcp_script.sh")
SEND = """
import socket, sys
card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
card.bind(("eth0", 0))
for line in sys.stdin:
    card.send(bytes.fromhex(line))
"""
SEND_UDP = """
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.bind((sys.argv[3], 0))
for line in sys.stdin:
    sender.sendto(bytes.fromhex(line), (sys.argv[1], int(sys.argv[2])))
"""
LISTEN = """
import socket, sys
heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
heard.bind(("", int(sys.argv[1])))
"""


@dataclass(frozen=True, slots=True)
class Pings:
    """`rtt` is the round trip's average in milliseconds, None when nothing came back."""

    sent: int
    received: int
    rtt: float | None = None

    @property
    def lost(self) -> int:
        return self.sent - self.received


@dataclass(frozen=True, slots=True)
class Lease:
    """What a DHCP client was told: options by the client's own names, as its script got them."""

    ip: str
    options: dict[str, str]


class Capture:
    """Lines of tcpdump, which prints to `output`; `lines` is complete when the capture is closed."""

    def __init__(self, output: IO[str]) -> None:
        self._output = output
        self.lines: list[str] = []

    def so_far(self, pattern: str) -> list[str]:
        """The lines that match, while it runs."""
        return [line for line in _packets(self._output) if re.search(pattern, line)]

    def close(self) -> None:
        self.lines = _packets(self._output)

    def matching(self, pattern: str) -> list[str]:
        return [line for line in self.lines if re.search(pattern, line)]


class Machine:
    """`pid` is a process in the machine's namespaces, `directory` where its clients keep their files."""

    def __init__(self, pid: int, directory: Path) -> None:
        self.pid = pid
        self.directory = directory
        self.ip = ""
        self.mac = ""
        self._children: list[subprocess.Popen[str]] = []

    # -- processes

    def inside(self, *command: str, text: str | None = None, seconds: float = 30) -> str:
        """Raises CommandFailed."""
        return run(list(command), pid=self.pid, text=text, seconds=seconds)

    def spawn(self, *command: str, output: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start a command in the machine; it is ended with the machine at the latest."""
        process = subprocess.Popen(
            ["mnexec", "-a", str(self.pid), *command], text=True, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True, env={"PATH": PATH, "LC_ALL": "C"})
        self._children.append(process)
        return process

    def finish(self, process: subprocess.Popen[str], seconds: float = 5) -> str:
        """End a spawned command by SIGTERM and return what it printed; SIGKILL after `seconds`."""
        process.terminate()
        try:
            printed, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            printed, _ = process.communicate()
        self._children.remove(process)
        return printed or ""

    def end_children(self) -> None:
        for process in list(self._children):
            self.finish(process)
        for file in self.directory.glob("*.pid"):
            end(int(file.read_text()))

    # -- addresses

    def static(self, ip: str, prefix: int, gateway: str | None = None) -> None:
        """Give eth0 this address only."""
        self.inside("ip", "addr", "flush", "dev", "eth0")
        self.inside("ip", "addr", "add", f"{ip}/{prefix}", "dev", "eth0")
        if gateway:
            self.inside("ip", "route", "replace", "default", "via", gateway)
        self.ip = ip

    def addresses(self) -> list[str]:
        """IPv4 addresses with prefix length on eth0."""
        [card] = json.loads(self.inside("ip", "-j", "-4", "addr", "show", "dev", "eth0")) or [{"addr_info": []}]
        return [f"{info['local']}/{info['prefixlen']}" for info in card["addr_info"]]

    def start_ipv6(self) -> None:
        """By the kernel alone: duplicate address detection, router solicitations, and what is advertised to it."""
        settings = ("accept_ra=1", "autoconf=1", "addr_gen_mode=0", "disable_ipv6=0")
        self.inside("sysctl", "-qw", *(f"net.ipv6.conf.eth0.{setting}" for setting in settings))

    def addresses6(self) -> dict[str, set[str]]:
        """Global IPv6 addresses with prefix length on eth0, each with its states ("deprecated", "tentative", ...)."""
        cards = json.loads(self.inside("ip", "-j", "-6", "addr", "show", "dev", "eth0", "scope", "global"))
        return {f"{info['local']}/{info['prefixlen']}": {state for state, yes in info.items() if yes is True}
                for card in cards for info in card.get("addr_info", ()) if "local" in info}

    def routes6(self) -> dict[str, str]:
        """Destination -> gateway of IPv6, of the routes that have one."""
        found: list[dict[str, Any]] = json.loads(self.inside("ip", "-j", "-6", "route"))
        return {route["dst"]: route["gateway"] for route in found if "gateway" in route}

    def routes(self) -> dict[str, str]:
        """Destination -> gateway, of the routes that have one."""
        found: list[dict[str, Any]] = json.loads(self.inside("ip", "-j", "route"))
        return {route["dst"]: route["gateway"] for route in found if "gateway" in route}

    def neighbour(self, ip: str) -> str:
        """The MAC that ARP found for `ip`, empty when none."""
        found: list[dict[str, Any]] = json.loads(self.inside("ip", "-j", "neigh", "show", ip, "dev", "eth0"))
        return str(found[0].get("lladdr", "")) if found else ""

    def mtu(self) -> int:
        [card] = json.loads(self.inside("ip", "-j", "link", "show", "dev", "eth0"))
        return int(card["mtu"])

    # -- DHCP

    def dhcp(self, client: str = "udhcpc", *options: str) -> Lease:
        """Get a lease with `client` (udhcpc or dhclient), which stays to renew it. Raises CommandFailed."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.end_dhcp()
        self.inside("ip", "addr", "flush", "dev", "eth0")
        lease, pid = self.directory / "lease", self.directory / f"{client}.pid"
        lease.unlink(missing_ok=True)
        script = self.directory / "script"
        script.write_text(DHCP_SCRIPT.read_text().replace("@LEASE@", str(lease)))
        script.chmod(0o755)
        if client == "udhcpc":
            command = ["udhcpc", "-i", "eth0", "-s", str(script), "-p", str(pid), "-n", "-t", "8", "-T", "1",
                       "-O", "staticroutes", "-O", "mtu", "-O", "dns", *options]
        else:
            settings = self.directory / "dhclient.conf"
            settings.write_text(
                "option classless-routes code 121 = array of unsigned integer 8;\ntimeout 15;\nretry 1;\n"
                "initial-interval 1;\nrequest subnet-mask, broadcast-address, routers, domain-name, "
                "domain-name-servers, interface-mtu, classless-routes, dhcp-server-identifier;\n")
            command = ["dhclient", "-4", "-1", "-cf", str(settings), "-sf", str(script), "-pf", str(pid),
                       "-lf", str(self.directory / "leases"), *options, "eth0"]
            (self.directory / "leases").touch()
        self.inside(*command, seconds=40)
        self.ip = self.lease().ip
        return self.lease()

    def dhcp6(self, *options: str) -> Lease:
        """Ask for an address (or with "-S" for information only) with dhclient -6. Raises CommandFailed."""
        self.directory.mkdir(parents=True, exist_ok=True)
        lease, pid = self.directory / "lease6", self.directory / "dhclient6.pid"
        if pid.exists():
            end(int(pid.read_text()))
        lease.unlink(missing_ok=True)
        script = self.directory / "script6"
        script.write_text(DHCP_SCRIPT.with_name("dhcp6_script.sh").read_text().replace("@LEASE@", str(lease)))
        script.chmod(0o755)
        (self.directory / "leases6").write_text("")
        # dhclient does not wait for duplicate address detection of its link-local one.
        deadline = time.monotonic() + 5
        while "tentative" in self.inside("ip", "-6", "addr", "show", "dev", "eth0", "scope", "link"):
            if time.monotonic() > deadline:
                raise CommandFailed("the link-local address of eth0 is still tentative")
            time.sleep(0.05)
        self.inside("dhclient", "-6", "-1", *options, "-sf", str(script), "-pf", str(pid), "-lf",
                    str(self.directory / "leases6"), "eth0", seconds=40)
        pairs = (line.split("=", 1) for line in lease.read_text().splitlines() if "=" in line)
        told = {name.lower().removeprefix("new_"): value for name, value in pairs}
        return Lease(told.get("ip6_address", ""), told)

    def lease(self) -> Lease:
        """The latest lease."""
        pairs = (line.split("=", 1) for line in (self.directory / "lease").read_text().splitlines() if "=" in line)
        options = {name.lower().removeprefix("new_"): value for name, value in pairs}
        return Lease(options.get("ip_address") or options["ip"], options)

    def end_dhcp(self) -> None:
        """End the DHCP client without releasing its lease."""
        for file in self.directory.glob("*.pid"):
            end(int(file.read_text()))
            file.unlink(missing_ok=True)

    # -- traffic

    def ping(self, address: str, count: int = 3, interval: float = 0.05, *options: str) -> Pings:
        """Wait a second at most for the last answer."""
        command = ["ping", "-n", "-q", "-c", str(count), "-i", str(interval), "-W", "1", *options, address]
        done = subprocess.run(["mnexec", "-a", str(self.pid), *command], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=count * (interval + 1) + 20)
        return read_pings(done.stdout + done.stderr)

    def reaches(self, address: str, seconds: float = 10) -> bool:
        """True as soon as one echo comes back."""
        deadline = time.monotonic() + seconds
        while not self.ping(address, 1).received:
            if time.monotonic() > deadline:
                return False
        return True

    def hears_nothing_from(self, address: str, *options: str) -> bool:
        """True if no echo of several comes back."""
        return self.ping(address, 4, 0.1, *options).received == 0

    @contextmanager
    def pinging(self, address: str, interval: float = 0.01) -> Iterator[list[Pings]]:
        """Ping all the time; the list holds the one result on leaving."""
        process = self.spawn("ping", "-n", "-i", str(interval), address)
        results: list[Pings] = []
        try:
            yield results
        finally:
            time.sleep(IN_FLIGHT)
            process.send_signal(2)
            printed, _ = process.communicate(timeout=10)
            self._children.remove(process)
        # ping takes for lost what is in flight at its end: of the last ones only those count that came back.
        last = read_pings(printed).sent - math.ceil(IN_FLIGHT / interval)
        answered = {int(number) for number in re.findall(r"icmp_seq=(\d+) ttl=", printed)}
        results.append(Pings(max(last, 0), sum(number <= last for number in answered)))

    def traceroute(self, address: str) -> list[str]:
        """The hops' addresses, "*" for one that kept silent."""
        printed = self.inside("traceroute", "-n", "-q", "1", "-w", "1", "-m", "4", address)
        return [line.split()[1] for line in printed.splitlines()[1:]]

    def iperf(self, server: Machine, *, rate: str | None = None, seconds: int = 3, reverse: bool = False) -> float:
        """Mbit/s that arrived, over TCP, or over UDP offered at `rate` ("20M"); `reverse`: from the server."""
        listening = server.spawn("iperf3", "-s", "-1", "--forceflush")
        assert listening.stdout is not None
        while "listening" not in (line := listening.stdout.readline()):
            if not line:
                raise CommandFailed("iperf3 -s ended before it listened")
        # Datagrams that fit a tunnelled network's MTU.
        kind = ["-u", "-b", rate, "-l", "1200"] if rate else []
        try:
            printed = self.inside("iperf3", "-c", server.ip, "-t", str(seconds), "--json", *kind,
                                  *(["-R"] if reverse else []), seconds=seconds + 20)
        finally:
            server.finish(listening)
        total = json.loads(printed)["end"]
        if rate:
            return float(total["sum"]["bits_per_second"] * (1 - total["sum"]["lost_percent"] / 100) / 1e6)
        return float(total["sum_received"]["bits_per_second"]) / 1e6

    def send(self, frames: Sequence[bytes]) -> None:
        """Put whole Ethernet frames on eth0 as they are."""
        self.inside("python3", "-c", SEND, text="\n".join(frame.hex() for frame in frames))

    def send_udp(self, address: str, port: int, payloads: Sequence[bytes], source: str = "") -> None:
        """Datagrams from `source`, one of the machine's own addresses."""
        self.inside("python3", "-c", SEND_UDP, address, str(port), source,
                    text="\n".join(payload.hex() for payload in payloads))

    @contextmanager
    def listening(self, port: int) -> Iterator[None]:
        """Hold a UDP port open, so that what arrives there is not answered by an ICMP error."""
        process = self.spawn(sys.executable, "-c", LISTEN + "print('open', flush=True)\nimport time\ntime.sleep(600)",
                             str(port))
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            self.finish(process)

    @contextmanager
    def capture(self, expression: str = "") -> Iterator[Capture]:
        """What eth0 sees, one line a packet with its Ethernet header; read it after the block."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile("w+", dir=self.directory) as output:
            process = self.spawn("tcpdump", "-i", "eth0", "-n", "-e", "-l", "-p", "--immediate-mode", "-Z", "root",
                                 *([expression] if expression else []), output=output.fileno())
            capture = Capture(output)
            try:
                while "listening on" not in _content(output):
                    if process.poll() is not None:
                        raise CommandFailed(f"tcpdump {expression!r}: {_content(output)}")
                    time.sleep(0.01)
                yield capture
                time.sleep(0.3)
            finally:
                self.finish(process)
                capture.close()


def _packets(file: IO[str]) -> list[str]:
    return [line for line in _content(file).splitlines() if re.match(r"\d\d:\d\d:", line)]


def _content(file: IO[str]) -> str:
    """All of it, whoever wrote it."""
    return Path(f"/proc/self/fd/{file.fileno()}").read_text(errors="replace")


def read_pings(printed: str) -> Pings:
    """From ping's summary. Raises CommandFailed when there is none."""
    counts = re.search(r"(\d+) packets transmitted, (\d+)(?: packets)? received", printed)
    if not counts:
        # No route, no address: ping did not even send.
        raise CommandFailed(f"ping: {' '.join(printed.split())}")
    average = re.search(r"= [\d.]+/([\d.]+)/", printed)
    return Pings(int(counts[1]), int(counts[2]), float(average[1]) if average else None)
