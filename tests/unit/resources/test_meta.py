from orchestrator.resources.meta import ObjectKey, ObjectMeta, ObjectRef, Problem, Severity


def test_text_forms_leave_out_an_empty_namespace() -> None:
    assert str(ObjectKey("default", "web")) == "default/web"
    assert str(ObjectKey("", "node-1")) == "node-1"
    assert str(ObjectRef("Node", "", "node-1")) == "Node node-1"


def test_problem_names_object_field_and_remedy() -> None:
    ref = ObjectRef("Service", "default", "web")
    assert str(Problem(ref=ref, field="spec.type", message="m")) == "Service default/web spec.type: m"
    assert str(Problem(ref=ref, field="", message="m")) == "Service default/web: m"
    assert Problem(ref=ref, field="", message="m").severity is Severity.ERROR


def test_key_of_metadata_and_reference_agree() -> None:
    assert ObjectMeta(name="web", namespace="default").key == ObjectRef("Service", "default", "web").key
