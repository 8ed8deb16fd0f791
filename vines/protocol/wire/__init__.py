"""Frames and messages: what nodes say to each other, byte by byte."""
