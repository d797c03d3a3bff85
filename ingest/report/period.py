"""The days that a report is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from ingest.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Days in UTC, both included; None leaves an end open.

    Raises SettingsError when the last day lies before the first.
    """

    first: date | None = None
    last: date | None = None

    def __post_init__(self) -> None:
        """Refuse a period without a day."""
        if self.first and self.last and self.last < self.first:
            raise SettingsError(f"the last day, {self.last}, lies before the first, {self.first}")

    @property
    def is_everything(self) -> bool:
        """Whether both ends are open."""
        return self.first is None and self.last is None

    @property
    def title(self) -> str:
        """The period in words, empty for everything."""
        if self.is_everything:
            return ""
        if self.first == self.last:
            return f"{self.first}"
        if self.first is None:
            return f"until {self.last}"
        return f"since {self.first}" if self.last is None else f"{self.first} to {self.last}"

    @property
    def file_name(self) -> str:
        """The name of the page: a period has its own, beside the one of everything."""
        return "index.html" if self.is_everything else f"{self.title.replace(' ', '-')}.html"

    @property
    def bounds(self) -> dict[str, str]:
        """Both ends as SQL writes dates."""
        return {
            "first": str(self.first or date.min),
            "last": str(self.last or date.max),
        }


EVERYTHING = Period()
