"""Made-up audits, and a reader of pages."""

from html.parser import HTMLParser

from mmrecun.auditing.figures import Bystanders, Gap, Harm, Likeness, Mark, Measurements, Persons, Recognition
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.result import About, AuditReport, AuditScope, Check, conclude

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>[bold]{{ 7 * 7 }}"
BINS = tuple([0.05] * 20)
HISTORY = [{"epoch": 1, "loss": 0.6931}, {"epoch": 2, "loss": 0.4217}]


def state(name: str, recall: float, seed: int = 0, seconds: float = 12.0) -> Measurements:
    return Measurements(
        name=name,
        run="r",
        seed=seed,
        seconds=seconds,
        retain={"recall@20": recall, "ndcg@20": recall / 2},
        forget={"recall@20": recall / 7},
        auc=0.4321 + recall / 10,
        auc_random=0.8765,
        percentiles=BINS,
        percentiles_held_out=BINS,
    )


def changed(before: Measurements, **more: object) -> Measurements:
    """The same with other fields, read as from a file."""
    return Measurements.of({**dict(before), **more})


def gap(difference: float, z: float | None = None) -> Gap:
    return Gap(value=0.5 + difference, gold_mean=0.5, gold_std=0.01, difference=difference, z=z, tolerance=0.02)


def likeness(value: float) -> Likeness:
    return Likeness(original=value - 0.1, unlearned=value, gold=value + 0.1)


def report(golds: int, checks: tuple[Check, ...] | None = None, text: str = "plain", **changes: object) -> AuditReport:
    made = (Check(name="membership", state=Outcome.PASSED, detail=text),) if checks is None else checks
    values: dict[str, object] = {
        "model": text,
        "method": text,
        "dataset": text,
        "forgotten": {"users": 0, "items": 12, "interactions": 3456, "modalities": 0},
        "states": (
            state("original", 0.1111),
            state("unlearned", 0.1234, seconds=8.06),
            *(state("gold", 0.1 + seed / 100, seed, 112.0) for seed in range(golds)),
        ),
        "gap": {"retain_recall@20": gap(0.03), "forget_recall@20": gap(0.005), "auc": gap(-0.07)} if golds else {},
        "likeness": {"overlap@20": likeness(0.61), "rbo_affected": likeness(0.52), "js_distance": likeness(0.13)}
        if golds
        else {},
        "checks": made,
        "verdict": conclude(made),
        "notes": (text,),
    }
    return AuditReport.of(values | changes)


class Balanced(HTMLParser):
    """Refuses tags that cross or stay open, and remembers what it met."""

    VOID = frozenset({"meta", "br", "img", "hr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.met: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.met.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.met.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in {"style", "title"}:
            self.words.append(data)


def recognition(auc: float, attack: float | None = 0.5217) -> Recognition:
    return Recognition(
        pairs=1044,
        held_out=307,
        auc=auc,
        auc_error=0.0213,
        known_auc=0.8437,
        attack_level=0.503,
        place=0.75,
        known_share=0.0417,
        known_share_low=0.0,
        known_share_high=0.0912,
        attack_auc=attack,
        attack_auc_error=None if attack is None else 0.0311,
    )


KINDS = ("users", "items", "interactions", "features image")


def measured(name: str, recall: float = 0.3412, auc: float = 0.5063, seed: int = 0) -> Measurements:
    """A state of which everything was measured."""
    later = name != "original"
    mark = Mark(rows=218, others=382, auc=0.5134, auc_error=0.0221)
    more = {
        "valid": 0.4538,
        "recognition": {kind: recognition(auc) for kind in KINDS if later or not kind.startswith("features")},
        "marks": {"users": mark, "items": mark} | ({"lists": mark} if later else {}),
        "bands": {"retain recall@20": (0.3671, 0.4448), "auc_matched": (0.4626, 0.5391)},
        "bystanders": Bystanders(
            users=135,
            overlap=0.9531,
            share_before=0.1307,
            share_after=0.1361,
            gain=0.0,
            gain_error=0.01,
            recall_before=0.3704,
            recall_after=0.3659,
        )
        if later
        else None,
        "harm": Harm(users=424, mean=-0.0034, p1=-0.5278, p5=-0.3333) if later else None,
    }
    return changed(state(name, recall, seed), **more)


def _checks(answer: Outcome) -> tuple[Check, ...]:
    """One check of everything that an audit asks, all with the same answer."""
    asked = [
        (About.REMOVAL, "residue: ids"),
        (About.REMOVAL, "residue: rows"),
        (About.UTILITY, "retained utility"),
        *((About.FORGETTING, f"residual co-occurrence: {kind}") for kind in KINDS[:2]),
        *((About.FORGETTING, f"membership: {kind}") for kind in KINDS[2:]),
        *((About.MARKS, f"marks: {kind}") for kind in ("users", "items", "lists")),
        (About.BYSTANDERS, "bystanders: places"),
        (About.BYSTANDERS, "bystanders: recall"),
    ]
    own = [Check(name=name, state=answer, detail=f"detail of {name}", about=about) for about, name in asked]
    golden = [
        (About.UTILITY, "gold: training"),
        (About.UTILITY, "gold: retained utility"),
        (About.LEVEL, "gold: forget recall"),
        (About.FORGETTING, "gold: residual co-occurrence: users"),
        (About.FORGETTING, "gold: membership: features image"),
        (About.MARKS, "gold: marks: lists"),
        (About.BYSTANDERS, "gold: bystanders: places"),
        (About.BYSTANDERS, "gold: bystanders: lists"),
    ]
    against = [
        Check(name=name, state=answer, detail=f"detail of {name}", about=about, against_gold=True)
        for about, name in golden
    ]
    return (*own, *against)


def full(answer: Outcome = Outcome.PASSED, golds: int = 2, **changes: object) -> AuditReport:
    """An audit that measured everything, all of it with the same answer."""
    names = ("retain_recall@20", "forget_recall@20", "recognition users", "recognition features image", "marks lists")
    checks = tuple(check for check in _checks(answer) if golds or not check.against_gold)
    states = (measured("original", auc=0.8223), measured("unlearned"))
    values: dict[str, object] = {
        "made": "2026-11-26T19:26:08+00:00",
        "digests": {
            "run": "f964e75d66f5b45e7d45",
            "original": "6496e5e6bc5377bf55e7",
            "dataset": "a9d08dadba5930c62a13",
        },
        "compared": AuditScope(golds=tuple(f"{seed}" * 20 for seed in range(golds))),
        "states": (*states, *(measured("gold", seed=seed) for seed in range(golds))),
        "gap": {name: gap(0.0071) for name in (*names, "bystanders' places", "auc", "fold_in")} if golds else {},
        "persons": Persons(users=533, below=0.0131, above=0.0188, gaps=(*[0.0] * 9, 0.2, 0.8, *[0.0] * 9))
        if golds > 1
        else None,
        "checks": checks,
        "verdict": conclude(checks),
    }
    return report(golds, **(values | changes))
