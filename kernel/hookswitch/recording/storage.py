"""Storages: where finished recordings are kept, offered by plugins.

    class Shelf(Storage):
        name, request = "shelf", ShelfRequest

        def check(self, options: ShelfRequest) -> None:
            if options.shelf_board not in self.boards:
                raise BadRequest("shelf_board: there is no such board")

        def store(self, file: Path, options: ShelfRequest) -> str:
            return self.boards[options.shelf_board].put(file)

All but `target` may block: they run in threads.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, SecretStr

from hookswitch.errors import BadRequest, Conflict

from .threads import in_thread

log = logging.getLogger(__name__)

FILE = "file"
"""The storage that is always there: the recording stays where it was made."""


class Storage(ABC):
    """A place for recordings: the ``storage`` of a request to record."""

    name: ClassVar[str]
    """What requests call it."""

    request: type[BaseModel]
    """The fields it adds to such requests, all optional, their names beginning with its own."""

    @abstractmethod
    def check(self, options: Any) -> None:
        """Before a recording starts: find out whether its file could be stored.

        Raises BadRequest that names the field, or what is not configured.
        """

    def taken(self, name: str, options: Any) -> bool:
        """Before a recording starts: whether there is a file of this name already.

        Raises BadRequest like `check`, which is called before.
        """
        return False

    def target(self, options: Any) -> str:
        """What the files go to that may hang by itself, such as an address.

        Few files are stored in one target at the same time; none waits for those of another.
        """
        return ""

    @abstractmethod
    def store(self, file: Path, options: Any) -> str:
        """Store a finished file; answers where it is, as applications are told.

        Nothing that is there already is replaced: if the name is taken by then, it gets another.
        Whatever it raises is reported, and it is called again later, with the same file, also after
        a restart: storing again what is stored already must do no harm. It must come to an end.
        """


class NoOptions(BaseModel):
    """The fields of a storage that asks for nothing."""


class LocalFiles(Storage):
    """Recordings stay in RECORDING_DIR."""

    name, request = FILE, NoOptions

    def check(self, options: Any) -> None:
        """A recorder finds out by itself whether files can be written."""

    def store(self, file: Path, options: Any) -> str:
        return str(file)


class Storages:
    """The storages of one server, by name."""

    def __init__(self, offered: Iterable[Storage] = ()) -> None:
        """Of two with one name, the first counts."""
        self._storages: dict[str, Storage] = {}
        for storage in (LocalFiles(), *offered):
            if storage.name in self._storages:
                log.error("a second storage %s is left out", storage.name)
            else:
                self._storages[storage.name] = storage

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._storages)

    @property
    def requests(self) -> tuple[type[BaseModel], ...]:
        """The fields of all of them: bases of the model of a request to record."""
        return tuple(s.request for s in self._storages.values() if s.request is not NoOptions)

    def get(self, name: str) -> Storage | None:
        return self._storages.get(name)

    async def check(self, name: str, request: BaseModel, files: Collection[str] = ()) -> BaseModel:
        """Have a storage check a request with its fields; answers those.

        ``files``: names that must be free there. Raises BadRequest, Conflict.
        """
        storage = self._storages.get(name)
        if storage is None:
            raise BadRequest(
                f"storage: {name!r} is not one of: {', '.join(self._storages)} "
                f"(is the plugin hookswitch-storage-{name} installed?)"
            )
        fields = {field: getattr(request, field) for field in storage.request.model_fields}
        options = storage.request.model_validate(fields)
        await in_thread(lambda: storage.check(options))
        for file in files:
            if await in_thread(partial(storage.taken, file, options)):
                raise Conflict(f"filename: {file} is in the storage {name} already")
        return options


def pack_options(options: BaseModel) -> dict[str, Any]:
    """A storage's fields as JSON can hold them, secrets in the clear: for the queue only."""
    packed = options.model_dump(mode="json")
    for name in packed:
        value = getattr(options, name)
        if isinstance(value, SecretStr):
            packed[name] = value.get_secret_value()
    return packed


def unpack_options(storage: Storage, packed: Mapping[str, Any]) -> BaseModel:
    """The fields again. Raises ValueError when the storage's model has changed."""
    return storage.request.model_validate(dict(packed), strict=False)
