"""Oracle of a task that only tests of the reader use."""
