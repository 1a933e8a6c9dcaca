"""The keys of an audit: kinds of what was forgotten, figures, and names of checks."""

from enum import StrEnum
from typing import Self, TypeVar

from mmrecun.forget.request import Target
from mmrecun.keys import RECALL, Key

_FEATURES, _GOLD = "features ", "gold: "
Member = TypeVar("Member", bound=StrEnum)


def _known(members: type[Member], text: str) -> Member | None:
    """Return the member of that text; None for a text of another version."""
    return members(text) if text in list(members) else None


class Kind(Key):
    """A kind of what was forgotten: `users`, `items`, `interactions`, or `features` and the name of a modality.

    >>> Kind.of_features("image"), Kind("features image").modality, Kind("users").modality
    ('features image', 'image', None)
    """

    __slots__ = ()

    @classmethod
    def of_features(cls, modality: str) -> Self:
        """Return the kind of features of `modality` that items lost."""
        return cls(_FEATURES + modality)

    @property
    def modality(self) -> str | None:
        """The modality whose features were lost; None for the other kinds."""
        return self.removeprefix(_FEATURES) if self.startswith(_FEATURES) else None

    @property
    def target(self) -> Target | None:
        """The target of the request; None for a kind of another version."""
        if self.modality is not None:
            return Target.MODALITIES
        return _known(Target, self)

    @property
    def of_rows(self) -> bool:
        """Whether whole rows were removed, so that the vectors of their partners are tested."""
        return self.target in (Target.USERS, Target.ITEMS)


class MarkKind(StrEnum):
    """Sources that may reveal affected users or items: rows of users, rows of items, or places in lists."""

    USERS = "users"
    ITEMS = "items"
    LISTS = "lists"

    @property
    def noun(self) -> str:
        """The side that is revealed; places in lists reveal items."""
        return "users" if self is MarkKind.USERS else "items"


class Figure(StrEnum):
    """A figure that is compared with Gold; those of the second group have one value for each kind."""

    RETAIN = f"retain_{RECALL}"
    FORGET = f"forget_{RECALL}"
    AUC = "auc"
    AUC_MATCHED = "auc_matched"
    PLACES = "bystanders' places"
    FOLD_IN = "fold_in"  # by itself, and of each kind

    RECOGNITION = "recognition"
    MARKS = "marks"


class GapKey(Key):
    """A figure that is compared with Gold, and the kind that it is of, if any: `auc`, `recognition users`.

    >>> GapKey("marks lists").figure, GapKey("marks lists").of, GapKey("auc").of
    (<Figure.MARKS: 'marks'>, 'lists', '')
    """

    __slots__ = ()

    @classmethod
    def named(cls, figure: Figure, of: str = "") -> Self:
        """Return the key of `figure`, of one kind where it has several values."""
        return cls(f"{figure} {of}" if of else figure)

    @property
    def figure(self) -> Figure | None:
        """The figure; None for one of another version."""
        return _known(Figure, self) or _known(Figure, self.partition(" ")[0])

    @property
    def of(self) -> str:
        """The kind; empty where the figure has one value."""
        return "" if self.figure is None else self.removeprefix(self.figure).lstrip()


class Probe(StrEnum):
    """A slower figure. That of removed features has its modality behind it, those of one branch before them."""

    ZRF = "zrf"
    FOLD_IN = "fold_in"
    FEATURES_R2 = "features_r2"
    BRANCH_RECALL = f"forget_{RECALL}"
    BRANCH_AUC = "auc"
    RELEARN_STEPS = "relearn_steps"
    ATTACK_SCORE = "attack_score"
    ATTACK_DETECTED = "attack_detected"
    ATTACK_WORST = "attack_worst"


class ProbeKey(Key):
    """A slower figure, and the modality that it is of, if any: `zrf`, `features_r2 image`, `image auc`.

    >>> ProbeKey("zrf auc").probe, ProbeKey("zrf auc").modality
    (<Probe.BRANCH_AUC: 'auc'>, 'zrf')
    """

    __slots__ = ()

    @classmethod
    def named(cls, probe: Probe, modality: str = "") -> Self:
        """Return the key of `probe`, of one modality where it has several values."""
        if probe is Probe.FEATURES_R2:
            return cls(f"{probe} {modality}")
        return cls(f"{modality} {probe}" if modality else probe)

    @property
    def probe(self) -> Probe | None:
        """The figure; None for one of another version."""
        return self._parts()[0]

    @property
    def modality(self) -> str:
        """The modality; empty where the figure has one value."""
        return self._parts()[1]

    def _parts(self) -> tuple[Probe | None, str]:
        first, _, last = self.partition(" ")
        if not last:
            return _known(Probe, self), ""
        if first == Probe.FEATURES_R2:
            return Probe.FEATURES_R2, last
        return (Probe(last), first) if last in (Probe.BRANCH_RECALL, Probe.BRANCH_AUC) else (None, "")


