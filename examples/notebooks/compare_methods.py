# Compare unlearning methods with Gold: `marimo edit examples/notebooks/compare_methods.py`.
import marimo

__generated_with = "0.25.2"

app = marimo.App(width="medium")


@app.cell
def _():
    import tempfile
    from pathlib import Path

    import marimo as mo
    import matplotlib.pyplot as plt
    import polars as pl

    import mmrecun
    from mmrecun import Dataset, ForgetRequest

    return Dataset, ForgetRequest, Path, mmrecun, mo, pl, plt, tempfile


@app.cell
def _(mo):
    mo.md("""
    # Compare methods

    The same request, answered by several methods. *Gold* is trained again without the forgotten users: the target.
    A good method ends where Gold is: lists are as good for those who stay, and forgotten pairs rank like pairs
    that were never learned (AUC 0.5).
    """)
    return


@app.cell
def _(Dataset, ForgetRequest, Path, mmrecun, mo, tempfile):
    dataset = Dataset.synthetic(users=300, items=150, interactions=6000)
    request = ForgetRequest(users=dataset.users.names[:30])
    work = Path(tempfile.mkdtemp(prefix="mmrecun-"))
    with mo.status.spinner(title="Training"):
        mmrecun.train(dataset, "bprmf", work / "original", {"epochs": 60, "learning_rate": 0.01, "batch_size": 512})
        for seed in (1, 2):
            mmrecun.unlearn(work / "original", request, work / f"gold-{seed}", "retrain", seed=seed)
    golds = [work / f"gold-{seed}" for seed in (1, 2)]
    return golds, request, work


@app.cell
def _(mo):
    methods = mo.ui.multiselect(
        ["mmrecun", "mmrecun-paper", "unlink", "reset", "finetune", "ascent", "neggrad", "scif"],
        value=["mmrecun", "unlink", "ascent"],
        label="Methods",
    )
    methods
    return (methods,)


@app.cell
def _(golds, methods, mmrecun, mo, request, work):
    reports = {}
    for method in mo.status.progress_bar(methods.value, title="Forgetting and auditing"):
        if not (work / method).exists():
            mmrecun.unlearn(work / "original", request, work / method, method)
        reports[method] = mmrecun.audit(work / method, golds)
    return (reports,)


@app.cell
def _(pl, reports):
    def row(name, state, verdict):
        known = state.recognition.get("users")
        return {
            "method": name,
            "retained recall@20": round(state.retain["recall@20"], 3),
            "forget recall@20": round(state.forget["recall@20"], 3),
            "still known (AUC)": None if known is None else round(known.auc, 3),
            "verdict": verdict,
        }

    states = [(name, report.states[1], report.verdict.value) for name, report in reports.items()]
    for report in list(reports.values())[:1]:
        states = [("before", report.states[0], ""), *states]
        states += [("Gold", gold, "") for gold in report.golds]
    table = pl.DataFrame([row(*state) for state in states])
    return (table,)


@app.cell
def _(mo, table):
    mo.ui.table(table, selection=None)
    return


@app.cell
def _(plt, table):
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for name, group in table.group_by("method", maintain_order=True):
        marker, colour = ("*", "goldenrod") if name[0] == "Gold" else ("o", None)
        axes.scatter(group["still known (AUC)"], group["retained recall@20"], s=90, marker=marker, color=colour)
        place = group["still known (AUC)"][0], group["retained recall@20"][0]
        axes.annotate(name[0], place, xytext=(6, 6), textcoords="offset points")
    axes.set(xlabel="forgotten against held-out pairs, AUC (0.5: alike)", ylabel="retained recall@20")
    axes.set_title("The nearer to Gold, the better")
    axes.spines[["top", "right"]].set_visible(False)
    figure
    return


@app.cell
def _(mo):
    mo.md("""
    More data, models, requests and seeds in one table: `mmrecun bench` (docs/bench.md).
    """)
    return


if __name__ == "__main__":
    app.run()
