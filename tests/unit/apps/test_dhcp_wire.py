"""DHCP messages read and written."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from os_ken.lib.packet import dhcp

from naas_sdn.apps.dhcp_wire import Message, Op, Option, Type, build, encoded, parse

words = st.integers(0, (1 << 32) - 1)
OURS = {int(option) for option in Option}
messages = st.builds(
    Message, st.sampled_from(Op), st.sampled_from(Type), words, st.integers(0, (1 << 48) - 1), st.booleans(),
    words, words, words,
    st.dictionaries(st.integers(1, 254).filter(lambda code: code not in OURS), st.binary(max_size=700),
                    max_size=4),
)
DISCOVER = build(Message(Op.REQUEST, Type.DISCOVER, 7, 0x020000000001))


def with_options(*options: bytes, head: bytes = DISCOVER[:240]) -> bytes:
    return head + b"".join(options)


@given(messages)
def test_what_is_built_is_parsed_alike(message):
    assert parse(build(message)) == message


@given(messages, st.data())
def test_every_cut_before_the_end_mark_is_refused(message, data):
    whole = build(message)
    end = len(whole.rstrip(b"\0"))
    assert parse(whole[:data.draw(st.integers(0, end - 1))]) is None
    assert parse(whole[:end]) == message


@given(st.binary(max_size=80), st.binary(max_size=40))
def test_noise_raises_nothing(options, head):
    parse(head)
    parse(with_options(options))
    parse(head + DISCOVER[len(head):])


def test_os_ken_reads_what_we_build():
    built = build(Message(Op.REPLY, Type.OFFER, 0x01020304, 0x020000000001, True, yiaddr=0x0A000007,
                          options={Option.SUBNET_MASK: bytes((255, 255, 255, 0))}))
    theirs, _, _ = dhcp.dhcp.parser(built)
    assert (theirs.op, theirs.xid, theirs.flags, theirs.yiaddr) == (2, 0x01020304, 0x8000, "10.0.0.7")
    assert theirs.chaddr == "02:00:00:00:00:01"
    options = [(option.tag, option.value) for option in theirs.options.option_list]
    assert options[:2] == [(53, b"\2"), (1, bytes((255, 255, 255, 0)))]


def test_a_message_is_never_shorter_than_bootp_takes():
    assert len(DISCOVER) == 300


def test_long_values_travel_in_parts():
    value = bytes(range(256)) * 2
    parts = encoded(121, value)
    assert parts[:2] == bytes((121, 255))
    assert parts[257:259] == bytes((121, 255))
    assert parts[514:516] == bytes((121, 2))
    message = parse(with_options(b"\x35\1\1", parts[:257], b"\x0c\2vm", parts[257:], b"\xff"))
    assert message is not None
    assert message.options == {121: value, 12: b"vm"}


@pytest.mark.parametrize(("overload", "value"), [
    (b"", b"a"), (b"\x34\1\1", b"ab"), (b"\x34\1\2", b"ac"), (b"\x34\1\3", b"abc"),
])
def test_options_may_go_on_in_file_and_then_in_sname(overload, value):
    sname = encoded(77, b"c") + b"\xff"
    file = encoded(77, b"b") + b"\xff"
    head = DISCOVER[:44] + sname.ljust(64, b"\0") + file.ljust(128, b"\0") + DISCOVER[236:240]
    message = parse(with_options(b"\x35\1\1", encoded(77, b"a"), overload, b"\xff", head=head))
    assert message is not None and message.options[77] == value


@pytest.mark.parametrize(("what", "data"), [
    ("no message type", with_options(b"\xff")),
    ("type 0", with_options(b"\x35\1\0\xff")),
    ("type 9", with_options(b"\x35\1\x09\xff")),
    ("type of two bytes", with_options(b"\x35\2\1\1\xff")),
    ("type twice", with_options(b"\x35\1\1\x35\1\1\xff")),
    ("option overruns", with_options(b"\x35\1\1\x0c\x05abc\xff")),
    ("option without length", with_options(b"\x35\1\1\x0c")),
    ("no end", with_options(b"\x35\1\1\0\0\0")),
    ("requested address of three bytes", with_options(b"\x35\1\1\x32\3\1\2\3\xff")),
    ("server identifier of five bytes", with_options(b"\x35\1\3\x36\5\1\2\3\4\5\xff")),
    ("client identifier of one byte", with_options(b"\x35\1\1\x3d\1\1\xff")),
    ("client identifier too long", with_options(b"\x35\1\1", encoded(61, bytes(256)), b"\xff")),
    ("empty parameter list", with_options(b"\x35\1\1\x37\0\xff")),
    ("overload of nothing", with_options(b"\x35\1\1\x34\1\0\xff")),
    ("overloaded file without end", with_options(b"\x35\1\1\x34\1\1\xff")),
    ("op 3", b"\3" + DISCOVER[1:]),
    ("token ring", DISCOVER[:1] + b"\6" + DISCOVER[2:]),
    ("address of 16 bytes", DISCOVER[:2] + b"\x10" + DISCOVER[3:]),
    ("no cookie", DISCOVER[:236] + bytes(4) + DISCOVER[240:]),
])
def test_malformed_messages_are_refused(what, data):
    assert parse(data) is None, what
