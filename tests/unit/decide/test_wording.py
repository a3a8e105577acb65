from orchestrator.decide.wording import listed


def test_ten_names_are_told_and_the_others_counted() -> None:
    names = [f"n{number:02}" for number in range(12)]
    assert listed(names[:10]).endswith("n08, n09")
    assert listed(names).endswith("n08, n09 and 2 more")
    assert listed([]) == "none"
