"""A fleet in a process of its own: `python -m bench.fleet PORT COUNT INTERFACES [FIRST]`.

Switches hv1, hv2, ... with interfaces vxlan0, if1, if2, ... Told a line, a command of fleet.py and its arguments
as a shell quotes them, it answers with a line of JSON.
"""
from __future__ import annotations

import asyncio
import json
import shlex
import sys
from ipaddress import IPv4Address

from bench.fleet.fleet import Fleet
from bench.fleet.switch import Switch


def vtep(number: int) -> str:
    return str(IPv4Address("10.200.0.0") + number)


async def run(port: int, count: int, interfaces: int, first: int) -> None:
    names = ["vxlan0", *(f"if{number}" for number in range(1, interfaces + 1))]
    fleet = Fleet(port, lambda committed: [Switch(number, f"hv{number}", vtep(number), names, committed)
                                           for number in range(first, first + count)])
    keeping = fleet.keep()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while words := shlex.split((await reader.readline()).decode()):
        print(json.dumps(fleet.commands[words[0]](*words[1:])), flush=True)
    for task in keeping:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(run(*map(int, (*sys.argv[1:4], *(sys.argv[4:] or ["1"])))))
