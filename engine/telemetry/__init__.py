"""What the engine measures of itself: rates, errors and latency histograms that can be added up."""
