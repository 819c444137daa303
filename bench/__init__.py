"""Benchmarks of hocket: error rates, speed and memory, as tables and JSON. Not shipped.

Run from the repository root: `python -m bench der DIR`, `python -m bench speed DIR`.
"""
