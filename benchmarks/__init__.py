"""Our work measured beside its limit, one after the other in the same minutes: ratios say more than figures."""
