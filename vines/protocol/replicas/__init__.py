"""Keeping both tables of all linked nodes equal: push, pull, compare, join."""
