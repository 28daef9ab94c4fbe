"""Uploads that are too large for memory wait in a temporary file: sealed, by a key that only this process has."""

import os
import tempfile
from typing import Any, cast

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from crm.keyring import KEY_BYTES
from crm.sealed_files import Writer, plain_reader


class SealedUploadHandler(FileUploadHandler):
    """Django's handler for temporary files, with nothing in the open; the file has no name, and goes when closed."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.file = tempfile.TemporaryFile(prefix="zhiyin-upload-")  # noqa: SIM115 (it stays open with the upload)
        self.key = AESGCM(os.urandom(KEY_BYTES))
        self.writer = Writer(cast("Any", self.file), self.key)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.writer.write(raw_data)

    def file_complete(self, file_size: int) -> "UploadedFile[bytes]":
        self.writer.end()
        return UploadedFile(
            file=plain_reader(cast("Any", self.file), self.key),
            name=self.file_name,
            content_type=self.content_type,
            size=file_size,
            charset=self.charset,
            content_type_extra=self.content_type_extra,
        )

    def upload_interrupted(self) -> None:
        if hasattr(self, "file"):
            self.file.close()
