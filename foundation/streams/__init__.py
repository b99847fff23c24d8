"""How nothing is lost, doubled or reordered: the ledger, the relay, the consumer and the feed."""
