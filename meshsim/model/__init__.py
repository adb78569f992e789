"""What the user wrote: the spec language and the frozen topology that it becomes."""
