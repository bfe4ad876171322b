"""The console's own widgets: painted line by line, and only where something changed."""
