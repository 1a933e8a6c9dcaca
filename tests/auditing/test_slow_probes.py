"""The probes of an audit that train models, by command and from Python."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mmrecun import jobs
from mmrecun.auditing import relearning, shadow_models
from mmrecun.auditing.likelihood_ratio import Attack
from mmrecun.auditing.setup import AuditSetup, audit_setup
from mmrecun.auditing.shadow_models import ShadowAttack
from mmrecun.cli import main
from mmrecun.errors import ArtifactError, ConfigError
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.jobs._shadows import attack_on
from mmrecun.progress import no_progress
from mmrecun.runs import Run, load
from mmrecun.scale.local_executor import LocalExecutor
from tests.conftest import TRAINING

ATTACK = {f"attack_{name}" for name in Attack._fields}
USERS = ForgetRequest(users=("u00003", "u00007", "u00011", "u00020"))
LEARNED_BY_HEART = {"dim": 8, "batch_size": 256, "learning_rate": 0.05, "epochs": 40, "validate_every": 40}


@pytest.fixture(scope="module")
def runs(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An original that knows its pairs by heart; users, and pairs, taken out without unlearning; Golds of both."""
    folder = tmp_path_factory.mktemp("probed")
    jobs.train(data_folder, "bprmf", folder / "original", LEARNED_BY_HEART)
    original = load(folder / "original")
    data, train = original.dataset, original.dataset.train.select(np.arange(len(original.dataset.train)) % 11 == 0)
    names = (data.users.names.gather(train.users), data.items.names.gather(train.items))
    pairs = ForgetRequest(pairs=tuple(zip(*names, strict=True)))
    for name, request in (("users", USERS), ("pairs", pairs)):
        jobs.unlearn(original, request, folder / name, "unlink")
        jobs.unlearn(original, request, folder / f"{name}-gold", "retrain", seed=1)
    return folder


def of_states(report, name: str) -> dict[str, float | None]:
    return {state.name: state.probes.get(name) for state in report.states}


