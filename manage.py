#!/usr/bin/env python
"""Run a management command, with the embedded servers where the environment names no others."""

import os
import sys

WITHOUT_SERVERS = {
    "",
    "help",
    "version",
    "--help",
    "--version",
    "check",
    "makemessages",
    "compilemessages",
    "collectstatic",
}


def main() -> None:
    """Join or start the embedded servers and run the command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.conf import settings  # noqa: PLC0415
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    from config import embedded  # noqa: PLC0415

    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command not in WITHOUT_SERVERS or any(word.startswith("--database") for word in sys.argv):
        try:
            embedded.join(settings.EMBEDDED)
        except embedded.EmbeddedError as error:
            sys.exit(str(error))
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
