"""Elections: votes, and the one decision that follows from them.

Votes are opinions: they may change, and anybody may count them. The decision is one value on which
a pinned electorate agrees by ballots, whoever proposes it; who acts on it, and that time ran out,
are parts of that value, so that one agreement settles everything.
"""
