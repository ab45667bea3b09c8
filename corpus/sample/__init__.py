"""A few articles written for this project, so that the first question has an answer.

The talks in Istanbul are real, told in our own words; the other events, every outlet and byline, and all addresses
under example.org are invented.
"""
