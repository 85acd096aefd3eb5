"""The test kit: what plugin authors and our own tests share.

`memory_bank` feeds an engine without a clock, `fake_transport` brings calls without a network,
`server` runs all of it behind HTTP, `transport` is what every transport must pass.
"""
