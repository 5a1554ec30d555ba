"""A judge of naturalness: can a small network tell a policy's motion from captured motion?

It is a judge, and nothing is ever trained against it: a policy that was would only learn to fool
this one network, and the figure would say nothing any more.
"""
