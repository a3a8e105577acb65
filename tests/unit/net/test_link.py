import pytest

from orchestrator.errors import InvalidConfig
from orchestrator.net.link import BROADCAST, MacAddress


def test_text_form_reads_back() -> None:
    address = MacAddress(b"\x02\x00\x5e\x10\xff\x01")
    assert str(address) == "02:00:5e:10:ff:01"
    assert MacAddress.parse(str(address)) == address
    assert MacAddress.parse("FF:FF:FF:FF:FF:FF") == BROADCAST


@pytest.mark.parametrize("text", ["", "02:00:5e:10:ff", "02:00:5e:10:ff:01:02", "zz:00:5e:10:ff:01"])
def test_text_that_is_no_mac_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig):
        MacAddress.parse(text)


def test_order_is_that_of_the_octets() -> None:
    assert MacAddress.parse("02:00:00:00:00:01") < MacAddress.parse("02:00:00:00:00:0a") < BROADCAST
