"""Where tests find their recordings and recorded arrays."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "hocket"
GOLDEN = ROOT / "tests" / "golden"
CLIPS = ROOT / "tests" / "clips"
EXAMPLES = ROOT / "examples"
CONVERSATION = EXAMPLES / "conversation.flac"
