import msgspec
import pytest

from orchestrator.resources import core, metallb
from orchestrator.resources.fields import decode_secret, join, type_faults, unknown_fields, without_nulls

METADATA: dict[str, object] = {"name": "x"}


def test_nulls_are_left_out_at_every_depth_but_in_lists() -> None:
    assert without_nulls({"a": None, "b": {"c": None, "d": [None, {"e": None}]}}) == {"b": {"d": [None, {}]}}


def test_unknown_fields_are_found_in_structs_and_lists_of_structs() -> None:
    raw = {
        "metadata": {"anything": 1},
        "spec": {"ports": [{"port": 1}, {"prot": "TCP", "qqqqq": 1}], "zzz": 1},
        "xyz": 1,
    }
    found = {fault.field: fault.message for fault in unknown_fields(raw, core.Service)}
    assert found.keys() == {"spec.ports[1].prot", "spec.ports[1].qqqqq", "spec.zzz", "xyz"}
    assert found["spec.ports[1].prot"] == 'unknown field; did you mean "port"?'
    assert "known here: name, nodePort, port, protocol, targetPort" in found["spec.ports[1].qqqqq"]


def test_fields_that_kubernetes_has_and_we_do_not_read_are_known() -> None:
    raw = {"spec": {"sessionAffinity": "None", "ports": [{"appProtocol": "http"}]}, "metadata": {"ownerReferences": []}}
    assert list(unknown_fields(raw, core.Service)) == []


def test_keys_of_maps_are_no_fields() -> None:
    assert list(unknown_fields({"metadata": {"labels": {"any": "x"}}, "data": {"any": "x"}}, core.ConfigMap)) == []


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        (7, "spec", 'expected a mapping, found a number; write its fields below it as "name: value"'),
        ({}, "spec.addresses", "is required; add it"),
        ({"addresses": "a"}, "spec.addresses", 'expected a list, found text; start each entry with "- "'),
        ({"addresses": [1.5]}, "spec.addresses[0]", "expected text, found the number 1.5; put it in quotes"),
        ({"addresses": [True]}, "spec.addresses[0]", "expected text, found the boolean true; put it in quotes"),
        ({"addresses": [None]}, "spec.addresses[0]", "expected text, found nothing; put it in quotes"),
        (
            {"addresses": [], "autoAssign": "no"},
            "spec.autoAssign",
            'expected true or false, found the text "no"; write true or false without quotes',
        ),
        (
            {"addresses": [], "serviceAllocation": {"priority": "x"}},
            "spec.serviceAllocation.priority",
            'expected a whole number, found the text "x"; write a whole number',
        ),
        (
            {"addresses": [], "serviceAllocation": {"namespaceSelectors": [{"matchLabels": {"a": 1}}]}},
            "spec.serviceAllocation.namespaceSelectors[0].matchLabels[a]",
            "expected text, found the number 1; put it in quotes",
        ),
        (
            {"addresses": [], "serviceAllocation": {"namespaceSelectors": [{"matchLabels": []}]}},
            "spec.serviceAllocation.namespaceSelectors[0].matchLabels",
            'expected a mapping, found a list; write its entries below it as "name: value"',
        ),
    ],
)
def test_wrong_value_is_named_with_its_remedy(spec: object, field: str, message: str) -> None:
    (fault,) = type_faults({"metadata": METADATA, "spec": spec}, metallb.IPAddressPool)
    assert (fault.field, fault.message) == (field, message)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (0, "0 is too small; write a number from 1 to 100"),
        (101, "101 is too large; write a number from 1 to 100"),
        (True, "expected a whole number, found the boolean true; write a whole number"),
    ],
)
def test_number_outside_its_limits_is_named_with_them(weight: object, message: str) -> None:
    spec = {"preferredNodeSelectors": [{"weight": weight, "preference": {}}]}
    (fault,) = type_faults({"metadata": METADATA, "spec": spec}, metallb.L2Advertisement)
    assert fault.message == message


def test_limit_without_an_upper_end() -> None:
    (fault,) = type_faults({"metadata": METADATA, "spec": {"aggregationLength": 0}}, metallb.BGPAdvertisement)
    assert fault.message == "0 is too small; write a number of at least 1"


def test_target_port_is_a_number_or_a_name() -> None:
    ports = [{"port": 1, "targetPort": part} for part in (80, "http", 1.5, True)]
    faults = type_faults({"metadata": METADATA, "spec": {"ports": ports}}, core.Service)
    assert [fault.field for fault in faults] == ["spec.ports[2].targetPort", "spec.ports[3].targetPort"]


def test_value_of_a_password_is_never_shown() -> None:
    faults = type_faults({"metadata": METADATA, "data": {"password": 1234, "other": ["x"]}}, core.Secret)
    assert [fault.message for fault in faults] == [
        "expected text, found a number; put it in quotes",
        "expected text, found a list; put it in quotes",
    ]


def test_hook_opens_nothing_but_text() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"metadata": METADATA, "data": {"a": 1}}, core.Secret, dec_hook=decode_secret)


def test_join_starts_at_the_root() -> None:
    assert join("", "spec") == "spec"
    assert join("spec", "ports") == "spec.ports"
