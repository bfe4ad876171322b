"""What everybody may import and what imports nobody: values, errors, time, chance."""
