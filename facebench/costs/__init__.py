"""What a model costs to run: parameters, bytes, multiply-adds, memory and time."""
