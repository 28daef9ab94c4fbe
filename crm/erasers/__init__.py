"""How a person leaves each store: one module a kind of store, one line each in ``crm.erasure.ERASERS``."""
