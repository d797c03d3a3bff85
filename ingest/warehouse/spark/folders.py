"""Folders as Spark sees them, on a disk or in S3; each is the text of a path of Hadoop's."""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession


def folder_of_schema(session: SparkSession, schema: str) -> str | None:
    """Return the folder in which tables of `schema` are made, None when there is no such schema."""
    if not session.catalog.databaseExists(schema):
        return None
    java: Any = session
    # A URI, with % before each letter that needs it; paths have none.
    uri = java._jvm.java.net.URI(session.catalog.getDatabase(schema).locationUri)
    return str(java._jvm.org.apache.hadoop.fs.Path(uri))


def subfolders(session: SparkSession, folder: str) -> dict[str, str]:
    """Return name -> folder of what is in `folder`, sorted; nothing when it is not there."""
    files, path = _files(session, folder)
    if not files.exists(path):
        return {}
    found = [one.getPath() for one in files.listStatus(path) if one.isDirectory()]
    return dict(sorted((str(one.getName()), str(one)) for one in found))


def is_empty(session: SparkSession, folder: str) -> bool:
    """Return whether there is nothing in `folder`."""
    files, path = _files(session, folder)
    return not files.listStatus(path)


def remove_folder(session: SparkSession, folder: str) -> None:
    """Delete `folder` with all that is in it."""
    files, path = _files(session, folder)
    files.delete(path, True)


def _files(session: SparkSession, folder: str) -> tuple[Any, Any]:
    """Return the file system of `folder`, and `folder` as its path."""
    java: Any = session
    path = java._jvm.org.apache.hadoop.fs.Path(folder)
    return path.getFileSystem(java._jsparkSession.sessionState().newHadoopConf()), path
