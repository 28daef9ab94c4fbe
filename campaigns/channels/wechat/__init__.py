"""What speaks to WeChat's platforms: official accounts, mini programs and WeCom.

One thin client for the three (:mod:`transport`, :mod:`tokens`, :mod:`errors`), one module of calls for each, the
adapters that send, the signatures and ciphers of callbacks, and an imitation of the platforms for tests and the demo.
"""
