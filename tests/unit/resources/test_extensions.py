from orchestrator.resources import extensions
from orchestrator.resources.encode import encode_object
from orchestrator.resources.meta import ObjectMeta


def test_speaker_state_says_everything_though_it_is_default() -> None:
    link = extensions.SpeakerInterface(name="eth0")
    spec = extensions.SpeakerStateSpec(node="n1", interfaces=(link,))
    written = encode_object(extensions.SpeakerState(metadata=ObjectMeta(name="n1"), spec=spec))["spec"]
    assert isinstance(written, dict)
    assert set(written) == set(extensions.SpeakerStateSpec.__struct_encode_fields__)
    assert set(written["interfaces"][0]) == set(extensions.SpeakerInterface.__struct_encode_fields__)
