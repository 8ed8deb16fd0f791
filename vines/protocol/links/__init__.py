"""Streams: whom to dial, whom to admit, and what to do when one breaks."""
