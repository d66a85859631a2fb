
def attribute_problem(code: int, value: bytes, strict: bool = True) -> int:
    """Number of what is wrong with the value of an attribute that has a layout; 0 if nothing is, or it has none.

    strict: TLVs whose values do not fit are problems; else they are not, since each is shown as hex by itself.
    """
