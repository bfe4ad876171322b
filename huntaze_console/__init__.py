"""The composition root: the only package that knows everything, and that nothing else knows."""
