"""What the SQL means, by Google's own analyzer and reference evaluator."""
