"""Files of other tools: what they hold is kept."""
