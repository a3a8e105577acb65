"""Values of the link layer."""

from dataclasses import dataclass

from orchestrator.errors import InvalidConfig

InterfaceName = str
"""At most 15 octets, no slash, no white space (Linux IFNAMSIZ)."""


@dataclass(frozen=True, slots=True, order=True)
class MacAddress:
    """A 48-bit Ethernet address."""

    octets: bytes

    def __post_init__(self) -> None:
        if len(self.octets) != 6:
            raise InvalidConfig(f"a MAC address has 6 octets, not {len(self.octets)}")

    def __str__(self) -> str:
        return self.octets.hex(":")

    @classmethod
    def parse(cls, text: str) -> "MacAddress":
        """Return the address written as `aa:bb:cc:dd:ee:ff`. Raises InvalidConfig."""
        try:
            octets = bytes.fromhex(text.replace(":", ""))
        except ValueError:
            raise InvalidConfig(f'"{text}" is not a MAC address') from None
        return cls(octets)


BROADCAST = MacAddress(b"\xff" * 6)
