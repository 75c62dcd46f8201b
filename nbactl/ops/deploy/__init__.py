"""A service goes live: built, put there without traffic, probed, given the traffic, and looked at again."""
