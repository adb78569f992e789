"""Cost: what an architecture costs by a dated price book, and which tenant causes how much of it."""
