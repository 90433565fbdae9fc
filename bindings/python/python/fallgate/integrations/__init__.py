"""Enforcement points for what people run. Each module needs its framework, and imports nothing of the others.

All obey one rule: what was not allowed does not run. A deny is an answer of status 403 whose body (RFC 9457) names the
decision by its identifier and nothing of what it rests on; a failure on the way to a decision is a deny.
"""
