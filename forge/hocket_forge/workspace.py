"""Paths that the forge reads and writes."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOWNLOADS = ROOT / "build" / "downloads"
PACKAGES = ROOT / "build" / "coreml"
MADE = PACKAGES / "made"  # newer than all packages, if every one was made and passed its checks
MODELS = ROOT / "src" / "hocket" / "models" / "data"
MANIFEST = MODELS / "manifest.toml"
GOLDEN = ROOT / "tests" / "golden"
CONVERSATION = ROOT / "src" / "hocket" / "example" / "conversation.flac"
