"""Tests: they mirror fleet/ and services/, and add contracts/, e2e/, faults/, bench/."""
