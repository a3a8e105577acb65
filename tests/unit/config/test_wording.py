from orchestrator.config.wording import listed, shortened


def test_ten_names_are_told_and_the_others_counted() -> None:
    names = [f"n{number:02}" for number in range(12)]
    assert listed(names[:10]).endswith("n08, n09")
    assert listed(names).endswith("n08, n09 and 2 more")
    assert listed(names, 1) == "n00 and 11 more"
    assert listed([]) == "none"


def test_others_are_counted_in_a_text_of_their_own() -> None:
    assert shortened(["a", "b", "c"], 2) == ["a", "b", "and 1 more"]
    assert shortened(["a", "b"], 2) == ["a", "b"]
    assert shortened([], 2) == []