class Similarity(StrEnum):
    """A measure of how similar the answers of two models are."""

    OVERLAP = "overlap@20"
    RANK_BIASED = "rbo"
    DISTANCE = "js_distance"


class Users(StrEnum):
    """Groups of users whose lists are compared."""

    ALL = ""
    AFFECTED = "affected"
    UNAFFECTED = "unaffected"


class LikenessKey(Key):
    """A measure of similarity over a group of users: `overlap@20` of all, `rbo_affected`.

    >>> LikenessKey("js_distance").measure, LikenessKey("rbo_affected").users
    (<Similarity.DISTANCE: 'js_distance'>, <Users.AFFECTED: 'affected'>)
    """

    __slots__ = ()

    @classmethod
    def named(cls, measure: Similarity, users: Users = Users.ALL) -> Self:
        """Return the key of `measure` over `users`."""
        return cls(f"{measure}_{users}" if users else measure)

    @property
    def measure(self) -> Similarity | None:
        """The measure; None for one of another version."""
        return next((measure for measure in Similarity if self.startswith((measure, f"{measure}_"))), None)

    @property
    def users(self) -> Users:
        """The group of users; everybody where none is named."""
        rest = self.removeprefix(self.measure or self).removeprefix("_")
        return _known(Users, rest) or Users.ALL


class Question(StrEnum):
    """The questions of checks."""

    RESIDUE = "residue"
    CO_OCCURRENCE = "residual co-occurrence"
    MEMBERSHIP = "membership"
    UTILITY = "retained utility"
    FORGET_RECALL = "forget recall"
    FOLD_IN = "fold-in"
    MARKS = "marks"
    BYSTANDERS = "bystanders"
    TRAINING = "training"


class CheckName(Key):
    """The name of a check: its question, then its subject if it has one; before both `gold: ` if it rests on Gold.

    >>> name = CheckName.asking(Question.MARKS, MarkKind.LISTS).with_gold
    >>> name, name.question, name.subject
    ('gold: marks: lists', <Question.MARKS: 'marks'>, 'lists')
    """

    __slots__ = ()

    @classmethod
    def asking(cls, question: Question, subject: str = "") -> Self:
        """Return the name of the check of `question`, about `subject` if there are several."""
        return cls(f"{question}: {subject}" if subject else question)

    @property
    def with_gold(self) -> Self:
        """The same question, answered against Gold."""
        return type(self)(_GOLD + self)

    @property
    def without_gold(self) -> Self:
        """The same question, answered without Gold."""
        return type(self)(self.removeprefix(_GOLD))

    @property
    def question(self) -> Question | None:
        """The question; None for one of another version."""
        return _known(Question, self.without_gold.partition(": ")[0])

    @property
    def subject(self) -> str:
        """The subject in a name such as "question: subject"; the whole name otherwise."""
        return self.without_gold.partition(": ")[2] or self

    @property
    def gap(self) -> GapKey | None:
        """The gap on which the check rests against Gold; None for a check that rests on none."""
        if self.without_gold == BYSTANDER_PLACES:
            return GapKey.named(Figure.PLACES)
        if self.question in (Question.UTILITY, Question.FORGET_RECALL):
            return GapKey.named(Figure.RETAIN if self.question is Question.UTILITY else Figure.FORGET)
        figure = _FIGURES.get(self.question) if self.question else None
        return GapKey.named(figure, self.subject) if figure else None


_FIGURES = {
    Question.CO_OCCURRENCE: Figure.RECOGNITION,
    Question.MEMBERSHIP: Figure.RECOGNITION,
    Question.FOLD_IN: Figure.FOLD_IN,
    Question.MARKS: Figure.MARKS,
}
UTILITY = CheckName.asking(Question.UTILITY)
FORGET_RECALL = CheckName.asking(Question.FORGET_RECALL)
GOLD_TRAINING = CheckName.asking(Question.TRAINING).with_gold
BYSTANDER_PLACES = CheckName.asking(Question.BYSTANDERS, "places")
BYSTANDER_RECALL = CheckName.asking(Question.BYSTANDERS, "recall")
BYSTANDER_LISTS = CheckName.asking(Question.BYSTANDERS, "lists")


def recognition_name(kind: Kind) -> CheckName:
    """Return the name of the check of one kind: residual co-occurrence if rows were removed, else membership."""
    return CheckName.asking(Question.CO_OCCURRENCE if kind.of_rows else Question.MEMBERSHIP, kind)
