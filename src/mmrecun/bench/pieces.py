"""A group of a bench as pieces of work: Originals, Golds, and the rows of each method and seed."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmrecun import jobs
from mmrecun.atomic import staged_folder
from mmrecun.bench.cache import Cache, data_name, gold_name, original_name
from mmrecun.bench.groups import Group
from mmrecun.bench.results import Key
from mmrecun.bench.runner import GroupRun, RowMaker
from mmrecun.bench.scenarios import RequestSpec, Scenario
from mmrecun.bench.spec import GOLD, GOLD_SEED, REFERENCES, Backbone, BenchSpec
from mmrecun.data import files
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.progress import Progress
from mmrecun.scale.piece import Piece, digest_of
from mmrecun.settings import Settings

_GROUP = "group.json"


class GroupFile(Settings):
    """A description of a group that another machine can read; its names are folders below the root of the pieces.

    Attributes:
        dataset: label of the dataset.
        backbone, request, spec: see `Group`.
        data: name of the dataset's folder.
        steps, checkpoints, ratio: see `Scenario`.
        originals: seed -> name.
        golds: checkpoint -> names.
    """

    dataset: str
    backbone: Backbone
    request: RequestSpec
    spec: BenchSpec
    data: str
    steps: tuple[ForgetRequest, ...]
    checkpoints: tuple[int, ...]
    ratio: float
    originals: dict[int, str]
    golds: dict[int, tuple[str, ...]]

    @classmethod
    def describe(cls, group: Group, scenario: Scenario) -> "GroupFile":
        """Describe a group whose request is possible on its dataset."""
        data, backbone = scenario.dataset, group.backbone
        retained = {
            checkpoint: Partition.from_request(data, scenario.until(checkpoint)).retained.digest
            for checkpoint in scenario.checkpoints
        }
        return cls(
            dataset=group.dataset,
            backbone=backbone,
            request=group.request,
            spec=group.spec,
            data=data_name(data.digest),
            steps=scenario.steps,
            checkpoints=scenario.checkpoints,
            ratio=scenario.ratio,
            originals={seed: original_name(backbone, data.digest, seed) for seed in group.spec.seeds},
            golds={
                checkpoint: tuple(gold_name(backbone, digest, number) for number in range(group.spec.golds))
                for checkpoint, digest in retained.items()
            },
        )

    @property
    def name(self) -> str:
        """The folder of the piece below the root."""
        return f"groups/{digest_of(self.model_dump(mode='json'))}"

    def write(self, root: Path) -> None:
        """Write it below `root`, unless it is there."""
        if not (root / self.name).is_dir():
            with staged_folder(root / self.name) as staging:
                (staging / _GROUP).write_text(self.json_text(), encoding="utf-8")


def pieces_of(
    group: Group, scenario: Scenario, wanted: Mapping[Key, str], cache: Cache, shared: bool, again: str = ""
) -> Iterator[tuple[Piece, dict[Key, str]]]:
    """Yield the pieces of work that `wanted` rows need, with the rows that each makes; their inputs are written first.

    Args:
        group, scenario: group of the bench, and its request.
        wanted: what rows are about -> their digests.
        cache: the cache, whose folder holds all inputs.
        shared: whether the executor makes several pieces at once.
        again: a text that is not empty when rows are repeated, so that earlier ones are not reused.
    """
    cache.data(scenario.dataset)
    described = GroupFile.describe(group, scenario)
    described.write(cache.folder)
    title = f"{group.dataset} {group.backbone.label}, {group.request.label}"
    first = group.spec.seeds[0]
    for seed in sorted({first, *(key.seed for key in wanted if key.method != GOLD)}, key=group.spec.seeds.index):
        yield _original(described, seed, cache.device, f"{title}: original, seed {seed}"), {}
    for checkpoint in sorted({key.requests for key in wanted}):
        for number, name in enumerate(described.golds[checkpoint]):
            given = {"group": described.name, "checkpoint": checkpoint, "number": number, "device": cache.device}
            needs = (described.name, described.data, described.originals[first])
            note = f"{title}: Gold {number + 1} of {group.spec.golds}"
            yield Piece(name=name, make=f"{__name__}:make_gold", given=given, needs=needs, note=note), {}
    for label, rows in _bundles(wanted):
        given = {"group": described.name, "rows": sorted(rows.values()), "shared": shared, "device": cache.device}
        yield _rows(described, rows, given, f"{title}: {label}", again), rows


def _original(described: GroupFile, seed: int, device: str, note: str) -> Piece:
    backbone = described.backbone.model_dump(mode="json")
    return Piece(
        name=described.originals[seed],
        make=f"{__name__}:make_original",
        given={"data": described.data, "backbone": backbone, "seed": seed, "device": device},
        needs=(described.data,),
        note=note,
    )


def _bundles(wanted: Mapping[Key, str]) -> Iterator[tuple[str, dict[Key, str]]]:
    """Yield the rows that are made together, with a title: the references; each method with each seed."""
    found: dict[str, dict[Key, str]] = {}
    for key, digest in wanted.items():
        label = "Originals and Golds" if key.method in REFERENCES else f"{key.method}, seed {key.seed}"
        found.setdefault(label, {})[key] = digest
    yield from found.items()


def _rows(described: GroupFile, rows: Mapping[Key, str], given: Mapping[str, Any], note: str, again: str) -> Piece:
    first = described.spec.seeds[0]
    seeds = {first, *(key.seed for key in rows if key.method != GOLD)}
    golds = {name for key in rows for name in described.golds[key.requests]}
    return Piece(
        name=f"rows/{digest_of({'rows': sorted(rows.values()), 'again': again})}",
        make=f"{__name__}:make_rows",
        given=dict(given),
        needs=(described.name, described.data, *(described.originals[seed] for seed in sorted(seeds)), *sorted(golds)),
        note=note,
    )


def make_original(root: Path, place: Path, given: Mapping[str, Any], progress: Progress) -> None:
    """Train a model; see `Maker`."""
    backbone = Backbone.model_validate(given["backbone"])
    jobs.train(root / given["data"], backbone.model, place, backbone.settings, given["seed"], given["device"], progress)


def make_gold(root: Path, place: Path, given: Mapping[str, Any], progress: Progress) -> None:
    """Train a model on the retained data; see `Maker`."""
    opened = open_group(root, given["group"], given["device"])
    opened.refuse_unread()
    request, seed = opened.scenario.until(given["checkpoint"]), GOLD_SEED + given["number"]
    jobs.unlearn(opened.first, request, place, "retrain", seed=seed, progress=progress)


def make_rows(root: Path, place: Path, given: Mapping[str, Any], progress: Progress) -> None:
    """Make rows; see `Maker`."""
    opened = open_group(root, given["group"], given["device"])
    wanted = {key: digest for key, digest in opened.group.row_digests().items() if digest in given["rows"]}
    with staged_folder(place) as staging:
        RowMaker(opened, wanted, staging, given["shared"], progress).write()


@lru_cache(maxsize=1)
def open_group(root: Path, name: str, device: str) -> GroupRun:
    """Read a group with its dataset; the last one is kept, with its runs and measured Golds, for its next piece."""
    described = GroupFile.model_validate_json((root / name / _GROUP).read_bytes())
    dataset = files.load(root / described.data)
    scenario = Scenario(dataset, described.steps, described.checkpoints, described.ratio)
    group = Group(described.dataset, described.backbone, described.request, scenario, described.spec)
    originals = {seed: root / place for seed, place in described.originals.items()}
    golds: dict[int, Sequence[Path]] = {
        checkpoint: [root / place for place in places] for checkpoint, places in described.golds.items()
    }
    return GroupRun(group, originals, golds, device)
