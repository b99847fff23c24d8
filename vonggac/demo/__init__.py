"""The demo province: Quảng Trị as it has been divided since 1 July 2025, with invented sites, posts and devices."""
