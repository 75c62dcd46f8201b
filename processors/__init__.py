"""What the pipeline computes, and when it is owed."""
