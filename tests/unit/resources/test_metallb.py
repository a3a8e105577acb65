"""Defaults and limits of the schemas (contract 01)."""

import msgspec
import pytest

from orchestrator.resources import metallb
from orchestrator.resources.fields import decode_secret
from orchestrator.resources.meta import KubeStruct


def test_defaults_are_those_of_the_schemas() -> None:
    pool = metallb.IPAddressPoolSpec(addresses=())
    assert (pool.auto_assign, pool.avoid_buggy_ips) == (True, False)
    advertisement = metallb.BGPAdvertisementSpec()
    assert (advertisement.aggregation_length, advertisement.aggregation_length_v6) == (32, 128)
    peer = metallb.BGPPeerSpec(my_asn=1)
    assert (peer.peer_port, peer.disable_mp, peer.dual_stack_address_family) == (179, False, False)
    assert metallb.BFDProfileSpec().receive_interval is None


@pytest.mark.parametrize(
    ("struct", "field", "limits"),
    [
        (metallb.BGPPeerSpec, "myASN", (0, 4294967295)),
        (metallb.BGPPeerSpec, "localASN", (1, 4294967295)),
        (metallb.BGPPeerSpec, "peerPort", (1, 16384)),
        (metallb.BFDProfileSpec, "receiveInterval", (10, 60000)),
        (metallb.BFDProfileSpec, "transmitInterval", (10, 60000)),
        (metallb.BFDProfileSpec, "echoInterval", (10, 60000)),
        (metallb.BFDProfileSpec, "detectMultiplier", (2, 255)),
        (metallb.BFDProfileSpec, "minimumTtl", (1, 254)),
    ],
)
def test_limits_are_those_of_the_schemas(struct: type[KubeStruct], field: str, limits: tuple[int, int]) -> None:
    low, high = limits
    required = {"myASN": 1} if struct is metallb.BGPPeerSpec else {}
    for value in limits:
        msgspec.convert({**required, field: value}, struct, dec_hook=decode_secret)
    for value in (low - 1, high + 1):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({**required, field: value}, struct, dec_hook=decode_secret)


@pytest.mark.parametrize(
    ("struct", "field"),
    [
        (metallb.IPAddressPoolSpec, "avoidBuggyIPs"),
        (metallb.L2AdvertisementSpec, "ipAddressPoolSelectors"),
        (metallb.BGPAdvertisementSpec, "aggregationLengthV6"),
        (metallb.BGPPeerSpec, "routerID"),
        (metallb.BGPPeerSpec, "ebgpMultiHop"),
        (metallb.BGPPeerSpec, "disableMP"),
        (metallb.BFDProfileSpec, "minimumTtl"),
        (metallb.IPAddressPoolStatus, "assignedIPv4"),
    ],
)
def test_fields_keep_the_schemas_spelling(struct: type[KubeStruct], field: str) -> None:
    assert field in struct.__struct_encode_fields__
