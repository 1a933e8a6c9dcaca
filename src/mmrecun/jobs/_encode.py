"""Add a modality to a dataset, encoded from raw text, pictures or sound."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from mmrecun import runs
from mmrecun.atomic import refuse_existing, with_own_name
from mmrecun.claims import claimed
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.modality import Modality, check_name
from mmrecun.device import prepared
from mmrecun.encoders.encode import encode as encode_contents
from mmrecun.encoders.registry import open_encoder
from mmrecun.encoders.sources import find_contents
from mmrecun.errors import ArtifactError, DataError
from mmrecun.progress import Progress, no_progress
from mmrecun.runs import PathLike
from mmrecun.text import counted, preview


@dataclass(frozen=True)
class EncodedDataset:
    """A dataset with its new modality, its folder, and warnings."""

    dataset: Dataset
    folder: Path
    warnings: list[str]


@prepared()
def encode(
    data: PathLike,
    modality: str,
    source: str,
    encoder: str = "",
    out: PathLike | None = None,
    licence: str = "",
    owner: str = "",
    progress: Progress = no_progress,
) -> EncodedDataset:
    """Encode raw content into a modality of the dataset folder `data`.

    Args:
        data: dataset folder.
        modality: name of the new modality.
        source: table and column, or folder; see `encoders.sources.find_contents`.
        encoder: name or path; by default that of the modality's name.
        out: dataset folder to make; by default `data` itself gets the modality.
        licence, owner: terms and owner of the content, kept with the features.
        progress: called with the progress.

    Raises:
        DataError: when the dataset has that modality, or the source holds no content of its items.
        ConfigError: for an unknown encoder or a missing library.
        ArtifactError: when `out` exists, another command is making it or adding to `data`, or `data` is that of a run.
    """
    data, copy = Path(data), None if out is None else Path(out)
    check_name(modality)
    partial = partial_folder(copy or data, modality)
    if copy is not None:
        refuse_existing(copy)
    else:
        _refuse_of_run(data)
    files.read_header(data)  # a claim would make folders on the way to a dataset that is not there
    with claimed(copy or data, within=() if copy else (data, data / "features")):
        dataset = files.load(data)
        if copy is None and modality in dataset.modalities:
            shutil.rmtree(partial, ignore_errors=True)  # of a command that was killed at its end
            raise DataError(
                f"{data} already has a modality '{modality}'; choose another name, or write a copy with --out"
            )
        opened = open_encoder(encoder, modality)
        contents = find_contents(source, dataset.items, opened.kind, data)
        provenance = opened.provenance.model_copy(update={"licence": licence, "owner": owner})
        encoded = encode_contents(contents, opened, modality, provenance, partial, progress)
        dataset = _written(dataset, encoded.modality, data, copy)
        shutil.rmtree(partial, ignore_errors=True)
    absent = [row for row, piece in enumerate(contents.pieces) if piece is None]
    return EncodedDataset(dataset, copy or data, _warnings(dataset, absent, encoded.unreadable, contents.ignored))


def _refuse_of_run(data: Path) -> None:
    """Refuse to add to the dataset inside a run folder, which its manifest knows by digest."""
    folder = data.resolve().parent
    try:
        within = (folder / runs.read_manifest(folder).dataset.path).resolve() == data.resolve()
    except ArtifactError:
        return
    if within:
        raise ArtifactError(
            f"{data} is the dataset of a run, which could not be read any more; write a copy with --out"
        )


def _written(dataset: Dataset, made: Modality, data: Path, copy: Path | None) -> Dataset:
    if copy is None:
        return files.add_modality(dataset, made, data)
    whole = replace(dataset, modalities={**dataset.modalities, made.name: made})
    files.save(whole, copy)
    return whole


def partial_folder(data: Path, modality: str) -> Path:
    """Return the folder where an interrupted encoding keeps finished batches: beside the dataset that it writes."""
    return with_own_name(data).with_name(f".{data.resolve().name}.{modality}.encoding")


def _warnings(dataset: Dataset, absent: list[int], unreadable: dict[int, str], ignored: int) -> list[str]:
    names = dataset.items.names
    warnings = []
    if absent:
        warnings.append(
            f"{counted(len(absent), 'item')} without content, and so without features: {preview(names.gather(absent))}"
        )
    if unreadable:
        reasons = [f"{names[row]} ({reason})" for row, reason in list(unreadable.items())]
        warnings.append(
            f"{counted(len(unreadable), 'item')} with unreadable content, and so without features: {preview(reasons)}"
        )
    if ignored:
        warnings.append(f"content under {counted(ignored, 'id')} was left out, since no item of the dataset has it")
    return warnings
