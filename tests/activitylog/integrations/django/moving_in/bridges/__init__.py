"""A project of each library that is bridged, run in a process of its own: libraries are applications."""
