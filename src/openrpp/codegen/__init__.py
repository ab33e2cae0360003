"""Kernel IR to code: for the host (`host`), and for the card."""
