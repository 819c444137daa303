"""Paths of recordings and recorded arrays."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "hocket"
GOLDEN = ROOT / "tests" / "golden"
CLIPS = ROOT / "tests" / "clips"
EXAMPLE = SOURCE / "example"
CONVERSATION = EXAMPLE / "conversation.flac"
