"""Benchmarks of hocket: error rates, speed and memory, as tables and JSON. Not shipped.

    accuracy/    error rates, and the weights and settings learned from recordings
    speed/       time, memory, copies and arithmetic
    people/      a store of known speakers: names, verification, and its file
    pages/       the tables of README.md and docs, from bench/results
    simulation/  conversations made of clips of known voices
    systems/     other systems, each run in an environment of its own

Run from the repository root: `python -m bench der DIR`, `python -m bench speed DIR`.
"""
