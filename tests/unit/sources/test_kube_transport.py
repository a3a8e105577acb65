"""Which proxy leads to the API server: asked once, from the environment, as kubectl does."""

import pytest

from orchestrator.sources.kube import transport

SERVER = "https://api.example.org:6443"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_no_proxy_is_used_unless_the_environment_names_one() -> None:
    assert transport._proxy_of_environment(SERVER) is None


def test_proxy_of_the_environment_leads_to_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    assert transport._proxy_of_environment(SERVER) == "http://proxy.example.org:3128"


def test_server_that_the_environment_excepts_is_reached_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    monkeypatch.setenv("NO_PROXY", ".example.org")
    assert transport._proxy_of_environment(SERVER) is None


def test_proxy_of_plain_http_is_not_that_of_a_server_with_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.org:3128")
    assert transport._proxy_of_environment(SERVER) is None
