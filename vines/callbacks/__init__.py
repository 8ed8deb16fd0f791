"""Who listens to what, and the thread that calls back."""
