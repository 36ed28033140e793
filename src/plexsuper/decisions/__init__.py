"""Every decision of the product, pure: facts and times go in, what follows from them comes out."""
