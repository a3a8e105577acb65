from ipaddress import IPv6Address

import pytest

from orchestrator.net.link import MacAddress
from orchestrator.packet import ndp
from orchestrator.packet.ethernet import FrameError
from orchestrator.packet.ndp import Advertisement, Flag, Solicitation

MAC = MacAddress.parse("02:00:00:00:00:01")
OTHER = MacAddress.parse("02:00:00:00:00:02")
ASKER = IPv6Address("fe80::1")
TARGET = IPv6Address("2001:db8::12:3456")

# Caught on a veth: the kernel (Linux 6.18) of fe80::1 asks for 2001:db8::12:3456.
SOLICITED = bytes.fromhex(
    "3333ff123456 020000000001 86dd 60000000 0020 3aff"
    "fe800000000000000000000000000001 ff0200000000000000000001ff123456"
    "8700e292 00000000 20010db8000000000000000000123456 0101020000000001"
)


def asked(**changes: object) -> bytes:
    """A solicitation as above, from the codec."""
    fields: dict[str, object] = {
        "source": ASKER,
        "destination": IPv6Address("ff02::1:ff12:3456"),
        "target": TARGET,
        "source_mac": MAC,
    }
    return ndp.frame(Solicitation(**{**fields, **changes}), MAC, MacAddress.parse("33:33:ff:12:34:56"))  # type: ignore[arg-type]  # the fields' types differ


def patched(frame: bytes, at: int, octets: bytes) -> bytes:
    return frame[:at] + octets + frame[at + len(octets) :]


def sealed(frame: bytes) -> bytes:
    """The frame with its checksum made right."""
    body = frame[54:56] + b"\0\0" + frame[58:]
    return patched(frame, 56, ndp.checksum(int.from_bytes(frame[22:54] + body) + len(body) + 58))


def told(destination: str, flags: Flag) -> bytes:
    return ndp.frame(
        Advertisement(source=TARGET, destination=IPv6Address(destination), target=TARGET, flags=flags, target_mac=MAC),
        MAC,
        OTHER,
    )


def test_solicitation_is_the_kernels() -> None:
    assert asked() == SOLICITED


def test_probe_has_no_source_and_no_option() -> None:
    frame = ndp.probe(MAC, TARGET)
    assert ndp.decode_frame(frame) == Solicitation(
        source=IPv6Address("::"), destination=IPv6Address("ff02::1:ff12:3456"), target=TARGET
    )
    assert (len(frame), frame[:6].hex(":")) == (78, "33:33:ff:12:34:56")


def test_announcement_overrides_at_all_nodes() -> None:
    frame = ndp.announcement(MAC, ASKER, TARGET)
    assert ndp.decode_frame(frame) == Advertisement(
        source=ASKER, destination=IPv6Address("ff02::1"), target=TARGET, flags=Flag.OVERRIDE, target_mac=MAC
    )
    assert frame[:6].hex(":") == "33:33:00:00:00:01"


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (b"", FrameError.TRUNCATED),
        (asked()[:77], FrameError.TRUNCATED),
        (asked()[:85], FrameError.TRUNCATED),
        (patched(asked(), 12, b"\x08\x00"), FrameError.OTHER_TYPE),
        (patched(asked(), 14, b"\x40"), FrameError.OTHER_TYPE),
        (patched(asked(), 20, b"\x00"), FrameError.OTHER_TYPE),
        (patched(asked(), 21, b"\xfe"), FrameError.HOP_LIMIT),
        (patched(asked(), 54, b"\x86"), FrameError.OTHER_OPERATION),
        (sealed(patched(asked(), 55, b"\x01")), FrameError.OTHER_OPERATION),
        (patched(asked(), 56, b"\x00\x00"), FrameError.CHECKSUM),
        (sealed(patched(asked(), 79, b"\x00")), FrameError.OPTION),
        (sealed(patched(asked(), 79, b"\x02")), FrameError.OPTION),
        (asked(source_mac=MacAddress.parse("33:33:00:00:00:01")), FrameError.OPTION),
        (asked(source=IPv6Address("::")), FrameError.OPTION),
        (asked(source=IPv6Address("::"), source_mac=None, destination=TARGET), FrameError.ADDRESS),
        (asked(source=IPv6Address("ff02::1")), FrameError.ADDRESS),
        (asked(target=IPv6Address("ff02::1")), FrameError.ADDRESS),
        (told("ff02::1", Flag.SOLICITED), FrameError.ADDRESS),
    ],
)
def test_invalid_message_is_an_error(frame: bytes, error: FrameError) -> None:
    """RFC 4861 §7.1.1 and §7.1.2."""
    assert ndp.decode_frame(frame) is error


def test_first_of_repeated_options_counts() -> None:
    frame = asked()
    frame = sealed(patched(frame, 18, (40).to_bytes(2)) + ndp.link_option(ndp.SOURCE_LINK_OPTION, OTHER))
    assert ndp.decode_frame(frame) == ndp.decode_frame(SOLICITED)


def test_checksum_of_nothing_left_over_is_ones() -> None:
    assert ndp.checksum(0xFFFF) == b"\xff\xff"
    assert ndp.checksum(1) == b"\xff\xfe"
