"""What Runpod's storage costs. Source: docs.runpod.io pods/pricing, read 2026-11-22."""

DISK_USD_PER_GB_MONTH = 0.10
"""Container disk, which goes with its pod."""
VOLUME_USD_PER_GB_MONTH = 0.07
"""Network volume below 1 TB; above it is cheaper, so this bounds both."""
