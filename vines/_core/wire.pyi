"""The caps of the protocol: a record beyond one of them is malformed, whoever sends it."""

KEY_BYTES_MAX: int
VALUE_BYTES_MAX: int
STAMP_MAX: int
COUNTER_MAX: int
