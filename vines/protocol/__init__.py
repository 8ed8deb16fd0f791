"""The protocol as state machines that take bytes and a time and fill an outbox: no sockets, no
clocks, no threads.
"""
