"""The compiled core: no input or output, no clock, no randomness, no logging, no callbacks."""
