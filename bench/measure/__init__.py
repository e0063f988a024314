"""The measurements, one file each, and what they share (bench, process, peers)."""
