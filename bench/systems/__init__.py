"""Systems to compare with: one script each, run by the Python of that system's environment.

Nothing here is imported by the rest of the benchmark, and nothing but the standard library, the
system itself and what reads a WAV file is imported here.
"""
