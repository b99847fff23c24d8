"""The harness of the tests: brokers, databases, logs and accounting."""
