"""AddressReservations, AddressQuotas and statuses for the API server, each with its verdict."""

from collections.abc import Iterator

from tests.support.crd_cases import BASE, SELECTOR, Case, Raw, object_of

READ_IN_CONFIG = "what an address is, `config` decides for us: a wrong one leaves the last good spec in use"
CONDITION = {
    "type": "Accepted",
    "status": "True",
    "reason": "Accepted",
    "message": "",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
    "observedGeneration": 1,
}
AT = {"addresses": ["192.0.2.10"]}
WEB = {"service": {"namespace": "shop", "name": "web"}}
NOBODY = "says not for whom; add service"
BOTH = "service excludes namespaces"


def cases_of_addresses() -> Iterator[Case]:
    """Yield all of them."""
    yield from _reservations()
    yield from _reserved_addresses()
    yield from _quotas()
    yield from _statuses()


def _reservations() -> Iterator[Case]:
    wrong_name: Raw = {"service": {"namespace": "shop", "name": "web/x"}}
    cases: tuple[tuple[Raw, str], ...] = (
        ({**AT, **WEB}, ""),
        ({**AT, "namespaces": ["shop"]}, ""),
        ({**AT, "namespaceSelectors": [SELECTOR]}, ""),
        ({**AT, "serviceSelectors": [{}]}, ""),
        ({**AT, "namespaces": ["shop"], "namespaceSelectors": [SELECTOR], "serviceSelectors": [SELECTOR]}, ""),
        ({**AT, **WEB, "namespaces": [], "namespaceSelectors": [], "serviceSelectors": []}, ""),
        (AT, NOBODY),
        ({**AT, "namespaces": [], "serviceSelectors": []}, NOBODY),
        ({**AT, "service": None}, NOBODY),
        ({**AT, **WEB, "namespaces": ["shop"]}, BOTH),
        ({**AT, **WEB, "namespaceSelectors": [SELECTOR]}, BOTH),
        ({**AT, **WEB, "serviceSelectors": [SELECTOR]}, BOTH),
        ({**AT, "service": {"name": "web"}}, "spec.service.namespace: Required value"),
        ({**AT, "service": {"namespace": "shop"}}, "spec.service.name: Required value"),
        ({**AT, "service": {"namespace": "", "name": "web"}}, "spec.service.namespace"),
        ({**AT, "service": {"namespace": "a" * 64, "name": "web"}}, "spec.service.namespace"),
        ({**AT, **wrong_name}, "spec.service.name"),
        ({**AT, "service": "shop/web"}, "spec.service"),
        (WEB, "spec.addresses: Required value"),
        ({**WEB, "addresses": []}, "spec.addresses"),
        ({**WEB, "addresses": "192.0.2.10"}, "spec.addresses"),
        ({**WEB, "addresses": [1]}, "spec.addresses"),
    )
    for spec, says in cases:
        yield Case(name=str(spec), obj=object_of("AddressReservation", spec), accepted=not says, says=says)


def _reserved_addresses() -> Iterator[Case]:
    for entry in ("192.0.2.10", "192.0.2.0/28", "192.0.2.10-192.0.2.20", "192.0.2.10 - 192.0.2.20"):
        yield Case(name=entry, obj=_reserving(entry), accepted=True)
    for entry in ("2001:db8::1", "2001:DB8::/64", "2001:db8::1-2001:db8::f"):
        yield Case(name=entry, obj=_reserving(entry), accepted=True)
    for entry in ("web", "", "192.0.2.256", "192.0.2.0/33", "192.0.2.10-", "a-b-c"):
        yield Case(
            name=f"address {entry!r}",
            obj=_reserving(entry),
            accepted=False,
            says="spec.addresses[0]",
            because=READ_IN_CONFIG,
        )


def _reserving(entry: str) -> Raw:
    return object_of("AddressReservation", {**WEB, "addresses": [entry]})


def _quotas() -> Iterator[Case]:
    nothing = "limits nothing; add ipv4 or ipv6"
    full = {
        "namespaces": ["shop"],
        "namespaceSelectors": [SELECTOR],
        "pools": ["edge"],
        "ipv4": 5,
        "ipv6": 2**40,
        "scope": "Total",
    }
    cases: tuple[tuple[Raw, str], ...] = (
        (full, ""),
        ({"ipv4": 0}, ""),
        ({"ipv6": 0, "scope": "Namespace"}, ""),
        ({"ipv4": 1, "namespaces": [], "pools": []}, ""),
        ({}, nothing),
        ({"namespaces": ["shop"]}, nothing),
        ({"ipv4": None}, nothing),
        ({"ipv4": -1}, "spec.ipv4"),
        ({"ipv6": -1}, "spec.ipv6"),
        ({"ipv4": 2**63}, "spec.ipv4"),
        ({"ipv4": "2"}, "spec.ipv4"),
        ({"ipv4": 1.5}, "spec.ipv4"),
        ({"ipv4": 1, "scope": "Cluster"}, "spec.scope"),
        ({"ipv4": 1, "pools": "edge"}, "spec.pools"),
    )
    for spec, says in cases:
        yield Case(name=str(spec), obj=object_of("AddressQuota", spec), accepted=not says, says=says)


def _statuses() -> Iterator[Case]:
    """The API server drops a status that comes with a new object, but checks its types before."""
    counts = {"assignedIPv4": 1, "assignedIPv6": 0, "availableIPv4": 2, "availableIPv6": 0}
    said = {"conditions": [CONDITION]}
    kinds = ("L2Advertisement", "BGPAdvertisement", "BGPPeer", "BFDProfile", "Community")
    parts: list[tuple[str, Raw]] = [(kind, said) for kind in kinds]
    parts.append(("IPAddressPool", {**counts, **said}))
    parts.append(("AddressReservation", {**said, "holders": [{"address": "192.0.2.10", "service": "shop/web"}]}))
    parts.append(("AddressQuota", {**said, "usedIPv4": 1, "namespaces": [{"namespace": "shop", "ipv4": 1, "ipv6": 0}]}))
    for kind, status in parts:
        spec = BASE.get(kind, {})
        yield Case(name="with a status", obj=object_of(kind, spec, status=status), accepted=True)
        other = {**status, "state": "good"}
        yield Case(
            name="with an unknown word in its status",
            obj=object_of(kind, spec, status=other),
            accepted=False,
            says='unknown field "status.state"',
        )
    yield Case(name="BGPPeer of old", obj=object_of("BGPPeer", BASE["BGPPeer"], "v1beta1", status=said), accepted=True)
