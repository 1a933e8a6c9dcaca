from tests.contracts.models import ModelContract


class TestBPRMF(ModelContract):
    name = "bprmf"
