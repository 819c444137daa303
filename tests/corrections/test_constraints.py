"""Constraints: reading, refusing, and grouping them."""

import json
from itertools import permutations
from pathlib import Path

import pytest

from hocket.config import SpeakerCount
from hocket.corrections.constraints import (
    Absent,
    Constraint,
    Different,
    Named,
    Nobody,
    Same,
    Segment,
    read_constraints,
)
from hocket.corrections.gathering import gather
from hocket.errors import ConfigError

A, B, C, D = Segment(1, 3), Segment(5, 7), Segment(9, 11), Segment(13, 15)
NEAR_A = Segment(1.2, 3.4)  # most of each lies in the other


def written(folder: Path, content: object) -> Path:
    path = folder / "constraints.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_every_kind_is_read(tmp_path: Path) -> None:
    entries = [
        {"same": [[5, 7], [1, 3]]},
        {"different": [[1, 3], [9, 11]]},
        {"is": " Anna  B", "at": [1.0, 3.0]},
        {"nobody": [13, 15]},
    ]
    found = read_constraints(written(tmp_path, entries))
    assert found == (Same((A, B)), Different(A, C), Named(A, "Anna B"), Nobody(D))


def test_a_constraint_is_printed_as_it_is_read(tmp_path: Path) -> None:
    given = (Same((A, B)), Different(A, C), Named(A, 'An"na'), Nobody(D))
    assert read_constraints(written(tmp_path, f"[{', '.join(map(str, given))}]")) == given


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ({"same": []}, "holds no list"),
        ([{"sam": [[1, 2], [3, 4]]}], "entry 1: found {"),
        ([7], "entry 1: found 7; give {"),
        ([{"nobody": [1, 2]}, {"same": [[1, 2]]}], "entry 2: .* give two or more"),
        ([{"same": 3}], 'entry 1: "same" holds 3; give a list of segments'),
        ([{"different": [[1, 2], [3, 4], [5, 6]]}], "holds 3 segments; give two"),
        ([{"nobody": [1, 2, 3]}], "give a segment in seconds"),
        ([{"nobody": [2, 2]}], r"segment \[2, 2\] ends where it starts"),
        ([{"nobody": ["1", 2]}], "holds '1'; give seconds"),
        ([{"nobody": [True, 2]}], "holds True; give seconds"),
        ([{"nobody": [-1, 2]}], "holds -1; give seconds, 0 or more"),
        ('[{"nobody": [1, NaN]}]', "holds nan; give seconds, 0 or more"),
        ('[{"nobody": [1, Infinity]}]', "holds inf; give seconds, 0 or more"),
        ([{"is": " ", "at": [1, 2]}], "a name of 0 characters"),
        ([{"is": 3, "at": [1, 2]}], "a name is 3; give a text"),
        ([{"is": "a\u0007b", "at": [1, 2]}], "cannot be printed"),
        ([{"is": "a" * 201, "at": [1, 2]}], "a name of 201 characters"),
    ],
)
def test_a_wrong_entry_is_refused_with_what_is_expected(
    tmp_path: Path, content: object, said: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ConfigError, match=said) as caught:
        read_constraints(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_constraints(tmp_path / "none.json")


@pytest.mark.parametrize(
    "pair",
    [
        (Same((A, B)), Different(A, B)),
        (Same((A, B, C)), Different(B, C)),
        (Same((A, B)), Different(NEAR_A, B)),
        (Named(A, "Anna"), Named(A, "Bob")),
        (Named(A, "Anna"), Named(NEAR_A, "Bob")),
        (Named(A, "Anna"), Nobody(A)),
        (Named(A, "Anna"), Absent(A, "Anna")),
        (Named(NEAR_A, "Anna"), Absent(Segment(0, 4), "Anna")),
        (Same((A, B)), Nobody(Segment(0, 2.5))),
        (Different(A, B), Nobody(Segment(0, 20))),
    ],
    ids=str,
)
def test_a_contradiction_quotes_both_constraints(pair: tuple[Constraint, Constraint]) -> None:
    innocent = [Named(D, "Dora"), Same((C, D))]
    innocent = [] if C in pair[0].segments else innocent
    for given in permutations([*pair, *innocent]):
        with pytest.raises(ConfigError, match="contradicts") as caught:
            gather(given)
        for constraint in pair:
            assert str(constraint) in str(caught.value)
        assert "Dora" not in str(caught.value)


def test_a_contradiction_quotes_the_whole_chain() -> None:
    given = [Same((A, B)), Same((B, C)), Different(C, A), Same((C, D))]
    with pytest.raises(ConfigError) as caught:
        gather(given)
    for constraint in given[:3]:
        assert str(constraint) in str(caught.value)
    assert str(given[3]) not in str(caught.value)
    given = [Named(A, "Anna"), Named(B, "Anna"), Different(A, B)]
    with pytest.raises(ConfigError) as caught:
        gather(given)
    assert all(str(constraint) in str(caught.value) for constraint in given)


def test_a_segment_cannot_differ_from_itself() -> None:
    with pytest.raises(ConfigError, match="the segments overlap"):
        gather([Different(A, NEAR_A)])


@pytest.mark.parametrize(
    "pair",
    [
        (
            Named(Segment(0, 10), "Anna"),
            Named(Segment(4, 5), "Bob"),
        ),  # a word within a conversation
        (Named(A, "Anna"), Nobody(Segment(2.5, 4))),
        (Named(Segment(0, 4), "Anna"), Named(Segment(3, 7), "Bob")),
    ],
    ids=str,
)
def test_a_small_overlap_is_no_contradiction(pair: tuple[Constraint, Constraint]) -> None:
    assert gather(pair)


def test_groups_are_what_is_joined_and_names_are_apart() -> None:
    given = [
        Same((A, B)),
        Named(NEAR_A, "Anna"),
        Named(C, "Anna"),
        Named(D, "Bob"),
        Different(Segment(20, 22), D),
    ]
    found = gather(given)
    assert [group.name for group in found.groups] == ["Anna", "Bob", None]
    assert found.groups[0].segments == (A, NEAR_A, B, C)
    assert found.apart == {(0, 1), (1, 2)}
    assert all(gather(other) == found for other in permutations(given))


def test_more_names_than_speakers_are_refused_with_both_numbers() -> None:
    constraint_set = gather([Named(A, "Anna"), Named(B, "Bob"), Named(C, "Cid")])
    with pytest.raises(ConfigError, match=r"3 speakers \(Anna, Bob, Cid\) but at most 2"):
        constraint_set.check(SpeakerCount(2, 2))
    constraint_set.check(SpeakerCount(3, 3))
    constraint_set.check(SpeakerCount(4))


def test_names_that_a_store_accepts_can_be_in_constraints() -> None:
    name = "Ali\u200cnia"  # with a joiner that has no width, as Persian names have
    assert Named(Segment(0, 1), name).name == name
