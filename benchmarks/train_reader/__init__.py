"""Trains the cross-encoder of the reader: `python -m benchmarks.train_reader`."""
