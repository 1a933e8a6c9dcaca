from tests.contracts.unlearning import UnlearnerContract, trained  # noqa: F401


class TestMMRecUn(UnlearnerContract):
    name = "mmrecun"
    settings = {"learning_rate": 0.02, "epochs": 3}
