"""Processes, threads and signals: whatever ends or interrupts whom, no event is lost, doubled or miscounted."""
