"""One node, its loop and its callbacks as one thing with a beginning and an end."""
