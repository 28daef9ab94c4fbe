"""What may be told about a group without telling anything about one person in it.

Two ways, for two kinds of answer. **Counts** get noise (:mod:`~mlengine.anonymity.noise`), what they cost together is
added up (:mod:`~mlengine.anonymity.accounting`) and they are made to agree (:mod:`~mlengine.anonymity.tidying`).
**Rows** are made coarse until nobody stands alone (:mod:`~mlengine.anonymity.rows`). All of it is pure: it sees numbers
and frames, never the ORM or a clock.
"""
