//! Real `iog` processes: run to their end, or kept as children that are killed with their story.
