"""One message to many people in one call: mass sends, and tasks that staff must confirm.

Deliveries of one run, variant, language and account (and member of staff) become a job, whose id is the key by which
the platform knows a repetition. People are handed over some hundred in a transaction, each asked for as for any other
message (:mod:`delivering.handing_off`); then the job is sealed, one call is made, and its one answer settles all.
"""
