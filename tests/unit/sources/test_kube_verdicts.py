"""The answers are those of a real API server (v1.34.4); the integration tests of the sink provoke them."""

import pytest

from orchestrator.errors import KubeError
from orchestrator.sources.kube.verdicts import Verdict, judge, names_object, reason_of

WEBHOOK_DOWN = (
    'patch services/status: 500 InternalError: Internal error occurred: failed calling webhook "a.b.c": failed to call '
    'webhook: Post "https://127.0.0.1:9443/?timeout=10s": dial tcp 127.0.0.1:9443: connect: connection refused'
)


@pytest.mark.parametrize(
    ("status", "text", "verdict"),
    [
        (0, "not reached: Connection refused", Verdict.NOT_NOW),
        (401, "Unauthorized", Verdict.NOT_NOW),
        (429, "too many requests", Verdict.NOT_NOW),
        (500, "etcdserver: request timed out", Verdict.NOT_NOW),
        (503, "apiserver is shutting down", Verdict.NOT_NOW),
        (504, "Timeout", Verdict.NOT_NOW),
        (500, WEBHOOK_DOWN, Verdict.REFUSED),
        (409, "the object has been modified", Verdict.CONFLICT),
        (403, 'services "a" is forbidden: User "u" cannot patch resource "services/status"', Verdict.KIND_REFUSED),
        (403, 'services "a" is forbidden: denied by policy', Verdict.REFUSED),
        (403, "unable to create new content in namespace x because it is being terminated", Verdict.REFUSED),
        (404, "404 page not found\n", Verdict.KIND_REFUSED),
        (404, "the server could not find the requested resource", Verdict.KIND_REFUSED),
        (404, 'ipaddresspools.metallb.io "a" not found', Verdict.REFUSED),
        (404, 'namespaces "gone" not found', Verdict.REFUSED),
        (422, "ValidatingAdmissionPolicy 'p' with binding 'b' denied request", Verdict.REFUSED),
        (400, "the object is malformed", Verdict.REFUSED),
        (413, "Request entity too large", Verdict.REFUSED),
    ],
)
def test_answer_blames_object_kind_or_moment(status: int, text: str, verdict: Verdict) -> None:
    assert judge(KubeError(text, status=status), "a") is verdict


def test_missing_object_is_told_from_a_missing_namespace_of_its_name() -> None:
    assert names_object(KubeError('pods "a" not found', status=404), "a")
    assert not names_object(KubeError('namespaces "a" not found', status=404), "a")
    assert not names_object(KubeError('pods "b" not found', status=404), "a")
    assert not names_object(KubeError('"a" not found', status=422), "a")


def test_reason_says_what_to_do() -> None:
    missing = KubeError("patch speakerstates: 404 Not Found: 404 page not found", status=404)
    assert reason_of(missing, Verdict.KIND_REFUSED).endswith("; apply the CRDs of deploy/crds")
    assert reason_of(KubeError(WEBHOOK_DOWN, status=500), Verdict.REFUSED).endswith("; mend or remove the webhook")
    assert reason_of(KubeError("422: bad", status=422), Verdict.REFUSED) == "422: bad"


def test_missing_rule_is_said_alike_for_every_object() -> None:
    rule = 'User "system:serviceaccount:a:b" cannot patch resource "services/status" in API group ""'
    errors = [
        KubeError(f'patch: 403 Forbidden: services "{name}" is forbidden: {rule} in the namespace "{name}"', status=403)
        for name in ("x", "y")
    ]
    reasons = {reason_of(error, Verdict.KIND_REFUSED) for error in errors}
    assert reasons == {f"{rule}; apply the RBAC rules of deploy/manifests"}
