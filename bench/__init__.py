"""Measurements: capacity and latency beside a floor taken in the same run."""
