"""Picks the Qwen model for every request."""
