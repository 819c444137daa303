"""What a client asks for is checked before any sound is taken."""

from typing import Any

import pytest

from hocket.errors import ConfigError
from hocket.server.live.options import LiveOptions


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"rate": "0"}, "rate is 0; give 1000 to 768000 Hz"),
        ({"rate": "10000000"}, "rate is 10000000; give"),
        ({"rate": "9" * 5_000}, "rate is '9999"),
        ({"rate": "-16000"}, "rate is '-16000'; give a whole number"),
        ({"rate": "²"}, "rate is '²'; give a whole number"),
        ({"channels": "1000"}, "channels is 1000; give 1 to 32"),
        ({"channels": "0"}, "channels is 0; give 1 to 32"),
        ({"format": "mp5"}, "format is 'mp5'; give one of auto, s16le, f32le, wav, webm"),
        ({"format": ""}, "format is empty; leave it out, or give a value"),
        ({"preset": "best"}, "preset is 'best'; give one of accurate, balanced, fast"),
        ({"words": "yes"}, "words is 'yes'; give true or false"),
        ({"language": "x" * 99}, "language is 'xxx"),
        ({"fromat": "s16le"}, "there is no option 'fromat'; did you mean 'format'?"),
    ],
)
def test_what_cannot_be_is_an_error_that_teaches(given: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LiveOptions.of(given)
    assert problem in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"language": "", "words": "false"}, {}),
        ({"format": "f32le", "rate": "48000", "channels": "2"}, {"format": "f32le", "rate": 48000}),
        ({"words": "1", "language": "en", "preset": "fast"}, {"words": True, "language": "en"}),
    ],
)
def test_a_query_becomes_options(given: dict[str, str], expected: dict[str, Any]) -> None:
    options = LiveOptions.of(given)
    usual = {"format": "auto", "rate": 16_000, "words": False, "language": None}
    for name, value in {**usual, **expected}.items():
        assert getattr(options, name) == value
