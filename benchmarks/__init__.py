"""What barograph costs, measured beside the alternatives in one run: `python -m benchmarks`."""
