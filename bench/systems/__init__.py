"""Systems to compare with: one script each, run by the Python of that system's environment.

The rest of the benchmark imports nothing from here. The scripts import only the standard library,
the system itself and a reader of WAV files.
"""
