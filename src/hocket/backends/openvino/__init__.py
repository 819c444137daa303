"""Graphs on OpenVINO."""
