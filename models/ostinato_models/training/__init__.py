"""Training: the loop, its schedules and checkpoints, and what each task adds to it."""
