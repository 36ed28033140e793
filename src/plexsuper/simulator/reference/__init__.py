"""A library like the one this project was written for, at any scale."""
