from tests.contracts.unlearning import UnlearnerContract, trained  # noqa: F401


class TestMMRecUn(UnlearnerContract):
    name = "mmrecun"
    settings = {"refit": 10}
