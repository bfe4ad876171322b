"""Where notices go: one adapter a file, imported by the bootstrap only."""
