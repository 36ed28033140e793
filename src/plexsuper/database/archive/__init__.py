"""A library in one verified file: written, sent, read back, and put in the place of another one."""
