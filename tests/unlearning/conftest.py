from tests.contracts.unlearning import trained  # noqa: F401