def test_by_command_with_progress_time_and_page(runs: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    call = ["mmrecun", "audit", str(runs / "users"), "--gold", str(runs / "users-gold"), "--relearn", "--shadows", "4"]
    monkeypatch.setattr(sys, "argv", [*call, "--json"])
    with pytest.raises(SystemExit) as stopped:
        main()
    out, err = capsys.readouterr()
    assert not stopped.value.code
    assert err.startswith("4 shadow models are trained and unlearned; about ")
    answer = json.loads(out)
    written = json.loads((runs / "users" / "audit.json").read_text())
    assert answer["states"] == written["states"]
    original, after, gold = written["states"]
    assert ATTACK | {"relearn_steps"} <= after["probes"].keys() & gold["probes"].keys()
    assert original["probes"]["relearn_steps"] == 0
    assert original["unassessed"].keys() == ATTACK
    assert all(0 <= state["probes"][name] <= 1 for state in (after, gold) for name in ATTACK)
    page = (runs / "users" / "report.html").read_text()
    assert "steps to learn it again" in page
    assert "most exposed tenth (original): asked of models that no longer know the pairs" in page
    assert any(note.startswith("Likelihood-ratio attack: 4 shadow models") for note in written["notes"])
    monkeypatch.setattr(sys, "argv", call[:3])
    with pytest.raises(SystemExit):
        main()
    shown = capsys.readouterr().out
    assert "closer look" in shown
    assert "steps to learn it again" not in shown


def test_they_change_no_check_and_no_verdict(runs: Path):
    plain = jobs.audit(runs / "users", [runs / "users-gold"])
    closer = jobs.audit(runs / "users", [runs / "users-gold"], relearn=True)
    assert [(check.name, check.state) for check in plain.checks] == [
        (check.name, check.state) for check in closer.checks
    ]
    assert plain.gap == closer.gap
    assert not {"relearn_steps", *ATTACK} & set(plain.states[1].probes)
    assert not plain.states[1].unassessed
    assert not any("Learning again" in note for note in plain.notes)


def test_gold_needs_the_steps_that_a_plain_loop_takes(runs: Path):
    """The same draws through plain Adam, with every score worked out, until pairs rank nearly as before."""
    report = jobs.audit(runs / "users", [runs / "users-gold"], relearn=True)
    original, gold = (load(runs / name) for name in ("original", "users-gold"))
    steps = of_states(report, "relearn_steps")["gold"]
    assert 0 < steps < relearning.MOST_STEPS
    assert steps == steps_by_hand(original, gold)


def steps_by_hand(original: Run, gold: Run) -> int:
    setup = audit_setup(Partition.between(original.dataset, gold.dataset))
    lesson = relearning._Lesson(setup, original.training)
    watched = lesson.watched(original.model)
    rows, negatives = (column.numpy() for column in (watched.users, watched.negatives))
    assert len(rows) == relearning.NEGATIVES * len(setup.forgotten)
    assert not original.dataset.train.contains(rows, negatives, len(original.dataset.items)).any()

    def wrong(vectors) -> float:
        scores = (vectors.users @ vectors.items.T).detach().numpy()
        return (scores[rows, watched.positives.numpy()] <= scores[rows, negatives]).mean()

    target = 1 - 0.95 * (1 - wrong(setup.cache.original(original.model)))
    model = setup.cache.padded_model(gold.model)
    inputs, rng = setup.cache.padded_inputs(model), lesson.seed.child("steps").numpy()
    optimizer = torch.optim.Adam(model.parameters(), lr=original.training.learning_rate)
    for done in range(relearning.MOST_STEPS):
        if wrong(model.vectors(inputs)) <= target:
            return done
        triples = lesson.triples(model, rng)
        vectors = model.vectors(inputs)
        users, better, worse = vectors.users[triples.users], triples.positives, triples.negatives
        margins = (users * (vectors.items[better] - vectors.items[worse])).sum(1)
        loss = torch.nn.functional.softplus(-margins).mean() + model.auxiliary_loss(vectors.of_triples(triples))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return -1


def test_a_copy_is_taught_and_not_the_run(runs: Path):
    before = (runs / "users" / "weights.safetensors").read_bytes()
    once = of_states(jobs.audit(runs / "users", relearn=True), "relearn_steps")
    assert once == of_states(jobs.audit(runs / "users", relearn=True), "relearn_steps")
    assert (runs / "users" / "weights.safetensors").read_bytes() == before


def test_what_cannot_be_learned_in_time_says_so(runs: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(relearning, "MOST_STEPS", 1)
    after = jobs.audit(runs / "users", relearn=True).measurements("unlearned")
    assert "relearn_steps" not in after.probes
    assert after.unassessed["relearn_steps"].startswith("after 1 steps they did not rank")


def test_what_was_not_unlearned_is_told_from_gold(runs: Path):
    seen: list[tuple[int, int, str]] = []
    golds = [runs / "pairs-gold"]
    report = jobs.audit(runs / "pairs", golds, relearn=True, shadows=4, progress=lambda *found: seen.append(found))
    detected, steps = (of_states(report, name) for name in ("attack_detected", "relearn_steps"))
    assert detected["unlearned"] > detected["gold"] + 0.2
    assert detected["gold"] < 0.5
    assert steps["unlearned"] < steps["gold"]
    shadows = [found[:2] for found in seen if found[2].startswith("shadow")]
    assert set(shadows) == {(number, 4) for number in range(4)}
    assert any("learning again" in found[2] for found in seen)


def test_one_user_alone_is_learned_by_every_second_shadow(runs: Path, tmp_path: Path):
    jobs.unlearn(runs / "original", ForgetRequest(users=("u00003",)), tmp_path / "one", "unlink")
    report = jobs.audit(tmp_path / "one", shadows=4)
    assert report.measurements("unlearned").probes.keys() >= ATTACK


def test_what_cannot_be_assessed_says_why(data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    jobs.train(data_folder, "vbpr", tmp_path / "original", {**TRAINING, "epochs": 2})
    original = load(tmp_path / "original")
    some = tuple(original.dataset.items.names[:8])
    jobs.unlearn(original, ForgetRequest(modalities={"image": None}), tmp_path / "whole", "unlink")
    whole = jobs.audit(tmp_path / "whole", relearn=True, shadows=4).measurements("unlearned").unassessed
    assert "so none is learned again" in whole["relearn_steps"]
    assert {whole[name] for name in ATTACK} == {"a model has no 'image' branch any more"}
    jobs.unlearn(original, ForgetRequest(modalities={"image": some}), tmp_path / "part", "unlink")
    part = jobs.audit(tmp_path / "part", shadows=4).measurements("unlearned")
    assert part.probes.keys() >= ATTACK
    monkeypatch.setattr(shadow_models, "can_validate", lambda data: False)
    broken = jobs.audit(tmp_path / "part", shadows=4)
    assert "no epoch could be chosen" in broken.measurements("unlearned").unassessed["attack_score"]
    assert not any(note.startswith("Likelihood-ratio") for note in broken.notes)


def test_a_bad_number_of_shadows_is_one_line(runs: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigError, match="5 shadow models: take an even number"):
        jobs.audit(runs / "users", shadows=5)
    with pytest.raises(ArtifactError, match="was trained, not unlearned"):
        jobs.shadow_seconds(runs / "original", 4)
    monkeypatch.setattr(sys, "argv", ["mmrecun", "audit", str(runs / "users"), "--shadows", "3"])
    with pytest.raises(SystemExit) as stopped:
        main()
    out, err = capsys.readouterr()
    assert (stopped.value.code, out, len(err.splitlines())) == (2, "", 1)


def test_the_time_foretold_is_that_of_the_manifests(runs: Path, tmp_path: Path):
    trained, after = (load(runs / name).manifest for name in ("original", "users"))
    assert jobs.shadow_seconds(runs / "users", 4) == pytest.approx(4 * (trained.seconds + after.seconds))
    again = jobs.unlearn(runs / "users", ForgetRequest(users=("u00030",)), tmp_path / "again", "unlink")
    expected = 6 * (max(trained.seconds, after.seconds) + again.seconds)
    assert jobs.shadow_seconds(tmp_path / "again", 6) == pytest.approx(expected)


def test_shadow_models_as_pieces_are_those_made_one_by_one(runs: Path, monkeypatch: pytest.MonkeyPatch):
    """The same figures; an attack that was interrupted goes on with the shadow models made, and leaves nothing."""
    original, after = load(runs / "original"), load(runs / "pairs")
    setup = audit_setup(Partition.between(original.dataset, after.dataset))
    alone = list(ShadowAttack(original, after, 4)._one_by_one(setup, no_progress))
    begun: list[int] = []

    def stop(done: int, total: int, note: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    def counted(attack: ShadowAttack, setup: AuditSetup, number: int, progress) -> tuple:
        begun.append(number)
        return shadow(attack, setup, number, progress)

    shadow = ShadowAttack.shadow
    monkeypatch.setattr(ShadowAttack, "shadow", counted)
    attack = attack_on(LocalExecutor(), original, after, 4)
    with pytest.raises(KeyboardInterrupt):
        list(attack.learned(setup, stop))
    pieces = list(attack.learned(setup, no_progress))
    assert begun == [0, 1, 2, 3]
    for one, other in zip(alone, pieces, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    assert not (runs / ".pairs.shadows").exists()
