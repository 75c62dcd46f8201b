"""How things look: the only place that imports Rich, and only once there is a terminal to use it on."""
