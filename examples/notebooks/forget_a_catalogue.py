# Forget a catalogue, and see the lists change: `marimo edit examples/notebooks/forget_a_catalogue.py`.
import marimo

__generated_with = "0.25.2"

app = marimo.App(width="medium")


@app.cell
def _():
    import tempfile
    from pathlib import Path

    import marimo as mo
    import polars as pl

    import mmrecun
    from mmrecun import Dataset

    return Dataset, Path, mmrecun, mo, pl, tempfile


@app.cell
def _(mo):
    mo.md("""
    # Forget a catalogue

    A recommender is trained on synthetic films. Then the licence of one studio ends: its films must leave the model,
    and the lists that people get must be as if the films had never been there.
    """)
    return


@app.cell
def _(Dataset, Path, mmrecun, mo, tempfile):
    dataset = Dataset.synthetic(users=300, items=200, interactions=6000)
    work = Path(tempfile.mkdtemp(prefix="mmrecun-"))
    with mo.status.spinner(title="Training"):
        mmrecun.train(dataset, "lightgcn", work / "original", {"epochs": 40, "layers": 2, "learning_rate": 0.01})
    films = dataset.item_attributes.with_columns(item=dataset.items.names)
    dataset
    return dataset, films, work


@app.cell
def _(films, mo):
    studio = mo.ui.dropdown(sorted(films["licensor"].unique()), value="Ember House", label="Whose licence ends?")
    studio
    return (studio,)


@app.cell
def _(films, mmrecun, mo, pl, studio, work):
    catalogue = films.filter(pl.col("licensor") == studio.value)
    forgotten = work / studio.value.replace(" ", "-")
    if not forgotten.exists():
        with mo.status.spinner(title="Forgetting"):
            mmrecun.unlearn(work / "original", {"items": catalogue["item"]}, forgotten)
    mo.md(f"**{len(catalogue)} films** of {studio.value} were taken out. The run before is unchanged.")
    return catalogue, forgotten


@app.cell
def _(dataset, mo):
    user = mo.ui.dropdown(dataset.users.names.to_list(), value=dataset.users.names[7], label="Whose list?")
    user
    return (user,)


@app.cell
def _(films, forgotten, mmrecun, mo, pl, studio, user, work):
    def listed(run):
        best = pl.DataFrame(mmrecun.recommend(run, user.value, 10)).select("item", "score")
        shown = best.join(films, on="item", how="left", maintain_order="left")
        leaves = pl.when(pl.col("licensor") == studio.value).then(pl.lit("leaves")).otherwise(pl.lit(""))
        return shown.select("title", "licensor", pl.col("score").round(2), leaves.alias("then"))

    lists = mo.ui.table(listed(work / "original"), selection=None), mo.ui.table(listed(forgotten), selection=None)
    mo.hstack([mo.vstack([mo.md("### Before"), lists[0]]), mo.vstack([mo.md("### After"), lists[1]])], widths="equal")
    return (lists,)


@app.cell
def _(forgotten, mmrecun, mo):
    with mo.status.spinner(title="Auditing"):
        report = mmrecun.audit(forgotten)
    mo.md(f"""
    ## Is it out?

    The audit says: **{report.headline}**. Every check that was made:
    """)
    return (report,)


@app.cell
def _(mo, report):
    checks = [check for check in report.checks if check.state.value in {"passed", "failed"}]
    _rows = [f"| {check.name} | {check.state.value} | {check.detail} |" for check in checks]
    mo.md("\n".join(["| check | outcome | what was measured |", "| :-- | :-- | :-- |", *_rows]))
    return


if __name__ == "__main__":
    app.run()
