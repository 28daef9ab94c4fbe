"""How often, how much and how long somebody will still buy: models of "buy till you die", and trees beside them.

In here ``frequency``, ``recency``, ``T`` and ``monetary_value`` have the meaning of that literature (Fader and Hardie):
repeat purchases, the age at the last one, the age at the cutoff, and the mean spend of the repeat ones. One purchase is
one day with a purchase.
"""
