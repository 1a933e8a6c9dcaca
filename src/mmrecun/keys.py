"""Keys that are text in JSON and on the command line, and have named parts."""

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


class Key(str):
    """A text with named parts. A subclass defines them; the text itself is compared, hashed and saved."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        from pydantic_core import core_schema  # the command line imports keys, and must start without pydantic

        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


class MetricKey(Key):
    """A metric at a list length, such as `recall@20`.

    >>> MetricKey("hit_rate@5").metric, MetricKey("hit_rate@5").cutoff
    ('hit_rate', 5)
    """

    __slots__ = ()

    @classmethod
    def at(cls, metric: str, cutoff: int) -> Self:
        """Return the key of `metric` at list length `cutoff`."""
        return cls(f"{metric}@{cutoff}")

    @property
    def metric(self) -> str:
        """The metric, without the list length."""
        return self.partition("@")[0]

    @property
    def cutoff(self) -> int:
        """The list length."""
        return int(self.partition("@")[2])


RECALL, NDCG = MetricKey("recall@20"), MetricKey("ndcg@20")  # what reports and benches show first
