"""What changed in a library between two copies of its database."""
