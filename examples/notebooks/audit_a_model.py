# Audit somebody else's model: `marimo edit examples/notebooks/audit_a_model.py`.
import marimo

__generated_with = "0.25.2"

app = marimo.App(width="medium")


@app.cell
def _():
    import marimo as mo
    import numpy as np

    from mmrecun import Dataset
    from mmrecun.adapters import vectors

    return Dataset, mo, np, vectors


@app.cell
def _(mo):
    mo.md("""
    # Audit somebody else's model

    Somebody trained a model, was asked to forget 40 users, and claims to have done it. You have the vectors before and
    after, and the data. Nothing of their code is needed.
    """)
    return


@app.cell
def _(Dataset, np):
    dataset = Dataset.synthetic(users=400, items=200, interactions=9000)
    gone = dataset.users.names[:40].to_list()

    def factorise(data, factors=16, ridge=5.0, sweeps=10):
        """Their training: alternating least squares on the training pairs of `data`."""
        shape = len(data.users), len(data.items)
        liked = np.asarray(data.train.matrix(*shape).todense() > 0, dtype=float)
        items = np.random.default_rng(0).normal(0, 0.1, (shape[1], factors))
        for _ in range(sweeps):
            users = np.linalg.solve(items.T @ items + ridge * np.eye(factors), items.T @ liked.T).T
            items = np.linalg.solve(users.T @ users + ridge * np.eye(factors), users.T @ liked).T
        return users.astype(np.float32), items.astype(np.float32)

    before = factorise(dataset)
    return before, dataset, factorise, gone


@app.cell
def _(mo):
    claim = mo.ui.dropdown(
        ["the rows of the 40 users were deleted", "the model was trained again without them", "`mmrecun` unlearned it"],
        value="the rows of the 40 users were deleted",
        label="They say:",
    )
    claim
    return (claim,)


@app.cell
def _(before, claim, dataset, factorise, gone, np, vectors):
    mine = vectors.load(*before, dataset)
    less = mine.unlearn({"users": gone})  # its `dataset` is the retained data
    kept = np.isin(dataset.users.names.to_numpy(), less.dataset.users.names.to_numpy())
    rows = dataset.items.rows(less.dataset.items.names)
    theirs = {
        "the rows of the 40 users were deleted": lambda: vectors.load(before[0][kept], before[1][rows], less.dataset),
        "the model was trained again without them": lambda: vectors.load(*factorise(less.dataset), less.dataset),
        "`mmrecun` unlearned it": lambda: less,
    }[claim.value]()
    report = theirs.audit(original=mine)
    return (report,)


@app.cell
def _(claim, mo, report):
    kind = {"passed": "success", "failed": "danger"}.get(report.verdict.value, "warn")
    mo.callout(mo.md(f"They say: {claim.value}.\n\nThe audit says: **{report.headline}**"), kind=kind)
    return


@app.cell
def _(mo, report):
    checks = [check for check in report.checks if check.state.value in {"passed", "failed"}]
    _rows = [f"| {check.name} | {check.state.value} | {check.detail} |" for check in checks]
    mo.md("\n".join(["| check | outcome | what was measured |", "| :-- | :-- | :-- |", *_rows]))
    return


@app.cell
def _(mo):
    mo.md("""
    A deleted row is not forgotten: those who shared items with the 40 users still show what went together. See
    docs/concepts/forgetting.md.
    """)
    return


if __name__ == "__main__":
    app.run()
