"""The definitions against the tables of contract 01, and against the files in deploy/crds."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.cli import crds
from orchestrator.resources.kinds import BY_NAME, FERRULE, METALLB
from orchestrator.resources.schema import DEFINED, definition, name_of
from tests.support.contract_crds import COLUMNS, FIELDS, rows_of_schema, rows_of_table

FOLDER = Path(__file__).parents[3] / "deploy" / "crds"
SINGULAR_AND_PLURAL = {
    "IPAddressPool": ("ipaddresspool", "ipaddresspools"),
    "L2Advertisement": ("l2advertisement", "l2advertisements"),
    "BGPAdvertisement": ("bgpadvertisement", "bgpadvertisements"),
    "BGPPeer": ("bgppeer", "bgppeers"),
    "BFDProfile": ("bfdprofile", "bfdprofiles"),
    "Community": ("community", "communities"),
    "ServiceL2Status": ("servicel2status", "servicel2statuses"),
    "ServiceBGPStatus": ("servicebgpstatus", "servicebgpstatuses"),
    "ConfigurationState": ("configurationstate", "configurationstates"),
}
OUR_COLUMNS = {
    "SpeakerState": ["Node", "Version", "Addresses", "Prefixes", "Draining", "Drain", "Age"],
    "Failover": ["Address", "To", "Avoid", "Age"],
    "AddressReservation": ["Addresses", "Service Namespace", "Service", "Accepted", "Age"],
    "AddressQuota": ["IPv4", "Used IPv4", "IPv6", "Used IPv6", "Accepted", "Age"],
}


def spec_of(kind: str) -> Any:
    return definition(BY_NAME[kind])["spec"]


def version_of(kind: str, name: str) -> Any:
    return next(version for version in spec_of(kind)["versions"] if version["name"] == name)


def column_rows(version: Any) -> list[str]:
    columns = version.get("additionalPrinterColumns", ())
    return [
        ", ".join(str(column[key]) for key in ("name", "type", "jsonPath", "priority") if key in column)
        for column in columns
    ]


def test_every_kind_of_the_contract_is_defined() -> None:
    served = {f"{kind.kind} {version}" for kind in DEFINED if kind.group == METALLB for version in kind.versions}
    assert served == set(FIELDS)
    assert {kind.kind for kind in DEFINED if kind.group == FERRULE} == set(OUR_COLUMNS)


@pytest.mark.parametrize("table", FIELDS)
def test_fields_are_those_of_the_contract(table: str) -> None:
    kind, version = table.split()
    assert rows_of_schema(version_of(kind, version)["schema"]["openAPIV3Schema"]) == rows_of_table(FIELDS[table])


@pytest.mark.parametrize("table", FIELDS)
def test_columns_are_those_of_the_contract(table: str) -> None:
    kind, version = table.split()
    expected = [line.strip() for line in COLUMNS[kind].strip().splitlines()]
    assert column_rows(version_of(kind, version)) == expected


@pytest.mark.parametrize("kind", OUR_COLUMNS)
def test_our_kinds_show_what_a_person_looks_for(kind: str) -> None:
    (version,) = spec_of(kind)["versions"]
    assert [column["name"] for column in version["additionalPrinterColumns"]] == OUR_COLUMNS[kind]
    assert version["schema"]["openAPIV3Schema"]["description"].startswith("Ferrule:")


@pytest.mark.parametrize("kind", SINGULAR_AND_PLURAL)
def test_names_are_those_of_the_contract(kind: str) -> None:
    spec = spec_of(kind)
    singular, plural = SINGULAR_AND_PLURAL[kind]
    assert spec["names"] == {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": singular}
    assert (spec["group"], spec["scope"]) == ("metallb.io", "Namespaced")
    assert name_of(BY_NAME[kind]) == f"{plural}.metallb.io"


@pytest.mark.parametrize(("kind", "apart"), [("AddressReservation", True), ("AddressQuota", True), ("Failover", False)])
def test_our_kinds_have_the_status_subresource_if_they_have_a_status(kind: str, *, apart: bool) -> None:
    (version,) = spec_of(kind)["versions"]
    assert version.get("subresources") == ({"status": {}} if apart else None)


@pytest.mark.parametrize("kind", SINGULAR_AND_PLURAL)
def test_every_version_is_served_with_the_status_subresource(kind: str) -> None:
    for version in spec_of(kind)["versions"]:
        assert version["served"]
        assert version["subresources"] == {"status": {}}


def test_old_peers_are_served_with_a_warning_and_stored_as_new_ones() -> None:
    old, new = spec_of("BGPPeer")["versions"]
    assert (old["name"], old["storage"], old["deprecated"]) == ("v1beta1", False, True)
    assert old["deprecationWarning"] == "v1beta1 is deprecated, please use v1beta2"
    assert (new["name"], new["storage"], "deprecated" in new) == ("v1beta2", True, False)


def test_peers_need_no_webhook() -> None:
    assert spec_of("BGPPeer")["conversion"] == {"strategy": "None", "webhook": None}


def test_every_other_kind_has_one_stored_version() -> None:
    stored = {kind.kind: [version["storage"] for version in spec_of(kind.kind)["versions"]] for kind in DEFINED}
    assert {kind: flags for kind, flags in stored.items() if flags != [True]} == {"BGPPeer": [False, True]}


def test_files_are_what_the_structs_say() -> None:
    written = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert written == crds.files(), "run `make crds`"


def test_file_parses_to_its_definition() -> None:
    for kind in DEFINED:
        path = FOLDER / f"{name_of(kind)}.yaml"
        assert path.read_text().startswith("# Made by `make crds`")
        assert yaml.safe_load(path.read_text()) == definition(kind)
