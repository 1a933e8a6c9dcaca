"""Keys are their text, and what they stand for is read back from the text alone, whatever a modality is called."""

import json

import pytest

from mmrecun.auditing.keys import (
    BYSTANDER_PLACES,
    CheckName,
    Figure,
    GapKey,
    Kind,
    LikenessKey,
    MarkKind,
    Probe,
    ProbeKey,
    Question,
    Similarity,
    Users,
    recognition_name,
)
from mmrecun.auditing.result import AuditReport
from mmrecun.data.modality import check_name
from mmrecun.errors import DataError
from mmrecun.forget.request import Target
from mmrecun.keys import MetricKey
from tests.report.made import full

NAMES = ("image", "users", "items", "features", "auc", "zrf", "fold_in", "marks", "gold", "type", "rbo", "weight")


@pytest.mark.parametrize("name", NAMES)
def test_a_modality_of_any_name_keeps_its_meaning(name: str):
    kind = Kind.of_features(name)
    assert (kind.target, kind.modality, kind.of_rows) == (Target.MODALITIES, name, False)
    for figure in (Figure.RECOGNITION, Figure.FOLD_IN):
        key = GapKey.named(figure, kind)
        assert (key.figure, Kind(key.of).modality) == (figure, name)
    for probe in (Probe.FEATURES_R2, Probe.BRANCH_AUC, Probe.BRANCH_RECALL):
        key = ProbeKey.named(probe, name)
        assert (key.probe, key.modality) == (probe, name)
    asked = recognition_name(kind)
    assert (asked.question, asked.subject) == (Question.MEMBERSHIP, kind)
    assert asked.with_gold.gap == GapKey.named(Figure.RECOGNITION, kind)


@pytest.mark.parametrize("target", [Target.USERS, Target.ITEMS, Target.INTERACTIONS])
def test_a_kind_without_features_is_its_target(target: Target):
    kind = Kind(target)
    assert (kind.target, kind.modality, kind.of_rows) == (target, None, target is not Target.INTERACTIONS)


def test_figures_with_one_value_have_no_kind():
    assert [(key.figure, key.of) for key in map(GapKey.named, Figure)] == [(figure, "") for figure in Figure]
    single = [probe for probe in Probe if probe is not Probe.FEATURES_R2]
    assert [(key.probe, key.modality) for key in map(ProbeKey.named, single)] == [(probe, "") for probe in single]


def test_every_measure_of_similarity_and_every_group_are_read_back():
    pairs = [(measure, users) for measure in Similarity for users in Users]
    assert [(key.measure, key.users) for key in (LikenessKey.named(*pair) for pair in pairs)] == pairs


def test_what_another_version_wrote_is_kept_as_text():
    assert (Kind("devices").target, GapKey("new").figure, ProbeKey("new auc x").probe) == (None, None, None)
    assert (LikenessKey("new").measure, LikenessKey("new").users) == (None, Users.ALL)
    name = CheckName("gold: new: devices")
    assert (name.question, name.subject, name.gap) == (None, "devices", None)


def test_a_check_rests_on_the_gap_of_its_question():
    assert CheckName.asking(Question.MARKS, MarkKind.LISTS).with_gold.gap == "marks lists"
    assert BYSTANDER_PLACES.with_gold.gap == "bystanders' places"
    assert CheckName("gold: fold-in: users").gap == "fold_in users"
    assert CheckName("gold: training").gap is None
    assert CheckName("gold: bystanders: lists").gap is None


def test_a_report_is_saved_and_read_with_its_keys():
    report = full()
    again = AuditReport.model_validate_json(report.model_dump_json())
    assert again == report
    assert {type(check.name) for check in again.checks} == {CheckName}
    assert {type(key) for key in again.gap} == {GapKey}
    assert json.loads(report.model_dump_json())["gap"].keys() == {str(key) for key in report.gap}


def test_a_metric_names_its_list_length():
    assert MetricKey.at("ndcg", 50) == "ndcg@50"
    assert (MetricKey("ndcg@50").metric, MetricKey("ndcg@50").cutoff) == ("ndcg", 50)


def test_the_name_that_would_be_two_figures_is_refused():
    with pytest.raises(DataError, match=r"^'features_r2' cannot name a modality, .*; choose another$"):
        check_name("features_r2")
