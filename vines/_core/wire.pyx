"""The caps of the protocol, as Python sees them; the reading and writing itself is in wire.pxd."""

KEY_BYTES_MAX = KEY_MAX
VALUE_BYTES_MAX = VALUE_MAX
STAMP_MAX = STAMP_LIMIT
COUNTER_MAX = COUNTER_LIMIT
