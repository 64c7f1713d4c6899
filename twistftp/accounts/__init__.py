"""L2: who may log in and which avatar they get: the cred realm and its checkers."""
