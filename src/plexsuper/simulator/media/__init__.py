"""Media files: small real ones, and how a scanner sees them."""
